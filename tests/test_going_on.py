"""Going on with a session, by the same entrance as people: two commands at once, what is remembered, what fails."""

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from kit import Bench, kill_with_git, make_repo, samoloop, script, until
from watchdog.events import FileOpenedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from samoloop.base.errors import LockHeld, SessionError
from samoloop.config import projects
from samoloop.core.control import FLEET, LOCK
from samoloop.core.records import Record, Resumed
from samoloop.core.rules import Kind
from samoloop.core.session import Session, all_sessions
from samoloop.core.state import Condition
from samoloop.worker.lease import FILES

pytestmark = pytest.mark.slow  # whole commands

TWO_CHILDREN = """
case $SAMOLOOP_PHASE in
investigation) echo x > dive.md
  until [ -e "$SAMOLOOP_WORKTREE/../../../go" ]; do sleep 0.01; done
  next requirements;;
*) signal '{"status": "blocked", "reason": "only a person knows"}';;
esac
"""


def settings(root: Path, child: Path, **more: object) -> None:
    provider = {"provider": "scripted", "providers": {"scripted": {"command": [str(child)]}}}
    (root / ".samoloop.yaml").write_text(json.dumps({**provider, **more}))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "repo")


def only_session(root: Path) -> Session:
    [session] = all_sessions(root / "_sessions")
    return session


def events(session: Session) -> list[Record]:
    return list(Session(session.dir).journal.read())


def command(root: Path, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "samoloop", *words],
        cwd=root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


class Opened(FileSystemEventHandler):
    """Sees when the lock is tried."""

    def __init__(self) -> None:
        self.tried = threading.Event()

    def on_opened(self, event: FileSystemEvent) -> None:
        if Path(str(event.src_path)).name == LOCK:
            self.tried.set()


def test_a_worker_that_waited_for_the_lock_acts_on_what_the_one_before_it_left(root, tmp_path):
    settings(root, script(tmp_path, TWO_CHILDREN))
    for number in range(20):
        go = root / "go"
        go.unlink(missing_ok=True)
        first = command(root, "run", "Do it", "--session", f"s{number}", "--no-wait")
        until(lambda: bool(all_sessions(root / "_sessions")) and Session(_newest(root)).state().open is not None)
        session = Session(_newest(root))
        watch, observer = Opened(), Observer()
        observer.schedule(watch, str(session.control), event_filter=[FileOpenedEvent])
        observer.start()
        second = command(root, "resume", session.name, "--no-wait")
        assert watch.tried.wait(40)  # it has read the journal, and the first holds the lock
        go.touch()
        first.communicate(timeout=40)
        said, _ = second.communicate(timeout=40)
        observer.stop()
        observer.join()
        if second.returncode != 2:  # else it had no patience left: once more
            break
    assert second.returncode == 4, said
    counts = Counter(
        (event.event, getattr(event, "iteration", None), getattr(event, "attempt", None)) for event in events(session)
    )
    assert all(counts[key] == 1 for key in counts if key[0] in ("started", "ended"))
    sequence = [(event.event, event.phase) for event in events(session) if event.event == "ended"]
    assert sequence[:2] == [("ended", "investigation"), ("ended", "requirements")]


def _newest(root: Path) -> Path:
    return max((root / "_sessions").glob("[!.]*"), key=lambda path: path.stat().st_mtime_ns)


def test_two_workers_on_one_session_in_the_same_moment(root, tmp_path):
    settings(root, script(tmp_path, TWO_CHILDREN))
    session = Bench(root, tmp_path / "child.sh").session()
    both = [command(root, "resume", session.name, "--no-wait") for _ in range(2)]
    until(lambda: any(process.poll() is not None for process in both))
    (root / "go").touch()
    said = [process.communicate(timeout=40)[0] for process in both]
    assert sorted(process.returncode for process in both) == [2, 4], said
    assert any("a worker is at work" in text for text in said)
    assert sum(event.event == "prepared" for event in events(session)) == 1


