"""One session that is killed, starved and torn, and goes on: its folders, its runs, and the person who answers."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import driver
from kit import kill_with_git

from samoloop.base.errors import SamoloopError
from samoloop.base.files import write_atomic
from samoloop.core import gates
from samoloop.core.gates import Verdict
from samoloop.core.records import Record, RoomRecord
from samoloop.core.session import Session, all_sessions
from samoloop.core.signals import GateKind
from samoloop.core.state import Condition, State
from samoloop.worker import outbox

RUN_SECONDS = 60.0  # a run that takes longer hangs
LOOK_SECONDS = 0.004
GUIDANCE = "Keep the old name."
CHILD = Path(__file__).with_name("child.sh")
GIT = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
SETTINGS = f"""\
provider: scripted
providers: {{scripted: {{command: ["{CHILD}"]}}}}
announce: {{command: ["true"]}}
keep_awake: false
setup: "true"
limits: {{terminate: 2s}}
checks: {{small: {{command: "sleep 0.05; echo '1 passed in 0.01s'"}}}}
"""


class Violation(Exception):
    """Something that must never happen did."""


def git(folder: Path, *words: str) -> str:
    done = subprocess.run([*GIT, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def make_template(folder: Path) -> None:
    """A project with a person's unfinished work in it: changed, new and stashed files."""
    repo = folder / "repo"
    (folder / "home").mkdir(parents=True)
    repo.mkdir()
    git(repo, "init", "--quiet", "--template=", "--initial-branch", "trunk")
    git(repo, "config", "maintenance.auto", "false")  # a killed child's own git may leave the lock of that
    (repo / "hello.txt").write_text("hello\n")
    (repo / ".samoloop.yaml").write_text(SETTINGS)
    git(repo, "add", ".")
    git(repo, "commit", "--quiet", "-m", "First")
    (repo / "hello.txt").write_text("stashed\n")
    git(repo, "stash", "--quiet")
    (repo / "hello.txt").write_text("unfinished\n")
    (repo / "new.txt").write_text("new\n")


@dataclass
class Person:
    """Answers each gate exactly once, and remembers it."""

    folder: Path  # the repository
    acted: dict[str, str] = field(default_factory=dict)  # gate -> what was done
    told: list[str] = field(default_factory=list)  # guidance, each once
    wanted: dict[str, bytes] = field(default_factory=dict)  # gate -> its file as it was saved, before it was cut
    _seen: tuple[int, int] = (0, 0)

    def look(self) -> None:
        """Act, if there is an open gate that was not acted on."""
        found = all_sessions(self.folder / "_sessions")
        if not found:
            return
        try:
            stamp = found[0].journal.path.stat()
        except FileNotFoundError:
            return  # it is being repaired
        if (stamp.st_mtime_ns, stamp.st_size) == self._seen:
            return
        try:
            state = found[0].state()
        except SamoloopError:
            return  # a worker has just begun to write
        self._seen = (0, 0) if not self._act(found[0], state) else (stamp.st_mtime_ns, stamp.st_size)

    def _act(self, session: Session, state: State) -> bool:
        """False: look again, the gate's file is not there yet."""
        gate = state.gate
        if gate is not None and gate.id in self.wanted:
            with gates.changing(session.dir):  # what was half saved is saved again
                write_atomic(session.dir / gates.gate_file(gate), self.wanted.pop(gate.id))
        if gate is None or gate.id in self.acted:
            return True
        if not gate.shown or gates.file_hash(session.dir / gates.gate_file(gate)) != gate.open_text:
            return False
        if not self.told:
            gates.tell(session.dir, GUIDANCE, "Ann")
            self.told.append(GUIDANCE)
        if gate.kind is GateKind.QA_ANSWERS:
            gates.answer(session.dir, gate, {id: f"as you suggest in {gate.id}" for id in gate.questions}, "Ann")
            self.acted[gate.id] = "answered"
        else:
            gates.decide_plan(session.dir, gate, Verdict.APPROVE, "Ann", comment=f"fine {gate.id}")
            self.acted[gate.id] = "approve"
        return True


@dataclass
class Run:
    """One process of the command line."""

    pid: int
    output: Path
    started: float
    status: int | None = None  # exit code; negative: the signal that ended it

    def poll(self) -> int | None:
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status


