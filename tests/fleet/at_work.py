"""A fleet on this machine, by the commands that people type: homes, clones of one remote, and `fleet work` in each."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from kit import git, make_repo, samoloop, script, until
from machines import own_clone


@dataclass
class Host:
    """One machine: a home, a clone at a path of its own, and its worker."""

    name: str
    home: Path
    root: Path
    url: str
    lease_seconds: int
    worker: "subprocess.Popen[str] | None" = None
    settings: dict[str, Any] = field(default_factory=dict)  # of the person, beside those of the fleet

    @property
    def env(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "XDG_STATE_HOME": str(self.home / "state"),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "FLEET_HOST": self.name,
        }

    def settle(self) -> None:
        """Write the person's settings."""
        path = self.home / "config" / "samoloop" / "config.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        fleet = {"machine": self.name, "lease": f"{self.lease_seconds}s", "database": self.url or None}
        path.write_text(yaml.safe_dump({"fleet": fleet, **self.settings}))

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return samoloop(self.root, *words, env=self.env)

    @contextmanager
    def running(self, *words: str) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
        """A command that goes on meanwhile, and the file that has what it says."""
        path = self.home / f"{words[0]}.txt"
        with path.open("w") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "samoloop", *words],
                cwd=self.root,
                env={**os.environ, **self.env},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        try:
            yield process, path
        finally:
            process.kill()
            process.wait()

    def say(self, *words: str) -> str:
        """What a command that has to work says."""
        done = self.run(*words)
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @property
    def log(self) -> Path:
        return self.home / "work.log"

    def said(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def start(self, *words: str) -> None:
        """Begin to work; done once the fleet knows."""
        before = len(self.said())
        self.begin(*words)
        until(lambda: "takes sessions" in self.said()[before:] or self.worker.poll() is not None)
        assert self.worker.poll() is None, self.said()

    def begin(self, *words: str) -> None:
        """The same, whatever becomes of it."""
        with self.log.open("a") as log:
            self.worker = subprocess.Popen(
                [sys.executable, "-m", "samoloop", "fleet", "work", *words],
                cwd=self.root,
                env={**os.environ, **self.env},
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )

    def end(self, number: int = signal.SIGINT, seconds: float = 60) -> int:
        """Ask the worker to end, and wait for that."""
        assert self.worker
        self.worker.send_signal(number)
        code = self.worker.wait(seconds)
        self.worker = None
        return code

    def kill(self) -> None:
        """The machine dies: its worker, and all that it started, as the kernel would end them."""
        assert self.worker
        self.worker.kill()
        self.worker.wait()
        self.worker = None
        while running := self.processes():
            for pid in running:
                kill(pid)

    def processes(self) -> list[int]:
        """All that runs here, told by the variable that it inherits."""
        found, wanted = [], f"HOME={self.home}".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0") and int(entry.name) != os.getpid():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def sessions(self) -> list[Path]:
        """The folders of the copies here."""
        return [path for path in self.root.glob("_sessions/*") if path.is_dir() and not path.name.startswith(".")]

    def records(self, name: str) -> list[dict[str, Any]]:
        """The journal of the copy here; none where there is no copy."""
        for journal in (self.home / "state" / "samoloop" / "control").glob(f"*{name}-*/_history.jsonl"):
            return [json.loads(line) for line in journal.read_text().splitlines() if line.endswith("}")]
        return []

    def folder(self, name: str) -> Path:
        """Of the session's copy here."""
        return next(self.root.glob(f"_sessions/*{name}"))

    def text(self, name: str, file: str) -> str:
        return (self.folder(name) / file).read_text()

    def inbox(self, name: str) -> str:
        """The words for the next child that the copy here has."""
        found = (self.home / "state" / "samoloop" / "control").glob(f"*{name}-*/_inbox.md")
        return "".join(path.read_text() for path in found)

    def git(self, *words: str) -> str:
        return git(self.root, *words)

    def stamp_answer(self, name: str) -> float:
        """A person saves an answer as a command does it, and when that was: starting the command is not counted."""
        path = self.folder(name) / "_qa.md"
        until(lambda: "_waiting_" in path.read_text())  # until then the copy shows the gate before
        text = path.read_text().replace("_waiting_", "A")
        [wake] = (self.home / "state" / "samoloop" / "control").glob(f"*{name}-*/_wake")
        path.with_name(".new").write_text(text)
        path.with_name(".new").rename(path)
        os.utime(wake)
        return time.time()

    def status(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.say("status", name, "--json"))
        return found


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def fleet_row(host: Host, name: str) -> dict[str, Any] | None:
    """How the fleet says that a session stands."""
    rows = json.loads(host.say("fleet", "status", "--json"))["sessions"]
    return next((row for row in rows if row["session"].endswith(name)), None)


def waits(host: Host, name: str) -> bool:
    row = fleet_row(host, name)
    return bool(row) and row["condition"] == "waiting" and not row["at_work"]


@contextmanager
def hosts(
    folder: Path,
    url: str,
    child: str,
    *names: str,
    lease_seconds: int = 3,
    settings: Mapping[str, Any] | None = None,
    fill: Callable[[Path], object] = lambda seed: None,
) -> Iterator[list[Host]]:
    """Machines of a new fleet, none at work yet; whatever they started has ended afterwards. `fill` puts more into the
    repository."""
    program = script(folder, child)
    seed = make_repo(folder / "seed")
    fill(seed)
    provider = {"provider": "scripted", "providers": {"scripted": {"command": [str(program)]}}}
    (seed / ".samoloop.yaml").write_text(json.dumps({**provider, **(settings or {})}))
    git(seed, "add", ".")
    git(seed, "commit", "--quiet", "-m", "Settings")
    git(folder, "clone", "--quiet", "--bare", str(seed), str(folder / "remote.git"))
    made = []
    for name in names:
        home, root = own_clone(folder, name)
        made.append(Host(name, home, root, url, lease_seconds))
        made[-1].settle()
    made[0].say("fleet", "init")
    try:
        yield made
    finally:
        for host in made:
            if host.worker:
                host.worker.send_signal(signal.SIGTERM)
        for host in made:
            if host.worker:
                try:
                    host.worker.wait(20)
                except subprocess.TimeoutExpired:
                    host.worker.kill()
                    host.worker.wait()
        for host in made:
            for pid in host.processes():
                kill(pid)
