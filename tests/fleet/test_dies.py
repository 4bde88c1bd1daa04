"""What happens when something dies or is cut off: each row of the table in docs/fleet.md."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from at_work import Host, fleet_row, hosts, waits
from kit import until
from test_machine import CHILD, ledger

from samoloop.base.proc import command
from samoloop.fleet.postgres import Postgres

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]  # whole commands

AT_GATE = [("1", "investigation"), ("2", "requirements")]


def children(folder: Path) -> list[tuple[str, ...]]:
    return [line[:2] for line in ledger(folder)]


def worker_processes(host: Host) -> list[int]:
    """The processes of iterations, which `fleet work` started."""
    found = []
    for pid in host.processes():
        found += [pid] if "--once" in command(pid) else []  # it may be gone meanwhile
    return found


def at_child(folder: Path, ann: Host) -> None:
    """A session whose first child is at work on ann."""
    (folder / "hold").touch()
    ann.start()
    ann.say("run", "Add a feature", "--session", "x", "--fleet")
    until(lambda: len(ledger(folder)) == 1)


def test_a_machine_that_is_cut_off_gives_up_its_turn_and_its_work_is_kept_aside(tmp_path: Path, url: str) -> None:
    with hosts(tmp_path, url, CHILD, "ann", "ben") as (ann, ben):
        at_child(tmp_path, ann)
        ben.start()
        for pid in ann.processes():
            with suppress(ProcessLookupError):  # a git of a moment
                os.kill(pid, signal.SIGSTOP)
        (tmp_path / "hold").unlink()
        until(lambda: waits(ben, "x"))
        for pid in ann.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        until(lambda: "its turn here is over" in ann.said())
        until(lambda: "kept: git show refs/samoloop/aside" in ann.said())
        until(lambda: any(record["event"] == "gate_shown" for record in ann.records("x")))
        assert [host for _, _, host in ledger(tmp_path)] == ["ann", "ben", "ben"]
        for host in (ann, ben):
            ended = [record["iteration"] for record in host.records("x") if record["event"] == "ended"]
            assert ended == [1, 2]
        assert ann.git("for-each-ref", "refs/samoloop/aside") and not ben.git("for-each-ref", "refs/samoloop/aside")


def test_a_remote_that_is_away_is_waited_for_and_nothing_is_done_twice(tmp_path: Path, url: str) -> None:
    with hosts(tmp_path, url, CHILD, "ann") as (ann,):
        at_child(tmp_path, ann)
        (tmp_path / "remote.git").rename(tmp_path / "away.git")
        (tmp_path / "hold").unlink()
        until(lambda: any(record["event"] == "ended" for record in ann.records("x")))
        until(lambda: "x: the remote does not answer" in ann.said())
        assert fleet_row(ann, "x")["at_work"]
        (tmp_path / "away.git").rename(tmp_path / "remote.git")
        until(lambda: waits(ann, "x"))
        assert children(tmp_path) == AT_GATE


def test_a_database_that_is_started_again_costs_nothing_but_time(tmp_path: Path) -> None:
    with Postgres() as server, hosts(tmp_path, server.url, CHILD, "ann", lease_seconds=10) as (ann,):
        at_child(tmp_path, ann)
        server.kill()
        (tmp_path / "hold").unlink()
        until(lambda: any(record["event"] == "ended" for record in ann.records("x")))
        server.start()
        until(lambda: waits(ann, "x"))
        assert children(tmp_path) == AT_GATE


def test_a_child_outlives_the_process_of_its_iteration_and_is_waited_for(tmp_path: Path, url: str) -> None:
    with hosts(tmp_path, url, CHILD, "ann") as (ann,):
        at_child(tmp_path, ann)
        holder = next(pid for pid in worker_processes(ann) if holds_a_session(pid))
        os.kill(holder, signal.SIGKILL)
        until(lambda: any(record["event"] == "adopted" for record in ann.records("x")))
        (tmp_path / "hold").unlink()
        until(lambda: waits(ann, "x"))
        assert children(tmp_path) == AT_GATE


def holds_a_session(pid: int) -> bool:
    links = (os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir())  # noqa: PTH115
    return any(Path(link).name == "_lock" for link in links)


def test_a_worker_that_is_started_again_finds_its_iteration_and_waits_for_it(tmp_path: Path, url: str) -> None:
    with hosts(tmp_path, url, CHILD, "ann") as (ann,):
        at_child(tmp_path, ann)
        assert ann.worker
        ann.worker.kill()
        ann.worker.wait()
        ann.start()
        (tmp_path / "hold").unlink()
        until(lambda: waits(ann, "x"))
        assert children(tmp_path) == AT_GATE


def test_a_second_request_ends_the_children_and_another_machine_goes_on(tmp_path: Path, url: str) -> None:
    with hosts(tmp_path, url, CHILD, "ann", "ben") as (ann, ben):
        at_child(tmp_path, ann)
        assert ann.worker
        ann.worker.send_signal(signal.SIGINT)
        until(lambda: "Finishing the running iterations" in ann.said())
        assert ann.end() == 130
        assert not ann.processes()
        (tmp_path / "hold").unlink()
        ben.start()
        until(lambda: waits(ben, "x"))
        assert [host for _, _, host in ledger(tmp_path)] == ["ann", "ben", "ben"]
        assert "was not heard of" not in ben.said()


def test_a_copy_that_something_is_in_the_way_of_is_brought_when_that_is_gone(tmp_path: Path, url: str) -> None:
    """The session waits at a gate, so nobody tells of it a second time."""
    with hosts(tmp_path, url, CHILD, "ann", "ben") as (ann, ben):
        ann.start()
        ann.say("run", "Add a feature", "--session", "x", "--fleet")
        until(lambda: waits(ann, "x"))
        name = ann.sessions()[0].name
        (ben.root / "_sessions" / name).mkdir(parents=True)
        ben.start("--providers", "demo")
        until(lambda: f"{name} is in the way" in ben.said())
        assert not ben.records("x")
        (ben.root / "_sessions" / name).rmdir()
        until(lambda: ben.records("x"))
