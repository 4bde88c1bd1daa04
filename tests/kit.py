"""A real worker on a real session for tests: real git, real processes; only the child is scripted."""

import fcntl
import json
import os
import pty
import re
import resource
import select
import signal
import struct
import subprocess
import sys
import termios
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samoloop.api.asked import How, Order
from samoloop.api.go_on import go_on
from samoloop.api.hand_off import hand_off
from samoloop.base.clock import Clock
from samoloop.children.stop import StopRequest
from samoloop.config import loading
from samoloop.config.loading import Config
from samoloop.core.outcome import Collector
from samoloop.core.records import Ended
from samoloop.core.rules import Decision
from samoloop.core.session import Session
from samoloop.worker.outbox import Announcement
from samoloop.worker.view import Running
from samoloop.worker.worker import Worker

CHILDREN = Path(__file__).parent / "children"
IDENTITY = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]

# A child that does what each phase asks, as a capable model would, in one iteration a phase.
GOOD_CHILD = """
case $SAMOLOOP_PHASE in
investigation) echo "what I found" > 11-21-0900-dive-x.md; next requirements;;
requirements)
  if [ -f asked ]; then next planning
  else touch asked; ask 'Which way?'; fi;;
planning) echo "the plan" > 11-21-0900-plan-x.md; plan 11-21-0900-plan-x.md;;
implementation) echo "code" > "$SAMOLOOP_WORKTREE/feature.txt"; next testing;;
testing) next quality;;
quality) next done;;
done) signal '{"status": "done", "summary": "all good"}';;
esac
"""

_PRELUDE = """
cat > /dev/null
signal() {
  case $1 in *'"done"'*) leave;; esac
  printf '%s\\n' "$1" > "$SAMOLOOP_SIGNAL.tmp" && mv "$SAMOLOOP_SIGNAL.tmp" "$SAMOLOOP_SIGNAL"
}
next() {
  [ "$1" = "$SAMOLOOP_PHASE" ] || leave
  signal "{\\"status\\": \\"continue\\", \\"phase\\": \\"$1\\"}"
}
# What each phase is asked for before it is left: its document, and in implementation code and ticks.
leave() {
  case $SAMOLOOP_PHASE in
  investigation) set -- dive;; requirements|testing) set -- "$SAMOLOOP_PHASE";; survey|roadmap|milestone) set -- plan;;
  reproduction|pinning|exploration|regression) set -- testing;; done) set -- summary;; exec) set -- result;;
  quality|audit|verification|proposals|triage|review) set -- review;;
  implementation)
    for plan in *-plan-*.md; do
      [ ! -f "$plan" ] || grep -q '[[]x[]]' "$plan" || { sed 's/[[] []]/[x]/' "$plan" > .ticked && mv .ticked "$plan"; }
    done
    [ -e "$SAMOLOOP_WORKTREE/feature.txt" ] || echo code > "$SAMOLOOP_WORKTREE/feature.txt"; return 0;;
  *) return 0;;
  esac
  echo "iteration $SAMOLOOP_ITERATION" >> "11-21-0900-$1-x.md"
}
ask() {
  printf '# Questions\\n\\n### Q1: %s\\nA) one\\nB) two\\n' "$1" > _qa.md
  printf '**Suggestion:** A - simpler\\n**Answer:** _waiting_\\n' >> _qa.md
  signal '{"status": "waiting", "for": "qa_answers"}'
}
plan() {
  [ ! -f "$1" ] || grep -q '[[][ x][]]' "$1" || echo '- [ ] 1.1 it works' >> "$1"
  signal "{\\"status\\": \\"waiting\\", \\"for\\": \\"plan_approval\\", \\"file\\": \\"$1\\"}"
}
cd "$SAMOLOOP_SESSION_DIR"
"""


def until(holds: Callable[[], Any], seconds: float = 40.0) -> Any:
    """Wait for a condition, not for a while, and give its value."""
    deadline = time.monotonic() + seconds
    began = time.monotonic()
    while not (value := holds()):
        ended = time.monotonic()
        assert ended < deadline, "the condition never came true"
        time.sleep(max(0.005, ended - began))  # a look that takes a process leaves as much to what it waits for
        began = time.monotonic()
    return value


