"""Tasks on the page: started, put into a backlog, put in order; `samoloop up` on and off."""

import os
import re
import shutil
import threading
import time
from pathlib import Path

import pytest
import recorded
from browser import Asked, Browser, none_starts, served
from child_runs import is_running
from kit import make_repo, script, until
from test_page_overview import seen

from samoloop.api.status import at_work
from samoloop.api.stop import stop
from samoloop.config.projects import register, registered
from samoloop.config.task_files import path_of
from samoloop.core.decision import Condition
from samoloop.core.overview import TASK_FILE
from samoloop.core.records import Started
from samoloop.core.session import Session, all_sessions
from samoloop.queue import background
from samoloop.ui.web.pages import tasks
from samoloop.ui.web.site import url_of

_ASKS = """
case $SAMOLOOP_PHASE in
investigation) touch begun; while [ ! -e go-on ]; do sleep 0.02; done; next requirements;;
requirements) ask 'Which way?';;
esac
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository that is registered, whose CLI is a script that waits for a word, and then asks."""
    folder = make_repo(tmp_path / "shop")
    child = script(tmp_path, _ASKS)
    (folder / ".samoloop.yaml").write_text(f"provider: own\nproviders: {{own: {{command: ['{child}']}}}}\n")
    register(folder, os.environ)
    return folder


@pytest.fixture
def detached(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """The sessions for which a worker was started; none is."""
    return none_starts(monkeypatch, tasks)


@pytest.fixture
def ann(root: Path) -> Browser:
    return Browser(os.environ, "Ann")


def test_a_task_is_started_as_from_the_command_line(ann: Browser, root: Path, detached: Asked) -> None:
    typed = {"task": "Add a cart", "workflow": "chore", "finish": "push", "max_cost": "5", "max_time": "2h"}
    answer = ann.press("/new", "Start", **typed, max_iterations="7", name="cart")
    [session] = all_sessions(root / "_sessions")
    assert answer.headers["location"] == url_of(session) and [one.dir for one, _ in detached] == [session.dir]
    created = session.state().created
    assert (created.title, session.undated, session.state().live_workflow.name) == ("Add a cart", "cart", "chore")
    assert created.settings["ceilings"] == {"cost": 5.0, "iterations": 7, "wall": "2h"}
    assert created.settings["finish"] == "push"


def test_a_form_that_is_sent_twice_starts_one_session(ann: Browser, root: Path, detached: Asked) -> None:
    form = ann.form("/new", "/new")
    answers = [ann.press_in(form, "Start", task="Add it") for _ in range(2)]
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert len(all_sessions(root / "_sessions")) == len(detached) == 1
    ann.press("/new", "Start", task="Add it")  # another form
    assert len(all_sessions(root / "_sessions")) == len(detached) == 2


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
    ann: Browser, root: Path, detached: Asked, fields: dict[str, str], said: str
) -> None:
    typed = {"task": "Do <b>it</b>", "act": "start", "max_time": "2h", **fields}
    answer = ann.send(ann.form("/new", "/new"), **typed)
    assert answer.status_code == 409 and said in seen(answer.text)
    kept = ann.form_in(answer.text, "/new").fields
    assert (kept["max_time"], kept["task"]) == ("2h", typed["task"])
    assert not detached and not all_sessions(root / "_sessions")


def test_another_repository_is_registered_by_its_first_task(tmp_path: Path, detached: Asked) -> None:
    folder = make_repo(tmp_path / "new-one")
    ann = Browser(os.environ)
    assert "The project's folder" in seen(ann.open("/new"))
    ann.press("/new", "Start", task="Add it", folder=str(folder), provider="demo")
    assert registered(os.environ) == [folder] and len(detached) == 1


def test_the_project_that_the_page_was_started_in_is_offered(root: Path, tmp_path: Path) -> None:
    here = make_repo(tmp_path / "here")
    form = Browser(os.environ, here=here).form("/new", "/new")
    assert form.fields["project"] == str(here) and set(form.choices["project"]) == {str(here), str(root)}


