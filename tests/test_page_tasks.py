"""Tasks on the page: started, put into a backlog, put in order; `samoloop up` on and off."""

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from kit import make_repo, script, until
from starlette.testclient import TestClient
from test_page_overview import person, seen

from samoloop.api.status import at_work
from samoloop.api.stop import stop
from samoloop.config.projects import register, registered
from samoloop.config.task_files import path_of
from samoloop.core.decision import Condition
from samoloop.core.session import Session, all_sessions
from samoloop.queue import background
from samoloop.ui.web.pages import tasks

_ASKS = """
case $SAMOLOOP_PHASE in
investigation) echo "what I found" > 11-21-0900-dive-x.md; next requirements;;
requirements) ask 'Which way?';;
esac
"""
ORIGIN = {"origin": "http://localhost:7266"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository that is registered, whose helper is a script that asks at once."""
    folder = make_repo(tmp_path / "shop")
    child = script(tmp_path, _ASKS)
    (folder / ".samoloop.yaml").write_text(f"provider: own\nproviders: {{own: {{command: ['{child}']}}}}\n")
    register(folder, os.environ)
    return folder


@pytest.fixture
def detached(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The sessions for which a worker was started; none is."""
    found: list[Path] = []
    monkeypatch.setattr(tasks, "detach", lambda session, how, environ: found.append(session.dir))
    return found


def post(page: TestClient, path: str, source: str = "/new", **fields: str) -> Any:
    token = re.search(r'name="token" value="(\w+)"', page.get(source).text)
    assert token
    return page.post(path, data={"token": token[1], **fields}, headers=ORIGIN)


def notice(page: TestClient, answer: Any) -> str:
    assert answer.status_code == 303, seen(answer.text)
    return seen(page.get(answer.headers["location"]).text)


def test_a_task_is_started_as_from_the_command_line(root: Path, detached: list[Path]) -> None:
    page = person()
    answer = post(page, "/new", task="Add a cart", project=str(root), workflow="chore", act="start", max_cost="5")
    [session] = all_sessions(root / "_sessions")
    assert answer.headers["location"].endswith(session.name) and detached == [session.dir]
    created = session.state().created
    assert (created.title, session.state().live_workflow.name) == ("Add a cart", "chore")
    assert created.settings["ceilings"] == {"cost": 5.0}


def test_a_form_that_is_sent_twice_starts_one_session(root: Path, detached: list[Path]) -> None:
    page = person()
    answers = [post(page, "/new", task="Add it", project=str(root), act="start", number="once") for _ in range(2)]
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert len(all_sessions(root / "_sessions")) == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"task": ""}, "say in a sentence what is to be done"),
        ({"workflow": "nonsense"}, "nonsense"),
        ({"max_cost": "five"}, "a number, please"),
        ({"base": "no-such-commit"}, "no-such-commit"),
        ({"name": "../x"}, "cannot be a session"),
        ({"until": "nonsense"}, "nonsense"),
        ({"project": "/etc"}, "none of your projects"),
        ({"folder": "not/whole"}, "no folder here"),
        ({"folder": "/etc"}, "git init"),
        ({"act": "add", "at": "yesterday"}, "yesterday"),
        ({"act": "add", "after": "nobody"}, "nobody"),
        ({"act": "add", "every": "often"}, "often"),
    ],
)
def test_what_cannot_be_is_said_and_what_was_typed_stays(
    root: Path, detached: list[Path], fields: dict[str, str], said: str
) -> None:
    page = person()
    typed = {"task": "Do <b>it</b>", "project": str(root), "act": "start", "max_time": "2h", **fields}
    answer = post(page, "/new", **typed)
    assert answer.status_code == 409 and said in seen(answer.text)
    assert 'value="2h"' in answer.text
    assert typed["task"] == "" or "Do &lt;b&gt;it&lt;/b&gt;</textarea>" in answer.text
    assert not detached and not all_sessions(root / "_sessions")


def test_another_repository_is_registered_by_its_first_task(tmp_path: Path, detached: list[Path]) -> None:
    folder = make_repo(tmp_path / "new-one")
    page = person()
    assert "The project's folder" in seen(page.get("/new").text)
    post(page, "/new", task="Add it", folder=str(folder), provider="demo", act="start")
    assert registered(os.environ) == [folder] and len(detached) == 1