@contextmanager
def full_disk() -> Iterator[None]:
    """What this process writes is refused meanwhile, also where root writes it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def git(folder: Path, *words: str) -> str:
    """Plain git, as a person would use it."""
    done = subprocess.run(["git", *IDENTITY, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def make_repo(folder: Path) -> Path:
    """A small repository with one commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch", "trunk")
    (folder / "hello.txt").write_text("hello\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "First")
    return folder


def script(folder: Path, body: str, name: str = "child.sh") -> Path:
    """An executable child: `sh` with the helpers signal, next, ask and plan."""
    path = folder / name
    path.write_text("#!/bin/sh\n" + _PRELUDE + textwrap.dedent(body))
    path.chmod(0o755)
    return path


@dataclass
class Recorder:
    """A view that remembers."""

    said: list[str] = field(default_factory=list)
    ended_records: list[Ended] = field(default_factory=list)

    def say(self, sentence: str) -> None:
        self.said.append(sentence)

    def started(self, running: Running) -> None: ...

    def progress(self, collector: Collector) -> None: ...

    def ended(self, record: Ended, decision: Decision) -> None:
        self.ended_records.append(record)

    def waiting(self, decision: Decision) -> None:
        self.said.append(decision.reason)

    def announced(self, announcement: Announcement) -> None: ...


def kill_with_git(pid: int) -> None:
    """SIGKILL a worker and the git that it runs, which has a session of its own."""
    os.kill(pid, signal.SIGSTOP)  # so that it starts no other one meanwhile
    gits = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            name, _, fields = (entry / "stat").read_text().partition("(")[2].rpartition(") ")
            if name == "git" and int(fields.split()[1]) == pid:
                gits.append(int(entry.name))
    os.kill(pid, signal.SIGKILL)
    for git in gits:
        with suppress(ProcessLookupError):
            os.killpg(git, signal.SIGKILL)


def scripted_project(tmp_path: Path, child: str) -> Path:
    """A repository whose settings name a scripted child."""
    root = make_repo(tmp_path / "repo")
    provider = {"provider": "scripted", "providers": {"scripted": {"command": [str(script(tmp_path, child))]}}}
    (root / ".samoloop.yaml").write_text(json.dumps(provider))
    return root


@dataclass
class Bench:
    """A project with a scripted child, and the sessions made in it, through the same entrance as the commands."""

    root: Path
    child: Path
    settings: Mapping[str, Any] = field(default_factory=dict)  # keys of the configuration
    view: Recorder = field(default_factory=Recorder)

    @property
    def said(self) -> dict[str, Any]:
        """What a person would have to say to get this child and these settings."""
        return {"provider": "scripted", "providers": {"scripted": {"command": [str(self.child)]}}, **self.settings}

    @property
    def environ(self) -> dict[str, str]:
        return {name: os.environ[name] for name in ("HOME", "PATH", "SAMOLOOP_SANDBOX") if name in os.environ}

    @property
    def config(self) -> Config:
        return loading.load(self.root, self.environ, self.said)

    def session(self, task: str = "Add a feature", in_place: bool = False, name: str | None = None) -> Session:
        order = Order(self.root, task, base=None if in_place else "HEAD", name=name, said=self.said)
        return hand_off(order, self.environ)

    def worker(self, session: Session, **options: Any) -> Worker:
        """A worker that is looked at or does one step; whole runs go through `run`."""
        options.setdefault("view", self.view)
        options.setdefault("no_wait", True)
        return Worker(Session(session.dir), self.config, **options)

    def run(
        self,
        session: Session,
        *,
        clock: Clock | None = None,
        environ: Mapping[str, str] | None = None,
        stop: StopRequest | None = None,
        **how: Any,
    ) -> Decision:
        """A worker's whole run."""
        how.setdefault("no_wait", True)
        return go_on(
            Session(session.dir),
            How(said=self.said, **how),
            environ=self.environ if environ is None else environ,
            open_view=lambda session, stop: nullcontext(self.view),
            stop=stop or StopRequest(),
            clock=clock,
        )


def samoloop(
    folder: Path, *words: str, env: Mapping[str, str] | None = None, input: str | None = None
) -> "subprocess.CompletedProcess[str]":
    """The real command, as a person would type it."""
    return subprocess.run(
        [sys.executable, "-m", "samoloop", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
        input=input,
        check=False,
        timeout=60,
    )


class Terminal:
    """A person at a terminal of 80 columns: reads the screen, answers prompts."""

    def __init__(self, folder: Path, *words: str, env: Mapping[str, str] | None = None) -> None:
        self.fd, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "samoloop", *words],
            cwd=folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", "NO_COLOR": "1", **(env or {})},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),  # it controls the process: keys are signals
        )
        os.close(theirs)
        self.screen = ""
        self._read_to = 0

    def read(self) -> bool:
        """What is new on the screen; False at its end."""
        ready, _, _ = select.select([self.fd], [], [], 45)
        assert ready, f"nothing came after:\n{self.screen[-2000:]}"
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.screen += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)

    def wait_for(self, prompt: str) -> None:
        """Until a prompt that matches stands at the end of the screen, below all that was answered."""
        while not re.search(prompt + r"[^\n]*: $", self.screen[self._read_to :]):
            assert self.read(), f"it ended before it asked for {prompt}:\n{self.screen[-2000:]}"
        self._read_to = len(self.screen)

    def wait_for_text(self, words: str) -> None:
        while words not in self.screen:
            assert self.read(), f"it ended before it said {words}:\n{self.screen[-2000:]}"

    def answer(self, prompt: str, words: str) -> None:
        self.wait_for(prompt)
        self.type(words)

    def type(self, words: str, end: str = "\n") -> None:
        os.write(self.fd, words.encode() + end.encode())

    def press(self, key: str) -> None:
        """A key with Ctrl."""
        os.write(self.fd, bytes([ord(key) & 0x1F]))

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def end(self) -> int:
        while self.read():
            pass
        os.close(self.fd)
        return self.process.wait()
