"""Who may speak to the page, seen from outside: forged hosts, origins, cookies, tokens and guesses."""

import ast
import asyncio
import re

import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from samoloop.ui.web import guard
from samoloop.ui.web.app import make_app
from samoloop.ui.web.guard import Guarding
from samoloop.ui.web.render import HERE, redirect
from samoloop.ui.web.site import Site

ORIGIN = "http://localhost:7266"
OWN = {"origin": ORIGIN}
OTHERS = ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "QUERY"]
NAVIGATE = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def guarding(time):
    return Guarding(7266, frozenset({"box.tail.ts.net"}), guesses=guard.Guesses(time), monotonic=time)


@pytest.fixture
def app(guarding, tmp_path):
    made = make_app(Site({"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}), guarding)

    def echo(request: Request) -> Response:
        if request.method == "GET":
            return HTMLResponse(f"token={request.state.token}")
        return redirect("/", " ".join(request.state.form.getlist("words")))

    def broken(request: Request) -> Response:
        raise ZeroDivisionError("the fault's own words")

    made.router.routes.insert(0, Route("/echo", echo, methods=["GET", "POST", *OTHERS]))
    made.router.routes.insert(0, Route("/broken", broken))
    made.router.routes.insert(0, Route("/text", lambda request: PlainTextResponse("<script>alert(1)</script>")))
    return made


@pytest.fixture
def browser(app):
    """Makes another browser, which comes by `base`."""
    return lambda base=ORIGIN: TestClient(app, base_url=base, follow_redirects=False)


@pytest.fixture
def stranger(browser):
    return browser()


@pytest.fixture
def person(stranger, guarding):
    assert stranger.get(f"/enter/{guarding.secret}").status_code == 303
    return stranger


def token_of(client: TestClient) -> str:
    return client.get("/echo").text.removeprefix("token=")


def sent(client: TestClient, headers: dict[str, str] | None = None, **fields: str) -> int:
    """The answer to a form with the right token, if nothing else is said."""
    data = {"token": token_of(client), "words": "hello", **fields}
    return client.post("/echo", data=data, headers=OWN if headers is None else headers).status_code


# --- the secret ----------------------------------------------------------------------------------------------------


def test_the_link_becomes_a_strict_cookie_and_leaves_the_address(stranger, guarding):
    answer = stranger.get(f"/enter/{guarding.secret}")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "samesite=strict", "path=/"))
    assert guarding.secret.lower() not in cookie
    assert stranger.get("/").status_code == 200


def test_a_link_that_was_clicked_elsewhere_is_followed_by_a_page_of_ours(stranger, guarding):
    """A browser sends no strict cookie along a redirect that another site began."""
    answer = stranger.get(f"/enter/{guarding.secret}", headers=NAVIGATE | {"sec-fetch-site": "cross-site"})
    assert answer.status_code == 200
    assert 'content="0;url=/"' in answer.text
    assert stranger.get("/").status_code == 200


def test_the_secret_has_bits_enough_and_is_new_at_each_start():
    made = [Guarding(7266) for _ in range(50)]
    assert len({one.secret for one in made}) == len({one.name for one in made}) == 50
    assert all(len(one.secret) * 6 >= 128 for one in made)


def test_a_secret_is_in_no_words_about_the_guard(guarding):
    assert guarding.secret not in repr(guarding)
    assert guarding.name not in repr(guarding)


@pytest.mark.parametrize(
    "path", ["/", "/echo", "/live", "/s/0/x", "/search?q=a", "/nothing", "/enter", "//", "/static"]
)
def test_without_the_cookie_there_is_no_page(stranger, path):
    assert stranger.get(path).status_code == 403


def test_a_cookie_of_another_start_is_none(browser, guarding):
    client = browser()
    client.cookies.set(guarding.cookie, Guarding(7266).pass_for("x"))
    assert client.get("/").status_code == 403


@pytest.mark.parametrize("forged", ["", ".", "x", "x.", "x.ü".encode().decode("latin-1"), "x." + "0" * 64, "x" * 9000])
def test_a_forged_cookie_is_none(stranger, guarding, forged):
    answer = stranger.get("/", headers={"cookie": f"{guarding.cookie}={forged}".encode("latin-1")})
    assert answer.status_code == 403


def test_a_cookie_of_the_same_name_from_another_port_locks_nobody_out(stranger, guarding):
    own, name = guarding.pass_for("x"), guarding.cookie
    for header in (f"{name}=evil; {name}={own}", f"{name}={own}; {name}=evil", f'a="; b={{}}; {name}={own}'):
        assert stranger.get("/", headers={"cookie": header}).status_code == 200


def test_two_pages_of_one_machine_have_cookies_of_their_own():
    assert Guarding(7266).cookie != Guarding(7267).cookie


def test_a_secret_for_one_opening_opens_once_and_not_for_long(browser, guarding, time):
    once, late = guarding.once(), guarding.once()
    assert browser().get(f"/enter/{once}").status_code == 303
    assert browser().get(f"/enter/{once}").status_code == 403
    time.now += 61
    assert browser().get(f"/enter/{late}").status_code == 403


def test_a_cookie_is_secure_where_a_proxy_encrypts(browser, guarding):
    answer = browser("http://box.tail.ts.net").get(f"/enter/{guarding.secret}", headers={"x-forwarded-proto": "https"})
    assert "secure" in answer.headers["set-cookie"].lower()


# --- guesses -------------------------------------------------------------------------------------------------------


def test_guesses_are_limited_for_all_together_and_the_right_one_is_not_told_apart(browser, guarding, time):
    codes = [browser().get(f"/enter/{number}").status_code for number in range(30)]
    assert codes == [403] * 10 + [429] * 20
    answer = browser().get(f"/enter/{guarding.secret}")
    assert answer.status_code == 429
    time.now += int(answer.headers["retry-after"])
    assert browser().get(f"/enter/{guarding.secret}").status_code == 303


def test_who_has_the_cookie_is_not_locked_out_by_the_guesses_of_others(browser, person, guarding):
    for number in range(30):
        browser().get(f"/enter/{number}")
    assert person.get("/").status_code == 200
    assert person.get(f"/enter/{guarding.secret}").status_code == 303
    assert sent(person) == 303


def test_waiting_gives_no_more_guesses_than_there_were_at_first(browser, time):
    time.now += 10**6
    codes = [browser().get(f"/enter/{number}").status_code for number in range(12)]
    assert codes == [403] * 10 + [429] * 2


def test_secrets_are_compared_in_constant_time():
    """All comparisons of the module that could tell something go through compare_digest."""
    tree = ast.parse((HERE / "guard.py").read_text(encoding="utf-8"))
    alike = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Compare) and isinstance(node.ops[0], alike)]
    compared = list(map(ast.unparse, found))
    assert not [words for words in compared if re.search(r"secret|token|given|single|pass_for|bearer", words)]


