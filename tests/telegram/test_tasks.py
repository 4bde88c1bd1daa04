"""The backlog and what is proposed to be learned, on the phone."""

from pathlib import Path

import pytest
from kit import make_repo
from phone import ANN, Phone
from session_work import Work

from samoloop.config import projects
from samoloop.config.project import BACKLOG, LEARNED
from samoloop.core.decision import Condition
from samoloop.core.records import Halted, RoomRecord
from samoloop.core.words import News
from samoloop.ui.telegram.tasks import wanted

FOUND = [
    {"line": "Use <make fast> & no docker", "evidence": "`make test`: no daemon"},
    {"line": "Dates are UTC", "evidence": "api.py:12"},
]


@pytest.mark.parametrize(
    ("rest", "after", "task"),
    [
        ("An API on top", (), "An API on top"),
        ("after store: An API on top", ("store",), "An API on top"),
        ("After store , users:  An API\non top", ("store", "users"), "An API\non top"),
        ("after that: it rains", ("that",), "it rains"),
        ("look after the cache", (), "look after the cache"),
        ("after: x", (), "after: x"),
    ],
)
def test_the_words_of_add_name_what_comes_first(rest: str, after: tuple[str, ...], task: str) -> None:
    assert wanted(rest) == (after, task)


@pytest.fixture
def root(phone: Phone) -> Path:
    root = make_repo(phone.tmp_path / "shop")
    projects.register(root, phone.environ)
    return root


def test_a_task_is_added_once_and_listed(phone: Phone, root: Path) -> None:
    with phone.relay():
        phone.ann.say("/backlog")
        phone.bot("The backlog is empty")
        phone.ann.say("/add Build the <store>")
        phone.bot("build-the-store is in the backlog of shop")
        phone.ann.say("/add Build the <store>")
        phone.standin.wait(lambda: len(phone.standin.messages(ANN, "build-the-store is in the backlog")) == 2)
        phone.ann.say("/add shop after build-the-store: An API")
        phone.bot("an-api is in the backlog")
        phone.ann.say("/add after nothing: x")
        phone.bot("Nothing was added: ")
        phone.ann.say("/add")
        phone.bot("Add what?")
        phone.ann.say("/backlog")
        shown = phone.bot("🗂 shop")["shown"]
    assert "• build-the-store: ready, Build the <store>\n• an-api: after, build-the-store" in shown
    assert sorted(path.name for path in (root / BACKLOG).iterdir()) == ["an-api.md", "build-the-store.md"]


def finish(work: Work) -> None:
    work.session.record(RoomRecord(name="learned.proposed", values={"lines": FOUND}))
    work.session.record(Halted(condition=Condition.DONE, reason=""))


def test_what_a_session_proposes_is_taken_by_a_tap(phone: Phone) -> None:
    work = phone.work()
    finish(work)
    work.announce(News.DONE, text="all good")
    with phone.relay():
        shown = phone.bot("what every session here might be told")
        assert "1. Use <make fast> & no docker\n`make test`: no daemon" in shown["shown"]
        assert not (work.root / LEARNED).exists()
        phone.ann.tap(shown, "Take 2")
        phone.standin.wait(lambda: "2. ✓ Dates are UTC" in phone.shown(shown))
        assert (work.root / LEARNED).read_text() == "# Learned\n\n- Dates are UTC (api.py:12; jwt-auth)\n"
        phone.ann.say("/learn jwt-auth 1")
        phone.bot("Taken into")
    assert (work.root / LEARNED).read_text().count("\n- ") == 2


def test_a_button_under_other_proposals_takes_nothing(phone: Phone) -> None:
    work = phone.work()
    finish(work)
    with phone.relay():
        phone.ann.say("/learn")
        shown = phone.bot("what every session here might be told")
        work.session.record(RoomRecord(name="learned.proposed", values={"lines": FOUND[::-1]}))
        phone.ann.tap(shown, "Take 1")
        phone.standin.wait(lambda: phone.standin.toasts)
    assert not (work.root / LEARNED).exists()