@dataclass
class Scene:
    """One session under test."""

    folder: Path
    checkout: str = ""  # what the person had in theirs
    person: Person = field(init=False)
    runs: int = 0
    ended: list[int] = field(default_factory=list)  # exit codes

    def __post_init__(self) -> None:
        self.person = Person(self.folder / "repo")

    @classmethod
    def make(cls, template: Path, folder: Path) -> "Scene":
        shutil.copytree(template, folder, symlinks=True)
        git(folder / "repo", "status")  # the index knows the copied files now
        own = folder / "home" / ".config" / "samoloop"
        own.mkdir(parents=True)
        (own / "config.yaml").write_text(json.dumps({"sandbox": {"write": [str(folder / "ledger")]}}))
        (folder / "ledger").mkdir()
        return cls(folder, checkout_state(folder / "repo"))

    @property
    def repo(self) -> Path:
        return self.folder / "repo"

    def come_home(self) -> None:
        """This process looks at the scene's sessions: what a worker believes of them lies in its home."""
        os.environ["HOME"] = str(self.folder / "home")

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger" / "ledger.txt"

    @property
    def session(self) -> Session:
        self.come_home()
        return all_sessions(self.repo / "_sessions")[0]

    @property
    def environment(self) -> dict[str, str]:
        names = ("PATH", "LANG", "LC_ALL", "VIRTUAL_ENV", "SAMOLOOP_SANDBOX")
        kept = {name: os.environ[name] for name in names if name in os.environ}
        own = {"HOME": str(self.folder / "home"), "FAULTS_LEDGER": str(self.ledger), "FAULTS_SCENE": str(self.folder)}
        own |= {"FAULTS_GUIDANCE": GUIDANCE, "LOGNAME": "Ann"}
        return kept | own

    def lines(self, word: str) -> list[tuple[int, str]]:
        """The ledger's lines of this word: iteration and marker of the attempt."""
        text = self.ledger.read_text() if self.ledger.exists() else ""
        found = [line.split() for line in text.splitlines()]
        return [(int(line[1]), line[2]) for line in found if line[0] == word]

    def is_over(self) -> bool:
        """Nothing is left to be resumed."""
        self.come_home()
        found = all_sessions(self.repo / "_sessions")
        state = found[0].state() if found else None
        return bool(state and state.condition is Condition.DONE and state.rests) and not outbox.is_left(found[0].dir)

    def column(self) -> str:
        """Where the session stands, for the matrix."""
        found = all_sessions(self.repo / "_sessions")
        return driver.column(found[0].state() if found else None)

    def start(self, mode: str = "none", share: str = "", *flags: str) -> Run:
        """The command line, in a process and a group of its own."""
        self.runs += 1
        output = self.folder / f"run-{self.runs:03d}.txt"
        pid = os.fork()
        if pid:
            return Run(pid, output, time.monotonic())
        try:
            os.setsid()
            os.environ.clear()
            os.environ.update(self.environment)
            descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            for number in (1, 2):
                os.dup2(descriptor, number)
            sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - this process's own, until it ends
            sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            driver.main(self.folder, mode, share, *flags)
        except SystemExit as end:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(end.code if isinstance(end.code, int) else 1)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(99)
        os._exit(0)

    def wait(self, run: Run, until: Callable[[Run], bool] = lambda run: False) -> int | None:
        """Until the run ends, the person acting; None when `until` came first. Raises Violation when it hangs."""
        self.come_home()
        while run.poll() is None:
            if until(run):
                return None
            try:
                self.person.look()
            except SamoloopError as error:
                raise Violation(f"the person was refused: {error}") from error
            if time.monotonic() - run.started > RUN_SECONDS:
                os.killpg(run.pid, signal.SIGKILL)
                raise Violation(f"run {self.runs} hung; see {run.output}")
            time.sleep(LOOK_SECONDS)
        assert run.status is not None
        self.ended.append(run.status)
        if run.status == 99 or "Traceback" in run.output.read_text(errors="replace"):
            raise Violation(f"run {self.runs} ended with a traceback; see {run.output}")
        return run.status

    def finish(self, allowed: Iterable[int] = (0,), tries: int = 1) -> None:
        """A plain resume, or `tries` of them where a child's death may have blocked the session."""
        for _ in range(tries):
            code = self.wait(self.start())
            if code == 0 or (code == 2 and self.is_over()):
                return
            if code not in allowed:
                break
        raise Violation(f"a plain resume ended with {code}; see {self.folder}/run-{self.runs:03d}.txt")

    def kill(self, run: Run) -> bool:
        """SIGKILL the worker alone; False where it had ended already."""
        if run.poll() is not None:
            return False
        os.kill(run.pid, signal.SIGKILL)
        return self._reap(run)

    def kill_group(self, run: Run) -> bool:
        """SIGKILL the worker and the git that it runs."""
        if run.poll() is not None:
            return False
        kill_with_git(run.pid)
        return self._reap(run)

    def _reap(self, run: Run) -> bool:
        _, status = os.waitpid(run.pid, 0)
        run.status = os.waitstatus_to_exitcode(status)
        self.ended.append(run.status)
        return run.status == -signal.SIGKILL

    def child_processes(self) -> dict[int, str]:
        """The living processes that children of this session are or have started, and their command lines."""
        return {pid: line for pid, (line, marked) in driver.living(self.folder).items() if marked}

    def processes(self) -> dict[int, str]:
        """All living processes of this scene but this one."""
        return {pid: line for pid, (line, _) in driver.living(self.folder).items()}

    def kill_child(self, which: str) -> bool:
        """SIGKILL the child at work: its `cli`, its `wrapper`, or `all` that it is. False where there was none."""
        targets = []
        for pid, line in self.child_processes().items():
            is_wrapper = "echo $$" in line
            if which == "all" or (which == "wrapper") == is_wrapper:
                targets.append(pid)
        hit = False
        for pid in targets:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                hit = True
        return hit

    def events(self) -> list[Record]:
        """The records of the core; those of rooms mean nothing to it."""
        found = self.session.journal.read() if all_sessions(self.repo / "_sessions") else []
        return [record for record in found if not isinstance(record, RoomRecord)]

    def is_open(self) -> bool:
        """An iteration was started and has not ended."""
        return bool(all_sessions(self.repo / "_sessions")) and self.session.state().open is not None

    def branch(self) -> list[str]:
        """Tree and subject of each commit on the session's branch."""
        created = self.session.state().created
        log = git(self.repo, "log", "--reverse", "--format=%T %s", f"{created.base}..refs/heads/{created.branch}")
        return log.splitlines()

    def clean_up(self) -> None:
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


def checkout_state(repo: Path) -> str:
    """All that is the person's: files, index, branch, stash, configuration."""
    import hashlib

    parts = []
    for path in sorted(repo.rglob("*")):
        relative = path.relative_to(repo)
        if relative.parts[0] in (".git", "_sessions", ".samoloop") or not path.is_file():
            continue
        parts.append(f"{relative} {path.stat().st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}")
    for name in ("index", "HEAD", "config", "refs/heads/trunk", "refs/stash"):
        path = repo / ".git" / name
        parts.append(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}")
    return json.dumps(parts)
