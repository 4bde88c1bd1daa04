"""Tasks of a backlog that say `fleet: true`: handed over once, whatever dies, and seen to their end by their copies."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
import yaml
from at_work import Host, hosts
from kit import GOOD_CHILD, until
from machines import REMOTE, Machine, make_fleet
from test_backlog_start import killed_at
from test_machine import CHORE, LEDGER, ledger

from samoloop.api import backlog, backlog_start
from samoloop.base.errors import UsageError
from samoloop.base.locks import Lock
from samoloop.config import projects, task_files
from samoloop.core.backlog import Standing
from samoloop.core.control import LOCK, is_fleets
from samoloop.core.records import Noted
from samoloop.core.session import Session, all_sessions, task_of
from samoloop.fleet import copies, extra, moving, transport
from samoloop.fleet import here as this_machine
from samoloop.fleet import mark as marks
from samoloop.fleet.database import Database
from samoloop.fleet.handing import Handing
from samoloop.fleet.lease import FleetLease
from samoloop.fleet.mark import Mark
from samoloop.fleet.parcel import Kind
from samoloop.queue.source import Projects
from samoloop.ui.cli import always
from samoloop.ui.terminal.backlog_tree import reason

LATER = 1000.0  # seconds: whatever was left alone for a while is tried again


@contextmanager
def up_on(host: Host) -> Iterator[Callable[[], str]]:
    """`samoloop up` on a machine; what it has said."""
    with host.running("up") as (up, said):
        yield said.read_text
        up.send_signal(signal.SIGINT)
        assert up.wait(60) == 130


class Up:
    """What `up` sees and does on a machine, a look at a time."""

    def __init__(self, machine: Machine, url: str) -> None:
        self.machine, self.url, self.said = machine, url, list[str]()
        path = machine.home / ".config" / "samoloop" / "config.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump({"fleet": {"machine": machine.name, "database": url}}))
        (machine.root / ".samoloop.yaml").write_text(json.dumps(machine.said))
        self.begin()

    def begin(self) -> None:
        """As at its start, which knows nothing."""
        with self.here():
            projects.register(self.machine.root, os.environ)
            self.source = Projects(os.environ, self.said.append, fleet=lambda: Handing(dict(os.environ), "ann (up)"))

    @contextmanager
    def here(self) -> Iterator[None]:
        with self.machine.at_work():
            yield

    def add(self, name: str, **keys: object) -> None:
        with self.here():
            content = task_files.written(f"Build {name}", {"fleet": True, **keys})
            backlog.add(self.machine.root, content, os.environ, time.time(), name=name)
            os.utime(task_files.path_of(self.machine.root, name), (1, 1))

    def look(self, after: float = 0.0) -> list[str]:
        """The names of what is due here, once nothing is on its way to the fleet."""
        with self.here():
            due = self.source.due(time.time() + after)
            until(lambda: self.source.handing and not self.source.handing.is_busy)
            return [one.name for one in due]

    def stands(self, name: str) -> backlog.Stands:
        with self.here():
            return backlog.look(self.machine.root, os.environ, time.time()).named(name)

    def sessions(self) -> list[Session]:
        with self.here():
            return all_sessions(self.machine.root / "_sessions")

    def of_task(self, name: str) -> list[Session]:
        with self.here():
            return [one for one in self.sessions() if (link := task_of(one)) and link.task == name]

    def on_remote(self) -> list[str]:
        with self.here():
            return sorted(transport.listed(self.machine.repo, REMOTE))


@pytest.fixture
def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Machine]:
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return make_fleet(tmp_path, GOOD_CHILD)


@pytest.fixture
def ann(machines: list[Machine], url: str, database: Database) -> Up:
    return Up(machines[0], url)


@pytest.fixture
def ben(machines: list[Machine], url: str, database: Database) -> Up:
    return Up(machines[1], url)


def test_a_task_for_the_fleet_is_handed_over_with_its_tags_and_nothing_of_it_is_due_here(
    ann: Up, database: Database
) -> None:
    ann.add("auth", needs=["gpu"])
    ann.add("own", fleet=False)
    assert ann.stands("auth").standing is Standing.READY
    assert ann.look() == ["own"]
    [row] = database.sessions()
    assert (row.name, row.tags, row.condition) == (ann.on_remote()[0], ("gpu",), "new")
    assert row.due_in is not None
    assert any("is the fleet's now" in said for said in ann.said)
    assert ann.look() == ["own"]
    assert ann.stands("auth").standing is Standing.RUNS
    assert len(database.sessions()) == len(ann.on_remote()) == 1


def test_what_is_handed_over_goes_by_priority_and_then_by_age(ann: Up, database: Database) -> None:
    ann.add("first")
    ann.add("second")
    ann.add("urgent", priority=5)
    ann.look()
    given = [said for said in ann.said if "is the fleet's now" in said]
    assert [said.split(" ")[0].rpartition("-")[2] for said in given] == ["urgent", "first", "second"]


def a_machine_looks_at_the_remote(up: Up, database: Database) -> None:
    """As `fleet work` does from time to time, for what the database was never told."""
    with up.here():
        this = this_machine.here(os.environ)
        project = this_machine.project_at(up.machine.root, this, os.environ, joins=False)
        for name in copies.untold(project, database.sessions()):
            copies.tell(project, name, this, os.environ, database)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_up_that_is_killed_at_any_effect_of_a_hand_over_hands_over_once_when_it_is_on_again(
    ann: Up, database: Database
) -> None:
    number, over = 1, False
    while not over:
        name = f"t{number}"
        ann.add(name)
        over = killed_at(number, ann.look)
        ann.begin()
        assert ann.look(LATER) == []
        a_machine_looks_at_the_remote(ann, database)
        [session] = ann.of_task(name)
        assert ann.on_remote().count(session.name) == 1
        assert [row.name for row in database.sessions()].count(session.name) == 1
        assert ann.stands(name).standing is Standing.RUNS and not ann.stands(name).why
        number += 1
    assert number > 10


@pytest.mark.slow
def test_a_hand_over_that_was_cut_off_is_finished_by_a_persons_command_too(ann: Up, database: Database) -> None:
    ann.add("auth", needs=["gpu"])
    remote = ann.machine.root.parents[2] / "remote.git"
    with ann.here():
        found = backlog.look(ann.machine.root, os.environ, time.time())
        mark = marks.text(Mark(transport.project_id(ann.machine.repo, REMOTE), REMOTE, "one", needs="gpu"))
        session, _ = backlog_start.start(found, found.named("auth"), os.environ, mark)
        assert remote.exists() and ann.on_remote() == []
        with FleetLease(os.environ, "ann").taken(session):
            session.record(Noted(text="seen"))
    assert ann.on_remote() == [session.name]
    [row] = database.sessions()
    assert row.tags == ("gpu",) and row.due_in is not None
    assert ann.look() == [] and len(database.sessions()) == 1


def test_a_fleet_that_is_not_set_up_is_a_sentence_on_the_task_and_others_go_on(
    ann: Up, url: str, database: Database
) -> None:
    settings = ann.machine.home / ".config" / "samoloop" / "config.yaml"
    known = settings.read_text()
    settings.write_text("")
    ann.add("auth")
    ann.add("own", fleet=False)
    assert ann.look() == ["own"]
    [said] = [one for one in ann.said if "auth" in one]
    assert said.startswith("auth is not handed to the fleet yet, and tried again: no database of a fleet is named")
    assert ann.of_task("auth") == []
    settings.write_text(known)
    assert ann.look() == ["own"]
    assert database.sessions() == []  # in a while
    assert ann.look(LATER) == ["own"]
    assert [row.name for row in database.sessions()] == [ann.of_task("auth")[0].name]


def test_a_database_or_a_remote_that_is_away_is_a_sentence_and_tried_again(ann: Up, database: Database) -> None:
    remote = ann.machine.root.parents[2] / "remote.git"
    ann.add("auth")
    remote.rename(remote.with_name("away"))
    assert ann.look() == []
    assert "auth is not handed to the fleet yet, and tried again: origin cannot be reached" in ann.said[-1]
    remote.with_name("away").rename(remote)
    settings = ann.machine.home / ".config" / "samoloop" / "config.yaml"
    known = settings.read_text()
    settings.write_text(yaml.safe_dump({"fleet": {"database": "postgresql://nobody@127.0.0.1:1/none"}}))
    assert ann.look(LATER) == []
    assert "cannot be reached" in ann.said[-1] and "127.0.0.1:1" in ann.said[-1]
    assert ann.of_task("auth") == [] and ann.on_remote() == []
    settings.write_text(known)
    assert ann.look(2 * LATER) == []
    assert len(ann.on_remote()) == len(database.sessions()) == 1


def test_a_remote_that_goes_away_in_the_middle_leaves_a_session_that_nobody_works_on_here(
    ann: Up, database: Database
) -> None:
    hook = ann.machine.root.parents[2] / "remote.git" / "hooks" / "pre-receive"
    ann.add("auth")
    with ann.here():
        transport.project_id(ann.machine.repo, REMOTE)
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho closed for today >&2; exit 1\n")
    hook.chmod(0o755)
    assert ann.look() == ann.look() == []
    assert "closed for today" in ann.said[-1]
    assert ann.stands("auth").why == "not handed to the fleet yet"
    assert is_fleets_here(ann, "auth") and ann.on_remote() == []
    hook.unlink()
    assert ann.look(LATER) == []
    assert ann.on_remote() == [ann.of_task("auth")[0].name]
    assert not ann.stands("auth").why


def is_fleets_here(up: Up, name: str) -> bool:
    with up.here():
        return is_fleets(up.of_task(name)[0].dir)


def test_a_session_that_was_taken_home_is_gone_on_with_here_and_not_handed_over_again(
    ann: Up, database: Database
) -> None:
    ann.add("auth")
    ann.look()
    with ann.here():
        [session] = ann.of_task("auth")
        this = this_machine.here(os.environ)
        moving.move(session, home=True, machine="", this=this, database=database, environ=os.environ, by="ann")
    assert ann.look(LATER) == [session.name]
    assert database.sessions() == []


def test_without_the_packages_of_a_fleet_its_tasks_wait_and_the_others_go_on(
    ann: Up, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extra, "_PACKAGES", ("no_such_package",))
    ann.add("auth")
    ann.add("own", fleet=False)
    with ann.here():
        ann.source = Projects(os.environ, ann.said.append, fleet=lambda: always._fleet(os.environ))
    assert ann.look() == ["own"]
    assert "auth is not handed to the fleet yet, and tried again: a fleet needs more packages" in ann.said[-1]


def test_two_machines_with_one_backlog_have_one_session_of_a_task(ann: Up, ben: Up, database: Database) -> None:
    for up in (ann, ben):
        up.add("auth")
    ann.look()
    assert ben.look() == ben.look(LATER) == []
    assert [one.name for one in ben.of_task("auth")] == ann.on_remote() == [one.name for one in ann.of_task("auth")]
    assert len(database.sessions()) == 1


def test_of_two_machines_that_hand_over_one_task_at_once_the_first_counts(ann: Up, ben: Up, database: Database) -> None:
    for up in (ann, ben):
        up.add("auth")
    theirs = Handing.renew

    def first(handing: Handing, root: Path) -> list[str]:
        found = theirs(handing, root)
        if root == ben.machine.root and not ann.of_task("auth"):
            ann.look()
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Handing, "renew", first)
        ben.look()
    assert ben.look(LATER) == []
    assert [one.name for one in ben.of_task("auth")] == ann.on_remote() == [one.name for one in ann.of_task("auth")]
    with ben.here():
        [copy] = ben.of_task("auth")
        assert marks.read(copy.dir).paths == "one"
    assert len(database.sessions()) == 1


def test_a_task_after_one_of_the_fleet_starts_on_its_branch_when_its_copy_is_done(
    ann: Up, ben: Up, database: Database
) -> None:
    ann.add("auth")
    ann.add("login", fleet=False, after=["auth"])
    assert ann.look() == []
    assert ann.stands("login").standing is Standing.AFTER
    [name] = ann.on_remote()
    session, _ = ben.machine.place(name)
    ben.machine.iterate(session, yes=True)
    while session.state().condition.value != "done" or not session.state().rests:
        ben.machine.iterate(session, yes=True)
    ben.machine.send(session, Kind.ITERATION)
    assert ann.look() == [] and ann.look(1) == []  # the next look at the remote is in a while
    ann.look(LATER)
    assert ann.stands("auth").standing is Standing.DONE
    assert ann.look(LATER) == ["login"]
    with ann.here():
        [due] = ann.source.due(time.time())
        assert due.session().state().created.base == session.state().ended.head


def test_a_session_of_the_fleet_takes_no_slot_of_up_while_this_machine_works_on_it(ann: Up, database: Database) -> None:
    ann.add("auth")
    ann.look()
    ann.look()
    with ann.here():
        [session] = ann.of_task("auth")
        with Lock.take(session.control / LOCK, 5.0, ""):
            assert list(ann.source.at_work()) == []


def test_a_task_that_a_fleet_cannot_have_is_refused_when_it_is_added(ann: Up, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"auth\.md:2: needs is what a machine of the fleet must have: add"):
        ann.add("auth", fleet=False, needs="gpu")
    plain = tmp_path / "plain"
    plain.mkdir()
    with ann.here(), pytest.raises(UsageError, match="is in no git repository, and a session of the fleet needs"):
        backlog.add(plain, task_files.written("Build it", {"fleet": True}), os.environ, time.time(), name="it")


def test_the_list_says_what_is_for_the_fleet_and_where_it_is(ann: Up, database: Database) -> None:
    ann.add("auth", needs="gpu, big-disk")
    ann.add("login", after=["auth"])

    def rows() -> dict[str, dict]:
        with ann.here():
            found = backlog.look(ann.machine.root, os.environ, time.time())
            return {one.name: backlog.row(found, one) for one in found.stands}

    now = datetime.now().astimezone()
    auth = rows()["auth"]
    assert (auth["fleet"], auth["needs"], auth["machine"]) == (True, ["gpu", "big-disk"], "")
    assert reason(auth, now) == "for the fleet, a machine with gpu, big-disk"
    ann.look()
    auth = rows()["auth"]
    assert (auth["stands"], auth["machine"]) == ("runs", "one") and reason(auth, now) == "on one, of the fleet"


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_up_hands_a_task_to_a_machine_of_the_fleet_and_starts_here_what_comes_after_it(
    tmp_path: Path, url: str
) -> None:
    with hosts(tmp_path, url, LEDGER + CHORE, "ann", "ben", settings={"workflow": "chore"}) as (ann, ben):
        ben.start()
        ann.start("--providers", "demo")  # its copies are as new as the remote
        ann.say("add", "Build auth", "--name", "auth", "--fleet")
        ann.say("add", "Log in", "--name", "login", "--after", "auth")
        assert "for the fleet" in ann.say("backlog")
        with up_on(ann) as said:
            until(lambda: any(line[2] == "ann" for line in ledger(tmp_path)), 120)
        machines = [line[2] for line in ledger(tmp_path)]
        assert machines[:5] == ["ben"] * 4 + ["ann"]
        assert "is the fleet's now" in said()