# --- what is remembered ---------------------------------------------------------------------------------------------

SHOWS = """
printf '%s\\n' "$*" >> "$SAMOLOOP_WORKTREE/../../../arguments"
signal '{"status": "blocked", "reason": "only a person knows"}'
"""


def _shows_permissions(root: Path, tmp_path: Path) -> None:
    child = script(tmp_path, SHOWS)
    provider = {"scripted": {"command": [str(child), "{permissions}", "{model}"]}}
    (root / ".samoloop.yaml").write_text(json.dumps({"provider": "scripted", "providers": provider}))


@pytest.mark.parametrize("again", [["run", "--session", "x"], ["resume", "x"], ["resume", "x", "--effort", "high"]])
def test_a_restraint_is_not_lifted_by_leaving_it_out(root, tmp_path, again):
    _shows_permissions(root, tmp_path)
    samoloop(root, "run", "Do it", "--session", "x", "--permissions", "edits", "--model", "small", "--no-wait")
    samoloop(root, *again, "--no-wait")
    assert (root / "arguments").read_text().splitlines() == ["edits small"] * 2


def test_what_a_resume_said_is_remembered_too(root, tmp_path):
    _shows_permissions(root, tmp_path)
    samoloop(root, "run", "Do it", "--session", "x", "--model", "small", "--no-wait")
    samoloop(root, "resume", "x", "--permissions", "edits", "--no-wait")
    samoloop(root, "resume", "x", "--no-wait")
    assert [line.split()[0] for line in (root / "arguments").read_text().splitlines()] == ["full", "edits", "edits"]


def test_one_ceiling_does_not_lift_another(root, tmp_path):
    bench = Bench(root, script(tmp_path, SHOWS))
    session = bench.session()
    from samoloop.api.settings import settings_of

    (root / ".samoloop.yaml").write_text("{}")
    session.record(Resumed(by="Ann", settings={"ceilings": {"cost": 5.0}}))
    session.record(Resumed(by="Ann", settings={"ceilings": {"iterations": 10}}))
    found = settings_of(session, os.environ, {"ceilings": {"wall": "2h"}}).ceilings
    assert (found.iterations, found.wall_seconds, found.cost_usd) == (10, 7200.0, 5.0)


def test_a_provider_named_by_the_environment_is_remembered(root, tmp_path):
    provider = {"scripted": {"command": [str(script(tmp_path, SHOWS))]}}
    (root / ".samoloop.yaml").write_text(json.dumps({"providers": provider}))
    done = samoloop(root, "run", "Do it", "--session", "x", "--no-wait", env={"SAMOLOOP_PROVIDER": "scripted"})
    assert done.returncode == 4, done.stderr
    assert samoloop(root, "resume", "x", "--no-wait").returncode == 4
    assert [event.provider for event in events(only_session(root)) if event.event == "started"] == ["scripted"] * 2


# --- a worker that fails --------------------------------------------------------------------------------------------

OUTBOX = {"announce": {"command": ["true"]}}


def _announced(session: Session, kind: str) -> list[str]:
    items = [json.loads(path.read_text()) for path in sorted((session.control / "_outbox").glob("0*.json"))]
    return [item["text"] for item in items if item["kind"] == kind]


def test_a_setup_that_fails_in_the_background_is_seen_everywhere(root, tmp_path):
    settings(root, script(tmp_path, SHOWS), setup="echo no such package; exit 3", **OUTBOX)
    samoloop(root, "run", "Do it", "--session", "x", "--detach")
    session = only_session(root)
    until(lambda: Session(session.dir).state().condition is Condition.FAILED)
    until(lambda: (session.dir / "_report.md").exists())
    assert "no such package" in samoloop(root, "status", "x").stdout
    assert "no such package" in (session.dir / "_report.md").read_text()
    until(lambda: len(_announced(session, "failed")) == 1)