# --- who asks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["localhost:7266", "LOCALHOST", "127.0.0.1:1", "[::1]:7266", "box.tail.ts.net", "localhost."]
)
def test_the_names_that_the_page_goes_by(person, guarding, host):
    own = f"{guarding.cookie}={guarding.pass_for('x')}"
    assert person.get("/", headers={"host": host, "cookie": own}).status_code == 200


def test_its_own_name_cannot_be_guessed_and_holds(browser, guarding):
    client = browser(f"http://{guarding.name}:7266")
    assert re.fullmatch(r"samoloop-[0-9a-f]{16}\.localhost", guarding.name)
    assert client.get(f"/enter/{guarding.secret}").status_code == 303
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:7266", "localhost.evil.example", "127.0.0.1.evil.example", "x.localhost",
        "0.0.0.0", "127.0.0.2", "evil.box.tail.ts.net", "", " ", "localhost:7266:1",
        "localhost@evil.example", "localhost/evil",
        "[::1", "::1]", "localhost:port", "localhost\t", "[::1].evil.example", "localhost:123456", "ⓛocalhost",
    ],
)  # fmt: skip
def test_a_name_that_another_made_to_lead_here_is_refused(person, guarding, host):
    """DNS rebinding: the browser would take the answer for the other site's own."""
    own = f"{guarding.cookie}={guarding.pass_for('x')}"
    for path in ("/", f"/enter/{guarding.secret}", "/static/page.css"):
        answer = person.get(path, headers={"host": host.encode(), "cookie": own})
        assert answer.status_code == 421
        assert "set-cookie" not in answer.headers