def test_workflows_are_explained_and_installed_clis_are_offered(ann: Browser) -> None:
    text = seen(ann.open("/new"))
    assert "demo: scripted" in text and "by your settings: own" in text
    assert re.search(r"fix \w+", text) and re.search(r"research \w+", text)


def test_a_task_goes_to_the_backlog_and_is_put_in_order(ann: Browser, root: Path) -> None:
    said = ann.notice(ann.press("/new", "Add to the backlog", task="Add a cart", priority="2"))
    assert said == "add-a-cart is in the backlog; turn samoloop up on, and it starts when its turn comes"
    ann.notice(ann.press("/new", "Add to the backlog", task="Pay", after="add-a-cart", provider="demo"))
    assert "after: [" in path_of(root, "pay").read_text()
    text = seen(ann.open("/backlog"))
    assert text.index("ready") < text.index("add-a-cart") < text.index("after") < text.index("pay")
    assert "is held" in ann.notice(ann.press("/backlog", "Hold add-a-cart"))
    assert "held by you" in seen(ann.open("/backlog"))
    assert "not held any more" in ann.notice(ann.press("/backlog", "Let it go add-a-cart"))
    assert "comes first" in ann.notice(ann.press("/backlog", "First pay"))
    refused = ann.press("/backlog", "Drop add-a-cart")
    assert refused.status_code == 409 and "pay waits for add-a-cart" in seen(refused.text)
    assert "was dropped" in ann.notice(ann.press("/backlog", "Drop pay"))
    assert not path_of(root, "pay").exists() and path_of(root, "add-a-cart").exists()


@pytest.mark.parametrize(
    ("front", "stands", "offered"),
    [
        ("", "runs", ["drop"]),
        ("hold: true", "runs", ["let_go", "drop"]),
        ("every: daily", "later", ["hold", "first", "drop"]),
        ("{every: daily, hold: true}", "held", ["let_go", "drop"]),
    ],
)
def test_a_task_is_held_and_let_go_also_while_it_has_a_session(
    ann: Browser, root: Path, front: str, stands: str, offered: list[str]
) -> None:
    path_of(root, "x").parent.mkdir(parents=True)
    path_of(root, "x").write_text(f"---\n{front}\n---\nDo it.\n")
    session = recorded.make_session(root, "26-11-21-x", backlog={"task": "x", "due": time.time()})
    if "every" in front:
        recorded.start(session)
        recorded.end(session, {"kind": "done", "phase": "done", "summary": "all of it"})
        recorded._record(session, "rested")
    text = ann.open("/backlog")
    assert f'<section aria-label="{stands}">' in text
    assert re.findall(r'name="act" value="(\w+)"', text[text.index('id="live-backlog"') :]) == offered


def test_a_task_of_several_lines_has_line_feeds_alone(ann: Browser, root: Path, detached: Asked) -> None:
    ann.press("/new", "Add to the backlog", task="Add a cart\r\nwith a sum\x00", name="sum")
    assert path_of(root, "sum").read_bytes() == b"Add a cart\nwith a sum\n"
    ann.press("/new", "Start", task="Add a cart\r\nwith a sum", name="cart")
    [session] = all_sessions(root / "_sessions")
    assert (session.dir / TASK_FILE).read_bytes() == b"Add a cart\nwith a sum\n"


def test_what_a_new_task_says_is_in_its_file_as_the_command_writes_it(ann: Browser, root: Path) -> None:
    how = {"max_time": "2h", "max_cost": "5", "finish": "push", "every": "daily", "priority": "2", "workflow": "chore"}
    ann.press("/new", "Add to the backlog", task="Add a cart", at="2999-12-01 02:00", base="HEAD", **how)
    front = path_of(root, "add-a-cart").read_text().split("---")[1].strip().splitlines()
    assert set(front) == {
        'at: "2999-12-01 02:00"', 'base: "HEAD"', 'every: "daily"', "priority: 2", 'workflow: "chore"',
        'finish: "push"', 'ceilings: {"wall": "2h", "cost": 5.0}',
    }  # fmt: skip