def test_a_cli_that_vanished_ends_as_failed_and_resume_goes_on_once_it_is_back(root, tmp_path):
    child = script(tmp_path, 'mv "$0" "$0.gone"; next requirements')
    settings(root, child, **OUTBOX)
    done = samoloop(root, "run", "Do it", "--session", "x", "--no-wait")
    session = only_session(root)
    assert done.returncode == 5 and "child.sh" in done.stdout
    assert Session(session.dir).state().condition is Condition.FAILED
    assert len(_announced(session, "failed")) == 1 and "child.sh" in (session.dir / "_report.md").read_text()
    refused = samoloop(root, "resume", "x", "--no-wait")  # a person is there to read it
    assert refused.returncode == 2 and "child.sh" in refused.stderr
    script(tmp_path, 'signal \'{"status": "blocked", "reason": "ask"}\'')
    assert samoloop(root, "resume", "x", "--no-wait").returncode == 4
    assert Session(session.dir).state().iteration == 2


def test_a_damaged_configuration_ends_a_worker_as_failed(root, tmp_path):
    bench = Bench(root, script(tmp_path, SHOWS))
    session = bench.session()
    (root / ".samoloop.yaml").write_text("provder: x\n")
    decision = bench.run(session)
    assert decision.kind is Kind.FAILED and decision.exit_code == 5 and "provder" in decision.reason
    assert "provder" in (session.dir / "_report.md").read_text()
    assert Session(session.dir).state().condition is Condition.FAILED


def test_a_damaged_project_file_is_heard_of_by_whom_the_person_s_own_file_names(root, tmp_path):
    own = Path(os.environ["HOME"], ".config", "samoloop", "config.yaml")
    own.parent.mkdir(parents=True)
    own.write_text(json.dumps({"announce": {"command": ["sh", "-c", f"cat >> {tmp_path}/heard"]}}))
    session = Bench(root, script(tmp_path, SHOWS)).session()
    (root / ".samoloop.yaml").write_text("provder: x\n")
    run = command(root, "resume", str(session.dir), "--worker", "--no-wait")  # as the pool starts it
    assert run.wait(40) == 5
    run.stdout.close()
    assert json.loads((tmp_path / "heard").read_text())["kind"] == "failed"


def test_a_failure_touches_no_session_that_rests(root, tmp_path):
    bench = Bench(root, script(tmp_path, SHOWS))
    session = bench.session()
    assert bench.run(session).kind is Kind.BLOCKED
    (root / ".samoloop.yaml").write_text("provder: x\n")
    assert bench.run(session).kind is Kind.FAILED
    state = Session(session.dir).state()
    assert state.condition is Condition.BLOCKED and state.reason == "only a person knows"
    assert "provder" in state.failure


def test_the_same_failure_is_announced_once(root, tmp_path):
    bench = Bench(root, script(tmp_path, SHOWS), {**OUTBOX, "setup": "exit 3"})
    session = bench.session()
    for _ in range(3):
        assert bench.run(session).kind is Kind.FAILED
    assert Session(session.dir).state().failures_of_workers == 3
    assert len(_announced(session, "failed")) == 1


def test_a_session_that_is_over_is_not_gone_on_with(root, tmp_path):
    bench = Bench(root, script(tmp_path, 'signal \'{"status": "done", "summary": "x"}\''), {"workflow": "exec"})
    session = bench.session()
    while bench.run(session, yes=True).kind is not Kind.DONE:
        pass
    before = (session.dir / "_history.jsonl").read_bytes()
    with pytest.raises(SessionError, match="is done"):
        bench.run(session)
    assert samoloop(root, "resume", session.name).returncode == 2
    assert (session.dir / "_history.jsonl").read_bytes() == before


