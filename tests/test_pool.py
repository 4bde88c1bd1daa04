"""`up`: many sessions, few workers, nobody there; and everything killed in the middle."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from kit import GOOD_CHILD, Bench, git, make_repo, samoloop, script, until

from samoloop.api.detach import LOG
from samoloop.base import proc
from samoloop.base.errors import UsageError
from samoloop.base.locks import Lock, holders
from samoloop.children.processes import Mark, find
from samoloop.config import projects
from samoloop.core import gates
from samoloop.core.control import LOCK
from samoloop.core.session import Session
from samoloop.core.state import Condition
from samoloop.queue import service
from samoloop.queue.due import Due
from samoloop.queue.night import Night
from samoloop.queue.pool import Pool
from samoloop.queue.source import Projects

pytestmark = pytest.mark.slow  # whole commands


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A registered project whose children keep a ledger of what they did."""
    body = 'echo "$SAMOLOOP_ITERATION $SAMOLOOP_PHASE" >> ledger\n'
    bench = Bench(make_repo(tmp_path / "repo"), script(tmp_path, body + GOOD_CHILD))
    settings = {"provider": "scripted", "providers": {"scripted": {"command": [str(bench.child)]}}}
    (bench.root / ".samoloop.yaml").write_text(json.dumps(settings))
    projects.register(bench.root, os.environ)
    return bench


def state(session: Session):
    return Session(session.dir).state()


def gate_kind(session: Session) -> str | None:
    """Of the open gate, once its file is in place and a person can answer."""
    gate = state(session).gate
    return gate.kind if gate and gate.shown else None


