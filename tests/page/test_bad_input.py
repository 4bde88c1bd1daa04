"""What is too large, half written, gone, stale, guessed or sent twice: a page and a sentence, and never a fault."""

import json
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from filled import Played, fill, url_of
from kit import scripted_project, until
from playwright.sync_api import expect
from window import Client, Person, Web

from samoloop.core.control import place_of
from samoloop.core.decision import Condition
from samoloop.core.records import Started
from samoloop.core.session import Session, all_sessions, session_tag

Opens, Meets, Call = Callable[..., Web], Callable[..., Person], Callable[[Web], Client]
MB = 1 << 20
MOST_RESIDENT = 200 * MB


def resident(web: Web) -> int:
    """Bytes of memory that the page has in use."""
    fields = Path(f"/proc/{web.process.pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def folders(played: Played, home: Path, tmp_path: Path) -> dict[str, Path]:
    """A session at each moment."""
    return fill(played, tmp_path, "shop")


def test_a_line_of_10_mb_in_a_log_is_shown_cut(folders: dict[str, Path], open_web: Opens, call: Call) -> None:
    done = Session(folders["done"])
    log = sorted(done.logs.glob("*.jsonl"))[0]
    long = json.dumps({"type": "text", "text": "long " * (2 * MB)})
    log.write_text(f"{long}\n{log.read_text()}" + "x" * 10 * MB)
    web = open_web(folders["done"].parent.parent)
    client = call(web)
    for path in ("/log/1", "", "/log/2"):
        answer = client.get(url_of(folders["done"]) + path)
        assert answer.status_code == 200
        assert len(answer.content) < 2 * MB
    assert resident(web) < MOST_RESIDENT


def test_a_document_of_50_mb_is_not_read_whole(folders: dict[str, Path], open_web: Opens, call: Call) -> None:
    name = "11-21-0900-dive-x.md"
    for folder in (folders["done"], folders["asks"]):
        with (folder / name).open("w") as file:
            file.write("# Long\n\n" + "word " * 10 * MB)
    (folders["asks"] / "_qa.md").write_text("### Q1: x\n" * 5 * MB)
    web = open_web(folders["done"].parent.parent)
    client = call(web)
    for folder, path in (
        (folders["done"], f"/document/{name}"),
        (folders["done"], ""),
        (folders["asks"], ""),
        (folders["asks"], "/gate"),
    ):
        answer = client.get(url_of(folder) + path)
        assert answer.status_code == 200, (path, answer.text)
        assert len(answer.content) < 5 * MB
    answer = client.get(url_of(folders["done"]) + f"/download/{name}")  # whole, as it was asked for
    assert len(answer.content) == (folders["done"] / name).stat().st_size
    assert answer.headers["content-disposition"].startswith("attachment")
    assert resident(web) < MOST_RESIDENT


def test_a_journal_is_read_while_it_is_written(folders: dict[str, Path], open_web: Opens, call: Call) -> None:
    """It is cut off at any place, as it is for whoever looks while a line is written."""
    journal = Session(folders["plans"]).journal.path
    whole = journal.read_bytes()
    over = threading.Event()

    def write() -> None:
        end = whole.rfind(b"\n", 0, -1)
        while not over.is_set():
            for length in (*range(end, len(whole), 37), len(whole)):
                with journal.open("r+b") as file:
                    file.truncate(length)
                    file.seek(0)
                    file.write(whole[:length])

    client = call(open_web(folders["done"].parent.parent))
    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(30):
            for path in ("/", url_of(folders["plans"]), url_of(folders["plans"]) + "/gate"):
                assert client.get(path).status_code == 200, path
    finally:
        over.set()
        writer.join()
    assert client.get(url_of(folders["plans"])).status_code == 200


def test_a_session_that_is_deleted_while_its_page_is_open_is_said_to_be_gone(
    folders: dict[str, Path], open_web: Opens, meet: Meets
) -> None:
    web = open_web(folders["done"].parent.parent)
    person = meet(web)
    page = person.go(url_of(folders["asks"]) + "/gate")
    expect(page.locator("main form").first).to_be_visible()
    shutil.rmtree(folders["asks"])
    shutil.rmtree(place_of(folders["asks"])) if place_of(folders["asks"]).exists() else None
    answer = page.reload()
    assert answer is not None
    assert answer.status == 404
    expect(page.locator("main")).to_contain_text("not there any more")
    page.goto(web.origin + "/")
    expect(page.locator("main")).to_contain_text("plans")


def test_a_session_that_is_archived_stays_readable(folders: dict[str, Path], open_web: Opens, meet: Meets) -> None:
    from kit import samoloop

    root = folders["done"].parent.parent
    person = meet(open_web(root))
    page = person.go(url_of(folders["done"]))
    done = samoloop(root, "archive", folders["done"].name)
    assert done.returncode == 0, done.stderr
    for path in ("", "/report", "/document/_overview.md", "/diff", "/log/1"):
        answer = page.goto(person.web.origin + url_of(folders["done"]) + path)
        assert answer is not None
        assert answer.status == 200, path


def test_a_project_whose_disk_is_gone_hides_no_other(
    played: Played, home: Path, tmp_path: Path, open_web: Opens, call: Call
) -> None:
    there, gone = fill(played, tmp_path, "there"), fill(played, tmp_path, "gone")
    client = call(open_web(tmp_path / "there"))
    assert "gone" in client.get("/").text
    (tmp_path / "gone").rename(tmp_path / "elsewhere")
    overview = client.get("/")
    assert overview.status_code == 200
    assert url_of(there["asks"]) in overview.text
    assert "is gone" in overview.text
    for path in ("", "/gate", "/diff", "/log/1", "/report"):
        assert client.get(url_of(gone["asks"]) + path).status_code == 404, path
    for path in ("/backlog", "/new", "/stats", "/search?q=shop"):
        assert client.get(path).status_code == 200, path


def test_a_form_sent_twice_acts_once(folders: dict[str, Path], open_web: Opens, call: Call) -> None:
    client = call(open_web(folders["done"].parent.parent))
    url = url_of(folders["plans"])
    form = dict(re.findall(r'<input[^>]*name="(\w+)"[^>]*value="([^"]*)"', client.get(f"{url}/gate").text))
    first = client.post(f"{url}/approve", token_from=f"{url}/gate", **{**form, "token": client.token(f"{url}/gate")})
    assert first.status_code == 303, first.text
    said = (folders["plans"] / "_approval.md").read_text()
    second = client.post(f"{url}/approve", token_from="/new", **form)
    assert second.status_code == 303
    assert "pproved" in client.get(second.headers["location"]).text.partition("<h1")[0]
    assert (folders["plans"] / "_approval.md").read_text() == said


def test_a_hundred_tabs_hear_of_a_change_and_hold_up_neither_pages_nor_the_end(
    folders: dict[str, Path], open_web: Opens, call: Call
) -> None:
    root = folders["done"].parent.parent
    web = open_web(root)
    client = call(web)
    heard: list[str] = []
    tag = session_tag(folders["asks"])

    def listen(number: int) -> None:
        with ExitStack() as stack:
            try:
                answer = stack.enter_context(client.stream("/live" if number % 2 else f"/live?tag={tag}"))
                ready.append(number)
                for line in answer.iter_lines():
                    if line.startswith("data:"):
                        heard.append(f"{number} {line}")
            except httpx.HTTPError:
                pass

    ready: list[int] = []
    tabs = [threading.Thread(target=listen, args=(number,), daemon=True) for number in range(100)]
    for tab in tabs:
        tab.start()
    until(lambda: len(ready) == 100)
    from kit import samoloop

    assert samoloop(root, "tell", folders["asks"].name, "be quick").returncode == 0
    until(lambda: len({line.partition(" ")[0] for line in heard}) == 100)
    assert client.get("/").status_code == 200
    began = time.monotonic()
    web.end()
    assert time.monotonic() - began < 5
    for tab in tabs:
        tab.join(10)
    assert not any(tab.is_alive() for tab in tabs)


def test_a_guessed_secret_opens_nothing_and_keeps_nobody_out(
    folders: dict[str, Path], open_web: Opens, call: Call
) -> None:
    web = open_web(folders["done"].parent.parent)
    client = call(web)
    door = re.sub(r"[^/]+$", "", httpx.URL(web.link).path)
    with httpx.Client(base_url=client.origin) as stranger:
        answers = [stranger.get(f"{door}{'guess' * 8}{number}").status_code for number in range(50)]
        assert set(answers) == {403, 429}
        assert not stranger.cookies
        for path in ("/", "/new", "/stats", "/live", url_of(folders["done"])):
            assert stranger.get(path).status_code == 403
        cookie = f"samoloop-{httpx.URL(web.link).port}"
        for guess in ("x", "1.2", "." * 5000, "__proto__"):
            assert stranger.get("/", headers={"cookie": f"{cookie}={guess}"}).status_code == 403
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("host", ["evil.test", "evil.test:{port}", "127.0.0.1.evil.test:{port}", "", "localhost@evil"])
def test_a_request_that_names_another_host_gets_nothing(
    host: str, folders: dict[str, Path], open_web: Opens, call: Call
) -> None:
    web = open_web(folders["done"].parent.parent)
    client = call(web)
    answer = client.get("/", host=host.format(port=httpx.URL(web.link).port))
    assert answer.status_code in (400, 421)
    assert "asks" not in answer.text


def test_where_the_port_is_taken_the_next_one_is_said(home: Path, tmp_path: Path, open_web: Opens, call: Call) -> None:
    root = scripted_project(tmp_path, "exit 0")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        web = open_web(root, "--port", str(port))
        assert str(port) in web.said
        assert httpx.URL(web.link).port != port
        assert call(web).get("/").status_code == 200


WORKS = """
case $SAMOLOOP_PHASE in
investigation) touch begun; while [ ! -e go-on ]; do sleep 0.02; done; next requirements;;
requirements) ask 'Which way?';;
esac
"""


def test_ctrl_c_ends_it_and_leaves_what_it_started_at_work(
    home: Path, tmp_path: Path, open_web: Opens, call: Call
) -> None:
    root = scripted_project(tmp_path, WORKS)
    web = open_web(root)
    assert call(web).post("/new", task="Add it", project=str(root), act="start").status_code == 303
    [session] = all_sessions(root / "_sessions")
    until((session.dir / "begun").exists)
    web.end()
    assert web.process.returncode == 0
    assert web.said.endswith("The page is closed; sessions go on.\n")
    (session.dir / "go-on").touch()
    until(lambda: Session(session.dir).state().condition is Condition.WAITING)
    begun = [(one.iteration, one.attempt) for one in session.journal.read() if isinstance(one, Started)]
    assert begun == [(1, 1), (2, 1)]