def test_a_lease_of_another_kind_does_as_well(root, tmp_path):
    """A row of a database instead of a lock on a file: the worker asks for no more than a lease."""
    import sqlite3
    from contextlib import contextmanager

    from samoloop.api.asked import How
    from samoloop.api.go_on import go_on
    from samoloop.api.stop import stop

    database = sqlite3.connect(tmp_path / "leases.db", isolation_level=None)
    database.execute("create table lease (session text primary key, pid int)")

    class Rows:
        @contextmanager
        def taken(self, session):
            try:
                database.execute("insert into lease values (?, ?)", (session.name, os.getpid()))
            except sqlite3.IntegrityError:
                raise LockHeld(f"{session.name} is at work elsewhere") from None
            try:
                yield
            finally:
                database.execute("delete from lease where session = ?", (session.name,))

        def is_held(self, session_dir):
            return self.holder(session_dir) is not None

        def holder(self, session_dir):
            row = database.execute("select pid from lease where session = ?", (session_dir.name,)).fetchone()
            return row and row[0]

    bench = Bench(root, script(tmp_path, SHOWS))
    session, lease = bench.session(), Rows()
    how = How(said=bench.said, no_wait=True)
    with lease.taken(session), pytest.raises(LockHeld, match="elsewhere"):
        go_on(session, how, environ=bench.environ, lease=lease)
    assert go_on(session, how, environ=bench.environ, lease=lease).kind is Kind.BLOCKED
    assert stop(session, lease=lease) is None and not lease.is_held(session.dir)
    assert not (session.control / LOCK).exists()


# --- one iteration at a time, for whoever decides where the next one runs ---------------------------------------------

ASKS_AT_ONCE = """
case $SAMOLOOP_PHASE in
investigation) echo x > dive.md; next requirements;;
*) ask 'Which way?';;
esac
"""


def test_one_iteration_is_run_with_all_that_follows_from_it_and_no_more(root, tmp_path):
    bench = Bench(root, script(tmp_path, ASKS_AT_ONCE))
    session = bench.session()
    assert bench.run(session, once=True).kind is Kind.STOPPED
    state = Session(session.dir).state()
    assert (state.iteration, state.phase, state.condition) == (1, "requirements", Condition.READY)
    assert bench.run(session, once=True).kind is Kind.WAIT
    state = Session(session.dir).state()
    assert state.iteration == 2 and state.gate and state.gate.shown and state.rests


def test_a_child_that_a_killed_worker_left_is_the_one_iteration(root, tmp_path):
    settings(root, script(tmp_path, TWO_CHILDREN))
    worker = command(root, "run", "Do it", "--session", "s", "--no-wait")
    until(lambda: bool(all_sessions(root / "_sessions")) and only_session(root).state().open is not None)
    session = only_session(root)
    until((session.dir / "dive.md").exists)  # the child is at work
    kill_with_git(worker.pid)
    worker.communicate(timeout=40)
    (root / "go").touch()
    bench = Bench(root, tmp_path / "child.sh")
    assert bench.run(session, once=True).kind is Kind.STOPPED
    assert [event.event for event in events(session) if event.event in ("started", "ended")] == ["started", "ended"]


def test_what_several_machines_share_is_left_alone_here_but_for_whoever_holds_it_for_them(root, tmp_path):
    settings(root, script(tmp_path, ASKS_AT_ONCE))
    session = Bench(root, tmp_path / "child.sh").session()
    projects.register(root, os.environ)
    (session.control / FLEET).write_text(json.dumps({"parcel": "0" * 40}))  # it was handed over
    refused = samoloop(root, "resume", session.name, "--no-wait")
    assert refused.returncode == 2
    assert f"{session.name} is the fleet's, and no database of a fleet is named on this machine" in refused.stderr
    up = samoloop(root, "up", "--once")
    assert up.returncode == 0 and session.name not in up.stdout + up.stderr
    assert Session(session.dir).state().condition is Condition.NEW
    samoloop(root, "resume", str(session.dir), "--worker", "--once", "--no-wait")
    assert Session(session.dir).state().iteration == 1
    (session.control / FLEET).unlink()
    assert samoloop(root, "resume", session.name, "--no-wait").returncode == 3