def test_the_project_that_the_page_was_started_in_is_offered(root: Path, tmp_path: Path) -> None:
    here = make_repo(tmp_path / "here")
    text = person(here).get("/new").text
    assert re.search(rf'value="{here}" selected', text) and f'value="{root}"' in text


def test_workflows_are_explained_and_installed_helpers_are_offered(root: Path) -> None:
    text = seen(person().get("/new").text)
    assert "demo: scripted" in text and "by your settings: own" in text
    assert re.search(r"fix \w+", text) and re.search(r"research \w+", text)


def test_a_task_goes_to_the_backlog_and_is_put_in_order(root: Path) -> None:
    page = person()
    said = notice(page, post(page, "/new", task="Add a cart", project=str(root), act="add", priority="2"))
    assert "add-a-cart is in the backlog; turn samoloop up on" in said and "ready" in said
    notice(page, post(page, "/new", task="Pay", project=str(root), act="add", after="add-a-cart", provider="demo"))
    assert "after: [" in path_of(root, "pay").read_text()
    text = seen(page.get("/backlog").text)
    assert text.index("ready") < text.index("add-a-cart") < text.index("after") < text.index("pay")
    order = {"source": "/backlog", "root": str(root)}
    assert "is held" in notice(page, post(page, "/backlog", name="add-a-cart", act="hold", **order))
    assert "held by you" in seen(page.get("/backlog").text)
    assert "not held any more" in notice(page, post(page, "/backlog", name="add-a-cart", act="let_go", **order))
    assert "comes first" in notice(page, post(page, "/backlog", name="pay", act="first", **order))
    refused = post(page, "/backlog", name="add-a-cart", act="drop", **order)
    assert refused.status_code == 409 and "pay waits for add-a-cart" in seen(refused.text)
    assert "was dropped" in notice(page, post(page, "/backlog", name="pay", act="drop", **order))
    assert not path_of(root, "pay").exists()


def test_a_file_that_cannot_be_used_says_why(root: Path) -> None:
    path_of(root, "x").parent.mkdir(parents=True)
    path_of(root, "x").write_text("---\npriority: <b>high</b>\n---\nDo it.\n")
    text = seen(person().get("/backlog").text)
    assert "wrong" in text and "x.md:2" in text


def test_a_backlog_that_cannot_be_looked_at_is_not_called_empty(root: Path) -> None:
    page = person()
    shutil.rmtree(root)
    text = seen(page.get("/backlog").text)
    assert f"{root} is gone" in text and "empty" not in text and "Nothing waits" not in text


@pytest.mark.slow
def test_a_task_of_the_backlog_runs_when_up_is_turned_on_and_up_ends_when_turned_off(root: Path) -> None:
    page = person()
    post(page, "/new", task="Add a cart", project=str(root), act="add")
    assert "samoloop up is on" in notice(page, post(page, "/up", "/backlog", act="on", jobs="1"))
    pid = background.process(os.environ)
    assert pid and "samoloop up on" in seen(page.get("/backlog").text)
    assert post(page, "/up", "/backlog", act="on").status_code == 409
    try:
        [session] = until(lambda: all_sessions(root / "_sessions"))
        until(lambda: Session(session.dir).state().condition is Condition.WAITING)
        assert "waits" in seen(page.get("/backlog").text)
    finally:
        said = notice(page, post(page, "/up", "/backlog", act="off"))
    assert "samoloop up is off" in said and background.process(os.environ) is None
    until(lambda: not Path(f"/proc/{pid}").exists())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # its worker outlives who started it
def test_a_task_started_on_the_page_asks_its_question_there(root: Path) -> None:
    page = person()
    answer = post(page, "/new", task="Add a cart", project=str(root), act="start")
    assert answer.status_code == 303
    text = until(lambda: "Which way?" in (text := page.get("/").text) and text)
    assert "Waits for you" in seen(text) and "pick.Q1" in text
    [session] = all_sessions(root / "_sessions")
    stop(session, now=True)
    until(lambda: not at_work(session))
