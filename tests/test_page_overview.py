"""The overview: who waits for a person comes first, with the buttons there; and what is said where nothing is."""

import os
import re
import shutil
import time
from html.parser import HTMLParser
from pathlib import Path

import recorded
from starlette.testclient import TestClient

from samoloop.base.locks import Lock
from samoloop.base.places import state_folder
from samoloop.config.projects import register
from samoloop.core.control import LOCK
from samoloop.core.session import Session
from samoloop.queue import background
from samoloop.ui.web.app import make_app
from samoloop.ui.web.guard import Guarding
from samoloop.ui.web.site import Site


def person(here: Path | None = None) -> TestClient:
    guarding = Guarding(7266)
    app = make_app(Site(dict(os.environ), here), guarding)
    client = TestClient(app, base_url="http://localhost:7266", follow_redirects=False)
    client.get(f"/enter/{guarding.secret}")
    return client


def waiting(root: Path, name: str = "26-11-21-auth") -> Session:
    session = recorded.make_session(root, name)
    recorded.ask_questions(session, "Q1")
    recorded._record(session, "gate_shown", gate="g1", sha256="0" * 64, stamp=None)
    return session


def seen(text: str) -> str:
    """The main part, as words."""

    class Words(HTMLParser):
        found = ""

        def handle_data(self, data: str) -> None:
            self.found += data

    words = Words()
    words.feed(text[text.index("<main") : text.index("</main")])
    return re.sub(r"\s+", " ", words.found)


def test_a_newcomer_reads_what_to_do() -> None:
    text = person().get("/").text
    assert "Nothing here yet" in text and 'href="/new"' in text


def test_who_waits_for_you_comes_first_with_the_buttons_there(root: Path) -> None:
    recorded.make_session(root, "26-11-20-early")
    waiting(root)
    text = seen(person().get("/").text)
    assert text.index("Waits for you") < text.index("auth") < text.index("A one suggested") < text.index("Ready")
    assert "1 waits for you, 0 at work" in text


def test_an_answer_given_elsewhere_takes_the_buttons_away(root: Path) -> None:
    session, page = waiting(root), person()
    assert "pick.Q1" in page.get("/").text
    file = session.dir / "_qa.md"
    file.write_text(file.read_text().replace("_waiting_", "B"))
    text = page.get("/").text
    assert "pick.Q1" not in text and "no worker has taken it up yet" in text


def test_a_question_that_was_edited_is_shown_anew_though_it_waits_as_before(root: Path) -> None:
    session, page = waiting(root), person()
    page.get("/")
    file = session.dir / "_qa.md"
    file.write_text(file.read_text().replace("Which way Q1?", "Which other way?"))
    assert "Which other way?" in page.get("/").text


def test_another_session_of_the_same_name_asks_its_own_question(root: Path) -> None:
    session, page = waiting(root), person()
    assert "Which way Q1?" in page.get("/").text
    shutil.rmtree(session.dir)
    page.get("/")
    file = waiting(root).dir / "_qa.md"
    file.write_text(file.read_text().replace("Which way Q1?", "Which other way?"))
    assert "Which other way?" in page.get("/").text


def test_a_session_at_work_stands_apart_from_one_that_nobody_goes_on_with(root: Path) -> None:
    recorded.make_session(root, "26-11-20-idle")
    busy = recorded.make_session(root, "26-11-21-busy")
    recorded.start(busy)
    with Lock.take(busy.control / LOCK, 0, f"{os.getpid()}\n"):
        text = seen(person().get("/").text)
    assert text.index("At work") < text.index("busy works") < text.index("Ready") < text.index("idle ready")


def test_a_limited_session_goes_on_by_itself_only_where_a_worker_waits_for_it_or_up_is_on(root: Path) -> None:
    session, page = recorded.make_session(root, "26-11-20-cart"), person()
    recorded.start(session)
    limit = {"kind": "limited", "phase": "investigation", "reason": "used up", "not_before": time.time() + 3600}
    recorded.end(session, limit)
    alone = seen(page.get("/").text)
    assert "Ready" in alone and "Nobody goes on with these" in alone and "by itself" not in alone
    state = state_folder(os.environ)
    state.mkdir(parents=True, exist_ok=True)
    with Lock.take(state / background.LOCK, 0, f"{os.getpid()}\n"):
        text = seen(page.get("/").text)
        assert "samoloop up goes on with each when it can" in text and "Nobody" not in text
    with Lock.take(session.control / LOCK, 0, f"{os.getpid()}\n"):
        text = seen(page.get("/").text)
        assert "Each goes on by itself when its limit is over" in text and "Nobody" not in text


def test_projects_can_be_looked_at_alone(tmp_path: Path, root: Path) -> None:
    other = tmp_path / "blog"
    other.mkdir()
    register(other, os.environ)
    recorded.make_session(root, "26-11-20-cart")
    recorded.make_session(other, "26-11-20-feed")
    page = person()
    text = page.get("/").text
    assert "cart" in seen(text) and "feed" in seen(text)
    alone = seen(page.get("/", params={"project": str(other)}).text)
    assert "cart" not in alone and "feed" in alone


def test_projects_whose_folders_have_one_name_are_called_by_their_paths(tmp_path: Path, root: Path) -> None:
    recorded.make_session(root, "26-11-20-cart")
    page = person()
    assert f'<span class="meta">{root.name}</span>' not in page.get("/").text
    other = tmp_path / "work" / "shop"
    other.mkdir(parents=True)
    register(other, os.environ)
    recorded.make_session(other, "26-11-20-pay")
    text = page.get("/").text
    for path in (root, other):
        assert f">{path}</a>" in text and f'<span class="meta">{path}</span>' in text
        assert f">{path} ({path})</option>" in page.get("/new").text


def test_a_project_that_is_gone_is_said(tmp_path: Path, root: Path) -> None:
    recorded.make_session(root, "26-11-20-cart")
    lost = tmp_path / "lost"
    lost.mkdir()
    register(lost, os.environ)
    shutil.rmtree(lost)
    text = seen(person().get("/").text)
    assert f"{lost} is gone; forget it with: samoloop projects forget" in text and "cart" in text


def test_a_damaged_session_is_a_row_with_its_reason(root: Path) -> None:
    recorded.make_session(root, "26-11-20-good")
    bad = recorded.make_session(root, "26-11-21-bad")
    bad.journal.path.write_bytes(b"\x00\n" * 3)
    text = seen(person().get("/").text)
    assert "bad damaged" in text and "good ready" in text


def test_words_of_strangers_only_show(root: Path) -> None:
    recorded.make_session(root, "26-11-20-x", title="<script>alert(1)</script>\x1b[31m")
    text = person().get("/").text
    assert "<script>alert" not in text and "&lt;script&gt;alert(1)" in text and "\x1b" not in text


def test_the_page_of_a_session_that_was_deleted_says_so(root: Path) -> None:
    session, page = waiting(root), person()
    url = re.findall(r'href="(/s/[^"/]+/[^"/]+)"', page.get("/").text)[0]
    assert page.get(url).status_code == 200
    shutil.rmtree(session.dir)
    answer = page.get(url)
    assert answer.status_code == 404 and "26-11-21-auth is not there any more" in seen(answer.text)


def test_what_a_script_asks_for_is_as_new_as_what_a_person_does(root: Path) -> None:
    session, page = waiting(root), person()
    script = {"sec-fetch-mode": "cors"}
    assert "pick.Q1" in page.get("/", headers=script).text
    file = session.dir / "_qa.md"
    file.write_text(file.read_text().replace("_waiting_", "B"))
    assert "pick.Q1" not in page.get("/", headers=script).text