def test_two_hosts_are_none(person):
    assert person.get("/", headers=[("host", "localhost"), ("host", "localhost")]).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://evil.example"},
        {"origin": "http://localhost:3000"},
        {"origin": "http://127.0.0.1:7266"},
        {"origin": "https://localhost:7266@evil.example"},
        {"origin": "http://localhost:7266.evil.example"},
        {"origin": "ftp://localhost:7266"},
        {"origin": "http://["},
        OWN | {"sec-fetch-site": "cross-site"},
        OWN | {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "none"},
        {"referer": ORIGIN},
    ],
)
def test_a_change_that_another_origin_sends_is_refused(person, headers):
    assert sent(person, headers) == 403


@pytest.mark.parametrize("headers", [OWN, OWN | {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "same-origin"}])
def test_a_change_that_the_page_sends_is_done(person, headers):
    assert sent(person, headers) == 303


def test_a_change_through_a_proxy_that_encrypts_is_done(browser, guarding):
    client = browser("http://box.tail.ts.net")
    client.get(f"/enter/{guarding.secret}")
    assert sent(client, {"origin": "https://box.tail.ts.net", "sec-fetch-site": "same-origin"}) == 303


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize(
    ("mode", "dest"), [("no-cors", "image"), ("no-cors", "script"), ("cors", "empty"), ("navigate", "iframe")]
)
def test_another_site_embeds_nothing(person, site, mode, dest):
    """A server at another port of this machine is the same site, and is sent the cookie."""
    headers = {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": dest}
    for path in ("/", "/static/page.js"):
        assert person.get(path, headers=headers).status_code == 403


def test_a_link_elsewhere_leads_here_and_goes_on_by_a_click(stranger, person):
    came = NAVIGATE | {"sec-fetch-site": "cross-site"}
    assert person.get("/", headers=came).status_code == 200
    person.cookies.clear()  # a browser leaves it away
    answer = person.get("/s/a%22b/x%3Cy", headers=came)
    assert answer.status_code == 403
    assert '<a href="/s/a%22b/x%3Cy">go on</a>' in answer.text
    assert 'href="/evil.example"' in person.get(f"{ORIGIN}//evil.example", headers=came).text


@pytest.mark.parametrize("method", OTHERS)
def test_other_methods_are_refused(person, method):
    assert person.request(method, "/echo").status_code == 405


# --- forms ---------------------------------------------------------------------------------------------------------


def test_a_form_needs_its_token(person, browser, guarding):
    other = browser()
    other.get(f"/enter/{guarding.secret}")
    for wrong in ("", "x", token_of(other), token_of(person).upper()):
        assert sent(person, token=wrong) == 403
    assert person.post("/echo", data={"words": "hello"}, headers=OWN).status_code == 403


def test_a_token_is_bound_to_the_cookie_and_not_the_cookie_itself(guarding):
    assert guarding.token("x") != guarding.token("y")
    assert guarding.token("x") not in guarding.pass_for("x")


def test_a_page_is_given_the_fields(person):
    assert sent(person, words="ä=&+ %41\r\n<b>") == 303
    assert "ä=&amp;+ %41 &lt;b&gt;" in person.get("/").text


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "application/json", "text/plain", ""])
def test_what_no_form_of_ours_sends_is_refused(person, kind):
    body = f"token={token_of(person)}"
    assert person.post("/echo", content=body, headers=OWN | {"content-type": kind}).status_code == 415


@pytest.mark.parametrize("body", [b"\xff=1", b"a=%ff", b"&".join([b"a=1"] * 1001)])
def test_a_form_that_cannot_be_read_is_refused(person, body):
    head = OWN | {"content-type": "application/x-www-form-urlencoded"}
    body += f"&token={token_of(person)}".encode()
    assert person.post("/echo", content=body, headers=head).status_code == 400


def test_a_form_is_bounded(person):
    assert sent(person, words="x" * 900_000) == 303
    assert sent(person, words="x" * 1_000_001) == 413