def test_a_file_that_cannot_be_used_says_why(ann: Browser, root: Path) -> None:
    path_of(root, "x").parent.mkdir(parents=True)
    path_of(root, "x").write_text("---\npriority: <b>high</b>\n---\nDo it.\n")
    text = seen(ann.open("/backlog"))
    assert "wrong" in text and "x.md:2" in text


def test_a_backlog_that_cannot_be_looked_at_is_not_called_empty(ann: Browser, root: Path) -> None:
    shutil.rmtree(root)
    text = seen(ann.open("/backlog"))
    assert f"{root} is gone" in text and "empty" not in text and "Nothing waits" not in text


@pytest.mark.slow
def test_up_that_is_turned_on_works_on_when_the_page_is_closed_and_off_ends_it_beside_what_is_at_work(
    root: Path,
) -> None:
    with served(root) as person:
        ann = person("Ann")
        ann.press("/new", "Add to the backlog", task="Add a cart")
        assert "samoloop up is on" in ann.notice(ann.press("/backlog", "Turn it on", jobs="1"))
        again = {"token": ann.form("/backlog", "/up").fields["token"], "act": "on", "jobs": "1"}
        assert "was on already" in ann.notice(ann.post("/up", again))
    pid = background.process(os.environ)
    try:
        [session] = until(lambda: all_sessions(root / "_sessions"))
        until((session.dir / "begun").exists)
        with served(root) as person:
            ann = person("Ann")
            assert "samoloop up on" in seen(ann.open("/backlog"))
            assert "samoloop up is off" in ann.notice(ann.press("/backlog", "Turn it off"))
        assert background.process(os.environ) is None
    finally:
        background.turn_off(os.environ)
    assert at_work(session)
    (session.dir / "go-on").touch()
    until(lambda: Session(session.dir).state().condition is Condition.WAITING)
    assert pid
    until(lambda: not at_work(session) and not is_running(pid))  # which may be nobody's to take note of
    [first] = [one for one in session.journal.read() if isinstance(one, Started) and one.phase == "investigation"]
    assert first.attempt == 1


@pytest.mark.slow
def test_who_turns_up_on_twice_at_once_starts_one(monkeypatch: pytest.MonkeyPatch) -> None:
    started, said = list[object](), list[bool]()
    real = background.detached.start
    monkeypatch.setattr(background.detached, "start", lambda argv, **how: (started.append(argv), real(argv, **how)))
    clicks = [threading.Thread(target=lambda: said.append(background.turn_on(os.environ, 1))) for _ in range(2)]
    try:
        for click in clicks:
            click.start()
        for click in clicks:
            click.join()
        assert sorted(said) == [False, True] and len(started) == 1
    finally:
        background.turn_off(os.environ)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"act": "on", "jobs": "0"}, "from 1 to 100"),
        ({"act": "on", "jobs": "101"}, "from 1 to 100"),
        ({"act": "on", "jobs": ""}, "from 1 to 100"),
        ({"act": "on", "jobs": "two"}, "a whole number, please, and not 'two'"),
        ({"act": "of", "jobs": "2"}, "turned on or off, and not 'of'"),
        ({}, "turned on or off"),
    ],
)
def test_what_up_cannot_be_is_said(
    ann: Browser, monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], said: str
) -> None:
    monkeypatch.setattr(background, "turn_on", lambda environ, jobs: pytest.fail(f"turned on with {jobs}"))
    monkeypatch.setattr(background, "turn_off", lambda environ: pytest.fail("turned off"))
    answer = ann.post("/up", {"token": ann.form("/backlog", "/up").fields["token"], **fields})
    assert answer.status_code == 409 and said in seen(answer.text)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # its worker outlives who started it
def test_a_task_started_on_the_page_asks_its_question_there(ann: Browser, root: Path) -> None:
    assert ann.press("/new", "Start", task="Add a cart").status_code == 303
    [session] = all_sessions(root / "_sessions")
    (session.dir / "go-on").touch()
    text = until(lambda: "Which way?" in (text := ann.open("/")) and text)
    assert "Waits for you" in seen(text) and "pick.Q1" in text
    stop(session, now=True)
    until(lambda: not at_work(session))
