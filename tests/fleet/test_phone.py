"""The fleet's phone: what any machine's sessions announce is told once, on one phone, and answered there."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from at_work import Host, fleet_row, hosts, waits
from bot_api import Standin
from kit import make_repo, until
from person import Person
from phone import ANN, own_home, own_section
from session_work import Work
from test_machine import CHILD, ledger

from samoloop.config import projects
from samoloop.core.decision import Condition
from samoloop.core.state import State
from samoloop.core.words import News
from samoloop.fleet.database import Database
from samoloop.fleet.phone import FRESH_SECONDS, Told, to_tell
from samoloop.queue import reminders
from samoloop.queue.reminders import Reminders
from samoloop.worker import outbox
from samoloop.worker.lease import locked
from samoloop.worker.outbox import Announcement

NOW = 1_000_000.0


def said(name: str, kind: News = News.DONE, ago: float = 0.0, **more: Any) -> Told:
    return Told(name, Announcement(kind, "x", at=NOW - ago, **more))


BLOCKED = State(condition=Condition.BLOCKED, overview_hash="")
OLD = FRESH_SECONDS + 1


@pytest.mark.parametrize(
    ("found", "told", "here", "state", "give", "over"),
    [
        ([said("ann-1"), said("ben-1")], (), (), State(), ["ann-1", "ben-1"], []),
        ([said("ann-1"), said("ben-1")], ("ann-1",), ("ann-1",), State(), ["ben-1"], []),
        ([said("ann-1"), said("ben-1")], ("ann-1",), (), State(), ["ben-1"], []),  # another phone told the first
        ([said("ann-1")], (), ("ann-1",), State(), [], []),  # it is on its way here
        ([said("ann-1", ago=OLD)], (), (), State(), [], ["ann-1"]),  # from before there was any phone
        ([said("ann-1", ago=OLD)], ("ann-0",), (), State(), ["ann-1"], []),  # the phone was away for so long
        ([said("ann-1", News.BLOCKED, ago=OLD)], (), (), BLOCKED, ["ann-1"], []),  # but it still waits
        ([said("ann-1", News.BLOCKED)], ("ann-1",), (), BLOCKED, ["ann-1 again"], []),  # with what another phone told
        ([said("ann-1", News.BLOCKED)], ("ann-1",), ("ann-1",), BLOCKED, [], []),  # this phone told it
        ([said("ann-1", News.BLOCKED, reminder=1)], (), (), BLOCKED, [], []),  # a phone reminds by itself
    ],
)
def test_what_the_phone_here_is_given(
    found: list[Told], told: tuple[str, ...], here: tuple[str, ...], state: State, give: list[str], over: list[str]
) -> None:
    tell = to_tell(found, told, here, state, NOW)
    assert [f"{one.source}{' again' if one.again else ''}" for one in tell.give] == give
    assert list(tell.over) == over


@pytest.fixture
def standin() -> Iterator[Standin]:
    with Standin() as standin:
        yield standin


def with_phone(host: Host, standin: Standin) -> None:
    host.settings["telegram"] = own_section(standin.base_url)
    host.settle()


def sent(standin: Standin, containing: str) -> int:
    """How many messages were sent that said so, whatever became of them."""
    return sum(containing in str(call.get("text")) for call in standin.called("sendMessage"))


@pytest.mark.slow  # whole commands
def test_a_gate_is_shown_once_on_the_phone_of_another_machine_and_answered_there(
    tmp_path: Path, url: str, standin: Standin
) -> None:
    chat = standin.chat(ANN)
    person = Person(standin, ANN, "Ann", chat)
    with hosts(tmp_path, url, CHILD, "ann", "ben") as (ann, ben):
        with_phone(ben, standin)
        ben.start("--providers", "demo")
        until(lambda: "is the fleet's phone now" in ben.said())
        ann.start()
        ann.say("run", "Add a feature", "--session", "x", "--fleet")
        message = standin.wait_message(ANN, "Which way?")
        assert waits(ann, "x")
        person.tap(message, "A")
        plan = standin.wait_message(ANN, "the plan is ready")
        person.tap(plan, "✅ Approve")
        standin.wait_message(ANN, "· done in")
        assert {host for _, _, host in ledger(tmp_path)} == {"ann"}
        for what in ("Which way?", "the plan is ready", "· done in"):
            assert sent(standin, what) == 1, what
        until(lambda: [ann.status("x")["condition"], ben.status("x")["condition"]] == ["done", "done"])


@pytest.mark.slow  # whole commands
def test_another_phone_takes_over_when_the_machine_of_the_first_dies(
    tmp_path: Path, url: str, standin: Standin
) -> None:
    chat = standin.chat(ANN)
    person = Person(standin, ANN, "Ann", chat)
    with hosts(tmp_path, url, CHILD, "ann", "ben", "cid") as (ann, ben, cid):
        for host in (ann, ben):  # the same bot
            with_phone(host, standin)
        ann.start("--providers", "demo")
        until(lambda: "is the fleet's phone now" in ann.said())
        ben.start("--providers", "demo")
        until(lambda: "ann is the fleet's phone: this machine's is silent" in ben.said())
        cid.start()
        cid.say("run", "Add a feature", "--session", "x", "--fleet")
        standin.wait_message(ANN, "Which way?")
        assert sent(standin, "Which way?") == 1
        with Database(url, "test") as database:
            until(lambda: len(database.sessions()[0].told) == 2)  # that it began, and its question
        ann.kill()
        cid.say("run", "Another", "--session", "y", "--fleet")  # announced while no phone is there
        again = standin.wait_message(ANN, "Shown here again")
        assert "Which way?" in again["shown"]
        until(lambda: waits(cid, "y"))
        until(lambda: sent(standin, "Which way?") == 3)
        person.tap(again, "A")
        standin.wait_message(ANN, "the plan is ready")
        assert sent(standin, "Shown here again") == 1
        assert not standin.messages(ANN, "another program polls this bot")


@pytest.mark.slow  # whole commands
def test_a_session_at_work_on_another_machine_is_stopped_and_resumed_from_the_phone(
    tmp_path: Path, url: str, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = standin.chat(ANN)
    person = Person(standin, ANN, "Ann", chat)
    monkeypatch.setenv("SAMOLOOP_FLEET_DATABASE", url)
    with hosts(tmp_path, url, CHILD, "ann", "ben") as (ann, ben):
        ben.url = ""  # the relay knows it by the environment, too
        with_phone(ben, standin)
        ben.start("--providers", "demo")
        until(lambda: "is the fleet's phone now" in ben.said())
        (tmp_path / "hold").touch()
        ann.start()
        ann.say("run", "Add a feature", "--session", "x", "--fleet")
        standin.wait_message(ANN, "Add a feature")
        until(lambda: len(ledger(tmp_path)) == 1)
        person.say("/status")
        until(lambda: sent(standin, "iteration 0") == 2)
        assert not sent(standin, "No worker runs")
        person.say("/resume x")
        standin.wait_message(ANN, "x has a worker already")
        person.say("/tell x Use sqlite.")
        standin.wait_message(ANN, "Told x")
        person.say("/stop")
        standin.wait_message(ANN, "Asked ann to stop")
        (tmp_path / "hold").unlink()
        until(lambda: fleet_row(ann, "x")["condition"] == "stopped")
        assert ledger(tmp_path) == [("1", "investigation", "ann")]
        until(lambda: ben.status("x")["condition"] == "stopped")
        person.say("/resume x")
        standin.wait_message(ANN, "Which way?")
        assert {host for _, _, host in ledger(tmp_path)} == {"ann"}
        assert not sent(standin, "could not go on")


def asks_and_waits(folder: Path, monkeypatch: pytest.MonkeyPatch, remind: str) -> tuple[Work, dict[str, str]]:
    """A session that waits for a person with no worker there, who is reminded so often."""
    environ = {**own_home(folder), "XDG_CONFIG_HOME": str(folder / "config")}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    work = Work(make_repo(folder / "project"))
    projects.register(work.root, environ)
    work.ask()
    work.die()
    (folder / "config" / "samoloop").mkdir(parents=True)
    (folder / "config" / "samoloop" / "config.yaml").write_text(f'announce: {{command: ["true"], remind: {remind}}}')
    return work, environ


@pytest.mark.parametrize("source", ["", "ann-000001.json"])
def test_a_machine_reminds_its_own_person_of_what_was_announced_there_and_not_of_what_was_passed_on(
    tmp_path: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, environ = asks_and_waits(tmp_path, monkeypatch, "1s")
    before = outbox.last(work.dir)
    assert before is not None
    outbox.pass_on(work.dir, replace(before, source=source, at=1.0), "command")
    Reminders(environ).look(time.time())
    after = outbox.last(work.dir)
    assert after is not None
    assert after.reminder == (0 if source else 1)


def test_a_session_whose_reminder_is_not_due_is_not_held_for_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To hold one that machines share asks the database and the remote."""
    work, environ = asks_and_waits(tmp_path, monkeypatch, "1h")
    held: list[str] = []
    monkeypatch.setattr(reminders, "locked", lambda session: held.append(session.name) or locked(session))
    last = outbox.last(work.dir)
    assert last is not None
    Reminders(environ).look(last.at + 3500)
    assert held == []
    Reminders(environ).look(last.at + 3700)
    assert held == [work.dir.name]
    Reminders(environ, fleets_alone=True).look(last.at + 30_000)
    assert held == [work.dir.name]