# --- unattended -----------------------------------------------------------------------------------------------------


def test_up_tries_a_failing_session_again_with_growing_pauses_and_says_so_once(root, tmp_path):
    from samoloop.base.clock import Clock
    from samoloop.queue.pool import Pool
    from samoloop.queue.runner import Processes
    from samoloop.queue.source import Projects, pause

    settings(root, script(tmp_path, SHOWS), setup="exit 3")
    session = Bench(root, tmp_path / "child.sh").session()
    projects.register(root, os.environ)
    said: list[str] = []

    class Later(Clock):
        ahead = 0.0

        def epoch(self) -> float:
            return super().epoch() + self.ahead

    clock = Later()
    with closing(Processes(os.environ)) as processes:
        pool = Pool(Projects(os.environ, said.append), processes, 2, said.append, clock=clock)
        for failures in (1, 2, 3):
            pool.run(once=True)
            state = Session(session.dir).state()
            assert state.failures_of_workers == failures
            due = state.failed_at + pause(failures)
            clock.ahead = due - 20 - time.time()
            pool.run(once=True)
            assert Session(session.dir).state().failures_of_workers == failures, "it is not due yet"
            clock.ahead = due - time.time()
    assert sum("tried again" in sentence for sentence in said) == 1, said
    assert [pause(number) for number in (1, 2, 3, 100)] == [30.0, 60.0, 120.0, 3600.0]


def test_up_sees_a_file_that_a_person_has_updated(root, tmp_path):
    asks = """
    if [ -f asked ]; then signal '{"status": "blocked", "reason": "seen"}'
    else touch asked; echo old > input.txt
      signal '{"status": "waiting", "for": "file_update", "file": "input.txt", "reason": "fill it in"}'; fi
    """
    settings(root, script(tmp_path, asks), workflow="exec")
    projects.register(root, os.environ)
    session = Bench(root, tmp_path / "child.sh", {"workflow": "exec"}).session()
    up = command(root, "up")
    try:
        until(lambda: Session(session.dir).state().gate is not None)
        until(lambda: not FILES.is_held(session.dir) and Session(session.dir).state().rests)
        (session.dir / "input.txt").write_text("new\n")
        until(lambda: Session(session.dir).state().condition is Condition.BLOCKED)
    finally:
        up.terminate()
        up.communicate(timeout=20)


def test_a_session_without_its_logs_takes_no_other_down(root, tmp_path):
    rude = script(tmp_path, "rm -rf _logs; next requirements", "rude.sh")
    bench = Bench(root, script(tmp_path, SHOWS))
    settings(root, bench.child)
    projects.register(root, os.environ)
    bad = Bench(root, rude).session("Bad")
    good = bench.session("Good")
    done = samoloop(root, "up", "--once", "--jobs", "1")
    assert done.returncode == 0 and "Traceback" not in done.stdout + done.stderr
    assert Session(good.dir).state().condition is Condition.BLOCKED
    assert Session(bad.dir).state().iteration > 1, "it goes on with a new folder for its logs"


def test_projects_registered_at_the_same_time_are_all_kept(tmp_path):
    roots = [tmp_path / f"p{number}" for number in range(12)]
    program = "import os, sys; from pathlib import Path; from samoloop.config import projects; input();"
    program += "projects.register(Path(sys.argv[1]), os.environ)"
    started = [
        subprocess.Popen([sys.executable, "-c", program, str(root)], stdin=subprocess.PIPE, text=True) for root in roots
    ]
    for process in started:
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.wait(40) for process in started] == [0] * len(roots)
    for process in started:
        process.stdin.close()
    assert sorted(projects.registered(os.environ)) == sorted(roots)