def test_up_brings_every_session_to_its_gate_and_never_past_it(bench):
    sessions = [bench.session(f"Task {n}") for n in range(3)]
    done = samoloop(bench.root, "up", "--once", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert [state(session).gate.kind for session in sessions] == ["qa_answers"] * 3


@pytest.mark.slow
def test_a_program_reads_what_up_does_as_one_event_a_line(bench):
    session = bench.session()
    done = samoloop(bench.root, "up", "--once", "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    of_it = [event for event in events if event["event"] != "said"]
    assert [event["event"] for event in of_it] == ["started", "ended"]
    assert of_it[0] == {"event": "started", "session": session.name, "folder": str(session.dir)}
    assert (of_it[1]["exit_code"], of_it[1]["condition"], of_it[1]["needs_you"]) == (3, "waiting", True)
    assert any("answers to Q1" in event["text"] for event in events if event["event"] == "said")


def test_up_goes_on_when_a_person_answers(bench):
    session = bench.session()
    process = subprocess.Popen([sys.executable, "-m", "samoloop", "up"], cwd=bench.root, stdout=subprocess.DEVNULL)
    try:
        until(lambda: gate_kind(session) is not None)
        gates.answer(session.dir, state(session).gate, {"Q1": "A"}, "Ann")
        until(lambda: gate_kind(session) == "plan_approval")
        assert samoloop(bench.root, "approve").returncode == 0
        until(lambda: state(session).condition is Condition.DONE)
    finally:
        process.terminate()
        assert process.wait(20) == 0


def test_up_leaves_blocked_and_stopped_sessions_to_a_human(bench):
    session = bench.session()
    samoloop(bench.root, "up", "--once")
    session = Session(session.dir)
    gates.answer(session.dir, session.state().gate, {"Q1": "A"}, "Ann")
    samoloop(bench.root, "up", "--once")
    session = Session(session.dir)
    gates.decide_plan(session.dir, session.state().gate, gates.Verdict.REJECT, "Ann")
    samoloop(bench.root, "up", "--once")
    before = session.journal.path.read_bytes()
    assert state(session).condition is Condition.STOPPED
    samoloop(bench.root, "up", "--once")
    assert session.journal.path.read_bytes() == before


def test_two_ups_do_not_run_beside_each_other(bench):
    from samoloop.base.locks import Lock
    from samoloop.base.places import state_folder

    folder = state_folder(os.environ)
    with Lock.take(folder / "up.lock", 1.0, "x"):
        done = samoloop(bench.root, "up", "--once")
    assert done.returncode == 2 and "locked by" in done.stderr


def test_a_project_that_is_gone_or_broken_is_named_and_left_alone(bench, tmp_path):
    projects.register(tmp_path / "gone", os.environ)
    broken = make_repo(tmp_path / "broken")
    (broken / ".samoloop.yaml").write_text("provder: x\n")
    projects.register(broken, os.environ)
    session = bench.session()
    done = samoloop(bench.root, "up", "--once")
    assert f"projects forget {tmp_path / 'gone'}" in done.stdout and "provder" in done.stdout
    assert state(session).gate is not None
    assert samoloop(bench.root, "projects", "forget", str(tmp_path / "gone")).returncode == 0
    assert str(tmp_path / "gone") not in samoloop(bench.root, "projects", "list").stdout


@pytest.mark.slow
def test_twenty_sessions_survive_the_death_of_every_process_of_ours(bench):
    """SIGKILL of `up` and all workers, children left alive: no iteration is lost, none is done twice."""
    slow = 'sleep 0.3; echo "$SAMOLOOP_ITERATION $SAMOLOOP_PHASE" >> ledger\n'
    script(bench.child.parent, slow + GOOD_CHILD)
    sessions = [bench.session(f"Task {n}") for n in range(20)]
    first = subprocess.Popen(
        [sys.executable, "-m", "samoloop", "up", "--jobs", "6"], cwd=bench.root, stdout=subprocess.DEVNULL
    )
    until(lambda: sum(any((session.dir / "_logs").glob("00*.pid")) for session in sessions) >= 4)
    until(lambda: sum(state(session).open is not None for session in sessions) >= 2)
    for pid in find(Mark("HOME", os.environ["HOME"]), None):
        with contextlib.suppress(OSError):  # it may end while we look
            if b"samoloop" in Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").split(b"child.sh")[0]:
                os.kill(pid, signal.SIGKILL)
    first.wait()
    assert samoloop(bench.root, "up", "--once", "--jobs", "6").returncode == 0
    for session in sessions:
        assert state(session).gate is not None, session.name
        assert (session.dir / "ledger").read_text().split() == ["1", "investigation", "2", "requirements"]


def warm_ones(up: int) -> list[int]:
    """The processes of `up` from which workers are forked."""
    below = map(int, Path(f"/proc/{up}/task/{up}/children").read_text().split())
    return [pid for pid in below if "--forks" in proc.command(pid)]


@pytest.mark.skipif(sys.platform != "linux", reason="workers are started by exec")
def test_what_workers_are_forked_from_has_loaded_all_that_they_need(bench):
    sessions = [bench.session(f"Task {n}") for n in range(2)]
    assert samoloop(bench.root, "up", "--once", env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"}).returncode == 0
    for session in sessions:
        said = (session.logs / LOG).read_text()
        assert f"session {session.name}: Task" in said and "import time:" not in said


@pytest.mark.skipif(sys.platform != "linux", reason="workers are started by exec")
def test_up_does_its_work_while_what_workers_are_forked_from_is_killed_again_and_again(bench):
    sessions = [bench.session(f"Task {n}") for n in range(4)]
    killed = 0
    command = [sys.executable, "-m", "samoloop", "up", "--once", "--jobs", "4"]
    with subprocess.Popen(command, cwd=bench.root, stdout=subprocess.DEVNULL) as up:
        while up.poll() is None:
            with contextlib.suppress(OSError):  # they end while we look
                for pid in warm_ones(up.pid):
                    time.sleep(0.15 * (killed % 4))  # while it loads, forks, waits
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
    assert up.returncode == 0 and killed > 3
    for session in sessions:
        assert state(session).gate is not None, session.name
        assert (session.dir / "ledger").read_text().split() == ["1", "investigation", "2", "requirements"]


def test_a_worker_of_up_can_be_stopped_and_is_seen_for_what_it_is(bench):
    script(bench.child.parent, "sleep 60\n")
    session = bench.session()
    up = subprocess.Popen([sys.executable, "-m", "samoloop", "up"], cwd=bench.root, stdout=subprocess.DEVNULL)
    try:
        until(lambda: any(session.logs.glob("*.pid")))
        worker = holders(session.control / LOCK)[0]  # the oldest: a git that it started holds it too
        assert proc.command(worker)[1:5] == ["-m", "samoloop", "resume", str(session.dir)]
        assert samoloop(bench.root, "stop", session.name, "--now").returncode == 0
        until(lambda: state(session).condition is Condition.STOPPED)
    finally:
        up.terminate()
        assert up.wait(20) == 0


def test_up_says_who_waits_for_what_and_how_a_worker_ended(bench):
    session = bench.session("Do it", name="auth")
    waits = f"{session.name}: waits for answers to Q1; samoloop questions {session.name}"
    first = samoloop(bench.root, "up", "--once").stdout
    assert waits in first and f"{session.name}: its worker ended with 3, waiting\n" in first  # in either order
    assert waits in samoloop(bench.root, "up", "--once").stdout


def test_what_a_session_waits_for_is_said_too_where_its_worker_ends_a_moment_later(bench):
    session = bench.session("Do it", name="auth")
    assert samoloop(bench.root, "up", "--once").returncode == 0
    said: list[str] = []
    source = Projects(os.environ, said.append)
    with Lock.take(session.control / LOCK, 5.0, ""):
        assert source.due(time.time()) == [] and said == []
    assert source.due(time.time()) == []
    assert said == [f"{session.name}: waits for answers to Q1; samoloop questions {session.name}"]


def systemctl(folder: Path, body: str) -> None:
    (folder / "systemctl").write_text(f"#!/bin/sh\n{body}\n")
    (folder / "systemctl").chmod(0o755)


def test_a_service_that_does_not_start_is_no_success(tmp_path):
    systemctl(tmp_path, "echo 'Failed to connect to bus' >&2; exit 1")
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = samoloop(tmp_path, "service", "install", env=environ)
    assert done.returncode == 2
    assert "is written, but it does not run" in done.stderr and "Failed to connect to bus" in done.stderr
    assert samoloop(tmp_path, "service", "uninstall", env=environ).returncode == 0
    assert not service.unit_path(environ).exists()


def test_the_systemd_unit_leaves_children_alone(tmp_path):
    systemctl(tmp_path, "exit 0")
    environ = {"HOME": str(tmp_path), "PATH": f"/a b:{tmp_path}"}
    lines = service.install(environ, 3, keep_awake=True)
    text = (tmp_path / ".config/systemd/user/samoloop.unattended.service").read_text()
    assert "KillMode=process" in text and '"--jobs" "3"' in text and '"PATH=/a b:' in text
    assert any("enable-linger" in line for line in lines)
    assert "Installed" in service.status(environ)[0]
    assert service.uninstall(environ)[-1].startswith("Removed")
    assert "Not installed" in service.status(environ)[0]


def test_git_is_untouched_by_sessions_that_never_left_their_gate(bench):
    bench.session()
    samoloop(bench.root, "up", "--once")
    assert git(bench.root, "status", "--porcelain") == "?? .samoloop.yaml"


class Sleeping:
    """A worker that works on until it is asked to end."""

    name = "worker"

    def __init__(self) -> None:
        self.asked = False

    def ended(self) -> int | None:
        return 0 if self.asked else None

    def ask_to_finish(self) -> None:
        self.asked = True

    ask_now = ask_to_rest = ask_to_finish


class Workshop:
    """Has work for any number of workers, starts them and stops the pool after a few looks."""

    def __init__(self, folder: Path) -> None:
        self.sessions = [Session(folder / name) for name in "abcd"]
        self.started: list[Session] = []
        self.others: list[Session] = []  # that others work on
        self.clis = dict(zip("abcd", ("claude", "claude", "codex", "claude"), strict=True))
        self.pool: Pool | None = None
        self.looks = 0
        self.now = 0.0

    def due(self, now: float) -> Iterator[Due]:
        for session in self.sessions:
            yield Due(session.dir, session.name, (0, 0, 0.0, ""), lambda one=session: one, self._asked(session))

    def _asked(self, session: Session) -> Callable[[], str]:
        return lambda: self.provider(session)

    def provider(self, session: Session) -> str:
        return self.clis[session.name]

    def at_work(self) -> list[Session]:
        return [*self.others, *self.started]

    def is_soon(self, now: float) -> bool:
        return False

    def start(self, session: Session) -> Sleeping:
        self.started.append(session)
        return Sleeping()

    def wait(self, descriptors: Sequence[int], seconds: float | None) -> bool:
        assert self.pool is not None
        self.looks += 1
        if self.looks == 8:
            self.pool.stop.ask_to_finish()
        return False

    def epoch(self) -> float:
        return self.now


def test_no_more_workers_than_jobs(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    shop.pool = Pool(shop, shop, 2, lambda sentence: None, clock=shop)  # type: ignore[arg-type]
    shop.pool.run()
    assert shop.started == shop.sessions[:2] and len(shop.pool.running) == 2


def test_workers_that_others_started_count_too(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    shop.others = [Session(tmp_path / "z")]
    shop.pool = Pool(shop, shop, 2, lambda sentence: None, clock=shop)  # type: ignore[arg-type]
    shop.pool.run()
    assert shop.started == shop.sessions[:1]


def test_no_more_workers_of_a_cli_than_its_slots(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    shop.pool = Pool(shop, shop, 4, lambda sentence: None, slots={"claude": 1}, clock=shop)  # type: ignore[arg-type]
    shop.pool.run()
    assert [session.name for session in shop.started] == ["a", "c"]  # codex gets the slot that claude may not have


def test_the_night_ends_by_itself_and_lets_what_runs_finish(tmp_path: Path) -> None:
    shop, said = Workshop(tmp_path), []
    night = Night({}, until=10.0)
    shop.pool = Pool(shop, shop, 1, said.append, night=night, clock=shop)  # type: ignore[arg-type]
    start = shop.start

    def start_late(session: Session) -> Sleeping:
        shop.now = 11.0
        return start(session)

    shop.start = start_late  # type: ignore[method-assign]
    shop.pool._ended = lambda session, code: said.append(session.name)  # type: ignore[method-assign]
    shop.pool.run()
    assert len(shop.started) == 1 and not shop.pool.running
    assert "The night is over: it is" in said[-2] and said[-1] == "a"


def test_a_task_that_could_not_start_is_tried_again_soon_and_said_once(tmp_path: Path) -> None:
    shop, said = Workshop(tmp_path), []
    tries: list[float] = []

    def begin() -> Session:
        tries.append(shop.now)
        raise UsageError("its branch is gone")

    def due(now: float) -> Iterator[Due]:
        shop.now += 40.0
        yield Due(tmp_path / "auth.md@1", "auth", (0, 1, 0.0, "auth"), begin, lambda: "claude")

    shop.due = due  # type: ignore[method-assign]
    shop.pool = Pool(shop, shop, 1, said.append, clock=shop)  # type: ignore[arg-type]
    shop.pool.run()
    assert len(tries) == shop.looks and said == ["auth is left alone for now: its branch is gone"]


def test_a_project_whose_sessions_cannot_be_looked_at_ends_no_up(bench, tmp_path):
    odd = make_repo(tmp_path / "odd")
    (odd / ".samoloop.yaml").write_text(f"sessions: {'x' * 300}\n")
    projects.register(odd, os.environ)
    session = bench.session()
    done = samoloop(tmp_path, "up", "--once")
    assert done.returncode == 0 and f"{odd} is left alone: File name too long" in done.stdout, done.stderr
    assert Session(session.dir).state().condition is Condition.WAITING