def test_of_a_form_without_end_no_more_is_read_than_is_allowed():
    given = 0

    async def endless():
        nonlocal given
        given += 100_000
        return {"type": "http.request", "body": b"x" * 100_000, "more_body": True}

    assert asyncio.run(guard._body(endless)) == 413
    assert given <= guard.MOST_BYTES + 100_000


def test_a_form_that_comes_too_slowly_is_given_up(monkeypatch):
    async def never():
        await asyncio.sleep(60)

    monkeypatch.setattr(guard, "_FORM_SECONDS", 0.01)
    assert asyncio.run(guard._body(never)) == 408


# --- what a browser is told ----------------------------------------------------------------------------------------

WHERE = ["/", "/static/page.css", "/static/icon.svg", "/nothing", "/broken", "/enter/wrong", "/echo"]
ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}


@pytest.mark.parametrize("path", WHERE)
def test_each_answer_says_what_it_may_do(person, path):
    headers = person.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy or headers["content-type"].startswith("image/svg")
    assert {name: headers.get(name) for name in ALWAYS} == ALWAYS
    assert headers["cache-control"] == "no-store" or path.startswith("/static/")


def test_the_policy_lets_nothing_of_another_site_in_and_no_form_out(person):
    policy = dict(part.strip().split(" ", 1) for part in person.get("/").headers["content-security-policy"].split(";"))
    assert set(policy.values()) == {"'none'", "'self'"}
    assert {"script-src", "style-src", "form-action", "base-uri"} <= policy.keys()


def test_a_picture_has_a_policy_of_its_own_in_which_nothing_runs(person):
    policy = person.get("/static/icon.svg").headers["content-security-policy"]
    assert "sandbox" in policy
    assert "script" not in policy


def test_what_is_no_page_is_a_download(person):
    assert person.get("/text").headers["content-disposition"] == "attachment"
    assert "content-disposition" not in person.get("/").headers


def test_a_fault_is_a_sentence_here_and_there_and_its_words_stay_on_the_terminal(person, capsys):
    answer = person.get("/broken")
    assert answer.status_code == 500
    assert "fault" in answer.text
    assert "own words" not in answer.text
    assert "the fault's own words" in capsys.readouterr().err


def test_a_notice_is_shown_once_and_none_that_another_port_made_up(person):
    sent(person, words="Approved.")
    person.get("/", headers={"sec-fetch-mode": "cors"})  # the live part's look
    assert "Approved." in person.get("/").text
    assert "Approved." not in person.get("/").text
    person.cookies.set("samoloop-notice", "Made up")
    assert "Made up" not in person.get("/").text


def test_the_name_that_a_person_gives_is_kept_and_harmless(person):
    person.post("/name", data={"token": token_of(person), "name": " Ann\n<b>\x1b" + "x" * 100}, headers=OWN)
    shown = re.search(r'id="who" name="name" value="([^"]*)"', person.get("/").text)
    assert shown is not None
    assert shown[1].startswith("Ann &lt;b&gt;")
    assert "\x1b" not in shown[1]
    assert len(shown[1]) < 60


# --- what the page may do ------------------------------------------------------------------------------------------

STARTERS = {"subprocess", "multiprocessing", "pty", "webbrowser", "ctypes", "runpy", "pickle", "shelve"}


@pytest.mark.parametrize("module", sorted(HERE.rglob("*.py")), ids=lambda path: path.relative_to(HERE).as_posix())
def test_the_page_starts_nothing_and_reaches_processes_through_api_alone(module):
    tree = ast.parse(module.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names |= {f"{node.module}.{alias.name}" for node in froms for alias in node.names}
    assert not {name.partition(".")[0] for name in names} & STARTERS
    below = {name for name in names if re.match(r"samoloop\.(children|providers|worker|git)\b", name)}
    acts = {name for name in below if not name.rpartition(".")[2][0].isupper()}  # values are for all
    assert acts <= {"samoloop.providers.installed"}  # which only looks
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not {
        name for name in called if re.search(r"\bos\.(system|exec|spawn|fork|popen|posix)|^(eval|exec|compile)$", name)
    }
