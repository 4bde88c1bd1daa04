"""`fleet try`: a fleet of two machines on this one, where the first dies in the middle of a session.

All of it is real: a Postgres, a bare remote, two homes with a clone each, and `fleet work` in both by the command that
people type. Only the model is a script, and whoever answers is the demo.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from samoloop.base.errors import SamoloopError
from samoloop.base.files import make_folder, tail, write_atomic
from samoloop.children.processes import Mark, find
from samoloop.core.journal import FILE_NAME, Journal
from samoloop.core.records import Ended, Placed, Record, Started
from samoloop.demo import examples
from samoloop.demo.play import SCRIPT
from samoloop.fleet.database import Database
from samoloop.fleet.postgres import Postgres
from samoloop.fleet.rows import SessionRow
from samoloop.git.calls import environment, execute, failure
from samoloop.providers import PACE

EXAMPLE = "old-backups"
LEASE_SECONDS = 3
_PACE_SECONDS = 0.1  # a step of the scripted child, so that there is a middle in which to die
_DIES_IN = "implementation"
_FIRST = "first"
_LOOK_SECONDS = 0.1
_PATIENCE_SECONDS = 90.0  # for anything to happen
_CLONE = ("-c", "protocol.file.allow=always", "clone")  # of what was made here
_MARK = "SAMOLOOP_TRY"  # in the environment of all that runs for a machine
Say = Callable[[str, str], None]  # who, what
Told = TypeVar("Told", Started, Ended)


@dataclass
class _Host:
    """A machine of the trial: a home and a clone."""

    name: str
    home: Path
    root: Path
    url: str
    mark: Mark
    environ: Mapping[str, str]
    worker: "subprocess.Popen[bytes] | None" = None

    @property
    def log(self) -> Path:
        return self.home / "work.log"

    def command(self, *words: str) -> str:
        """What a command of samoloop says here. Raises SamoloopError where it fails."""
        done = subprocess.run(
            [sys.executable, "-m", "samoloop", *words],
            cwd=self.root, env=dict(self.environ), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise SamoloopError(f"samoloop {' '.join(words)} failed on {self.name}: {done.stderr.strip()[:500]}")
        return done.stdout

    def journal(self) -> Sequence[Record]:
        """Of the one session's copy here; nothing where none has come yet."""
        found = (self.home / "state" / "samoloop" / "control").glob(f"*-{EXAMPLE}-*/{FILE_NAME}")
        return next((Journal(path).read() for path in found), ())

    def own(self, kind: type[Told]) -> Iterator[tuple[str, Told]]:
        """Records of a kind, each with the machine that wrote it."""
        machine = _FIRST
        for record in self.journal():
            if isinstance(record, Placed):
                machine = record.machine
            elif isinstance(record, kind):
                yield machine, record

    def is_in(self, phase: str) -> bool:
        """Whether a child works here, in that phase."""
        last = next(iter(self.journal()[-1:]), None)
        return isinstance(last, Started) and last.phase == phase and bool(self.worker and self.worker.poll() is None)

    def start(self) -> None:
        """`fleet work`, until it ends or dies."""
        with self.log.open("wb") as log:
            self.worker = subprocess.Popen(
                [sys.executable, "-m", "samoloop", "fleet", "work", "--slots", "1", "--providers", SCRIPT],
                cwd=self.root, env=dict(self.environ), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def die(self) -> int:
        """All that runs for this machine is killed at once, as by a power cut. How many processes that were."""
        killed: set[int] = set()
        if self.worker and self.worker.poll() is None:
            killed.add(self.worker.pid)
            self.worker.kill()
        while found := find(self.mark, None):
            for pid in found:
                killed.add(pid)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if self.worker:
            self.worker.wait()
        return len(killed)


@dataclass
class Trial:
    """A fleet of two, from nothing to its end; whatever it made and started is gone after the block `with`."""

    say: Say
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="samoloop-fleet-")))
    hosts: list[_Host] = field(default_factory=list)
    _told: set[object] = field(default_factory=set)
    _open: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> "Trial":
        self._open.callback(shutil.rmtree, self.folder, ignore_errors=True)
        try:
            self._make()
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _make(self) -> None:
        server = self._open.enter_context(Postgres())
        self.say("", "A Postgres of its own is up, on this machine alone.")
        example, seed, remote = examples.get(EXAMPLE), self.folder / "project", self.folder / "remote.git"
        examples.copy(example, seed)
        _git(self.folder, *_CLONE, "--quiet", "--bare", str(seed), str(remote))
        shutil.rmtree(seed)
        for name in (_FIRST, "second"):
            host = self._host(name, server.url, remote)
            self.hosts.append(host)
            self._open.callback(host.die)
        self.hosts[0].command("fleet", "init")
        self.database = self._open.enter_context(Database(server.url, "try", LEASE_SECONDS))
        for host in self.hosts:
            host.start()

    def _host(self, name: str, url: str, remote: Path) -> _Host:
        home, root = self.folder / name, self.folder / name / "project"
        settings = home / "config" / "samoloop" / "config.yaml"
        make_folder(settings.parent)
        write_atomic(settings, f"fleet:\n  machine: {name}\n  lease: {LEASE_SECONDS}s\n  database: {url}\n", mode=0o600)
        (home / ".gitconfig").write_text("[user]\n\tname = samoloop try\n\temail = try@localhost\n", encoding="ascii")
        _git(home, *_CLONE, "--quiet", str(remote), str(root))
        mark = Mark(_MARK, f"{name}-{secrets.token_hex(8)}")
        others = {key: value for key, value in os.environ.items() if not key.startswith(("SAMOLOOP_", "TELEGRAM_"))}
        own = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "XDG_STATE_HOME": str(home / "state")}
        kept = {key: os.environ[key] for key in ("SAMOLOOP_SANDBOX",) if key in os.environ}
        pace = os.environ.get(PACE, str(_PACE_SECONDS))
        return _Host(name, home, root, url, mark, others | own | kept | {PACE: pace, mark.name: mark.word})

    # --- what happens -------------------------------------------------------------------------------------------------

    def play(self) -> None:
        """The session from its hand-off to its end, on both machines.

        Raises SamoloopError where a machine ends that should not, or nothing happens any more.
        """
        first, second = self.hosts
        task = examples.get(EXAMPLE).task.strip()
        self._until(lambda: len(self.database.machines()) == len(self.hosts))
        self.say("", "Two machines take sessions, each with a home and a clone of its own.")
        first.command("run", task, "--session", EXAMPLE, "--provider", SCRIPT, "--fleet")
        self.say("you", f'on first: samoloop run "{task.splitlines()[0]}" --fleet')
        self._watch(lambda: any(host.is_in(_DIES_IN) for host in self.hosts))
        victim, other = (first, second) if first.is_in(_DIES_IN) else (second, first)
        killed, began = victim.die(), time.monotonic()
        self.say(victim.name, f"DIES in the middle of it, as by a power cut: {killed} processes killed")
        self._until(lambda: self._row().machine == other.name)
        self.say(other.name, f"takes over, {time.monotonic() - began:.0f} s later: {victim.name} was not heard of")
        self._watch(lambda: self._row().condition == "done" and not self._row().at_work)
        self._tell_result(other)

    def _tell_result(self, host: _Host) -> None:
        row = self._row()
        machines = {one.iteration: name for name, one in host.own(Ended)}
        ran = ", ".join(f"{count} on {name}" for name, count in Counter(machines.values()).items())
        self.say(row.machine, f"done: {row.title}")
        self.say("", f"Its journal has {len(machines)} iterations, each once: {ran}.")
        branch = json.loads(host.command("status", row.name, "--json"))["branch"]
        count = _git(self.folder / "remote.git", "rev-list", "--count", f"main..{branch}").strip()
        self.say("", f"Its branch {branch} is on the remote, with {count} commits.")

    def _row(self) -> SessionRow:
        return self.database.sessions()[0]

    def _watch(self, there: Callable[[], bool]) -> None:
        """Tell what happens, and answer for the person, until it is there."""

        def look() -> bool:
            is_there = there()  # asked first: what made it so is told before what follows
            for host in self.hosts:
                for name, child in host.own(Started):
                    if name == host.name and (what := (name, child.iteration, child.attempt)) not in self._told:
                        self._told.add(what)
                        self.say(name, f"iteration {child.iteration}: a child is at work, in {child.phase}")
            row = self._row()
            if row.condition == "waiting" and not row.at_work and row.reason not in self._told:
                self._told.add(row.reason)
                self.say(row.machine, row.reason)
                self._decide(row)
            return is_there

        self._until(look)

    def _decide(self, row: SessionRow) -> None:
        """A person answers, on another machine than the one that asked where there is one."""
        live = [host for host in self.hosts if host.worker and host.worker.poll() is None]
        host = next((host for host in live if host.name != row.machine), live[0])
        self._until(lambda: self._asks(host, row.name))
        words = ("approve", row.name) if "plan" in row.reason else ("answer", row.name, "--suggested")
        host.command(*words)
        self.say("you", f"on {host.name}: samoloop {' '.join(words)}")

    def _asks(self, host: _Host, name: str) -> bool:
        """Whether the copy there has come to the gate."""
        try:
            return json.loads(host.command("status", name, "--json"))["gate"] is not None
        except SamoloopError:
            return False  # it has not come yet

    def _until(self, holds: Callable[[], object]) -> None:
        ends = time.monotonic() + _PATIENCE_SECONDS
        while not holds():
            for host in self.hosts:
                if host.worker and host.worker.poll() not in (None, -signal.SIGKILL):
                    raise SamoloopError(f"{host.name} ended by itself; it said:\n{tail(host.log, 2000)}")
            if time.monotonic() > ends:
                said = "\n".join(f"{host.name}:\n{tail(host.log, 1000)}" for host in self.hosts)
                raise SamoloopError(f"nothing happens any more; the machines said:\n{said}")
            time.sleep(_LOOK_SECONDS)


def _git(where: Path, *words: str) -> str:
    done = execute(words, cwd=where, environ=environment())
    if done.returncode:
        raise failure(words, done, where)
    return os.fsdecode(done.stdout)
