"""The fleet of a fault run: a remote and a database, each on a host of its own, and machines that work."""

import json
import re
import shutil
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import yaml
from hosts import Host, Network, Remote, Server

from samoloop.base.errors import SamoloopError
from samoloop.core.journal import FILE_NAME, Journal
from samoloop.core.records import Record
from samoloop.core.state import State, fold

HERE = Path(__file__).parent
MACHINES = ("ann", "bob", "cal")
SMALL_DISK = "bob"  # whose disk can be filled
DISK_MB = 400
COMMAND_SECONDS = 150  # within which every command has ended, whatever happens to the host
LEDGER = "ledger"
# How soon a machine notices that nobody is at the other end any more; by itself a kernel takes hours, and git minutes.
NOTICES = {"tcp_keepalive_time": 3, "tcp_keepalive_intvl": 1, "tcp_keepalive_probes": 4, "tcp_retries2": 6}


def uptime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Machine:
    """A host that works for the fleet, started again where its `fleet work` ends, as a unit of systemd would."""

    def __init__(self, host: Host, root: Path, logs: Path) -> None:
        self.host, self.root, self.name = host, root, host.name
        self.log = logs / f"{host.name}.log"
        self.up = False  # nothing is started on a host without power
        self.began = 0  # how often its work was started
        self._work: subprocess.Popen[str] | None = None
        self._turn = threading.Lock()

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """A person's command there, whatever becomes of it. Raises TimeoutExpired; the log has where it hung then."""
        command = (sys.executable, "-X", "faulthandler", "-m", "samoloop", *words)
        began = uptime()
        try:
            done: subprocess.CompletedProcess[str] = self.host.run(
                *command, cwd=self.root, check=False, timeout=COMMAND_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            self._note(began, words, f"hung\n{error.output}{error.stderr}")
            raise
        self._note(began, words, f"{done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def _note(self, began: float, words: tuple[str, ...], what: str) -> None:
        with self.log.with_suffix(".commands").open("a") as file:
            print(f"{began:.1f} to {uptime():.1f} {words} -> {what}", file=file)

    def look_after(self) -> None:
        """See that it works, where it has power."""
        with self._turn:
            if self.up and (self._work is None or self._work.poll() is not None):
                self.began += 1
                with self.log.open("a") as log:
                    print(f"--- {uptime():.1f} start {self.began}", file=log, flush=True)
                    self._work = self.host.start(
                        sys.executable, "-m", "samoloop", "fleet", "work", "--slots", "2",
                        cwd=self.root, stdout=log, stderr=log,
                    )  # fmt: skip

    @property
    def worker(self) -> "subprocess.Popen[str] | None":
        return self._work if self._work is not None and self._work.poll() is None else None

    def lose_power(self) -> None:
        with self._turn:
            self.up = False
            self.host.kill()

    def end(self) -> None:
        with self._turn:
            self.up = False
        if self.worker is not None:
            self.worker.send_signal(2)

    def pids(self, words: bytes) -> list[int]:
        """Processes there with these words in their command."""
        found = []
        for pid in self.host.pids():
            with suppress(OSError):
                if words in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return found

    def turns(self) -> list[int]:
        """The processes of iterations at work: those that hold a session."""
        held = []
        for lock in self._controls("*", "_lock"):
            with suppress(OSError, ValueError):
                held.append(int(lock.read_text()))
        return [pid for pid in self.pids(b"--worker\0--no-wait\0--once\0") if pid in held]

    def journal(self, name: str) -> Path | None:
        return next(iter(self._controls(f"*{name}-*", FILE_NAME)), None)

    def records(self, name: str) -> list[Record]:
        """The journal of the copy here, as far as it can be read at this moment."""
        with suppress(SamoloopError, OSError):
            if path := self.journal(name):
                return Journal(path).read()
        return []

    def state(self, name: str) -> State | None:
        with suppress(SamoloopError, OSError):
            if records := self.records(name):
                return fold(records)
        return None

    def _controls(self, folder: str, file: str) -> list[Path]:
        return list((self.host.home / ".local" / "state" / "samoloop" / "control").glob(f"{folder}/{file}"))


class Scene:
    """All hosts, ready to work."""

    def __init__(self, network: Network, lease_seconds: int) -> None:
        self.network, self.lease_seconds = network, lease_seconds
        self.remote, self.server = Remote(network), Server(network)
        self.child = network.folder / "child.sh"
        shutil.copy(HERE / "child.sh", self.child)
        self.clock = network.folder / "clock"  # the seconds by which one host is off
        self.set_clock(0)
        self.logs = network.folder / "logs"
        self.logs.mkdir()
        provider = {"provider": "scripted", "providers": {"scripted": {"command": [str(self.child)]}}}
        self.remote.seed({".samoloop.yaml": json.dumps(provider), "README.md": "A project.\n"})
        self.remote.start()
        self.server.start()
        self.machines = [self._machine(name) for name in MACHINES]
        assert self.machines[0].run("fleet", "init").returncode == 0, self.machines[0].log.with_suffix(".commands")

    def _machine(self, name: str) -> Machine:
        off = {"LD_PRELOAD": str(built(self.network.folder)), "CLOCK_OFF": str(self.clock)} if name == "cal" else {}
        host = self.network.host(name, DISK_MB if name == SMALL_DISK else 0, off)
        for setting, seconds in NOTICES.items():
            host.run("sh", "-c", f"echo {seconds} > /proc/sys/net/ipv4/{setting}")
        root = host.clone(self.remote.url, f"at-{name}/project")
        settings = host.home / ".config" / "samoloop" / "config.yaml"
        settings.parent.mkdir(parents=True)
        fleet = {"machine": name, "lease": f"{self.lease_seconds}s", "database": self.server.url}
        settings.write_text(yaml.safe_dump({"fleet": fleet}))
        return Machine(host, root, self.logs)

    def set_clock(self, seconds: int) -> None:
        with self.clock.open("r+b" if self.clock.exists() else "wb") as file:
            file.write(struct.pack("q", seconds))

    def ledger(self) -> list[list[str]]:
        path = self.child.with_name(LEDGER)
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def git(self, *words: str) -> str:
        """Git in the remote itself, whoever serves it."""
        done = subprocess.run(["git", *words], cwd=self.remote.path, capture_output=True, text=True, check=False)
        return done.stdout.strip()


def built(folder: Path) -> Path:
    """The library of a wall clock that is off."""
    library = folder / "clock.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(HERE / "clock.c"), "-ldl"], check=True)
    return library


def why_not() -> str:
    """Why the run cannot be had here, beside what hosts need; empty where it can."""
    return "" if shutil.which("cc") else "there is no C compiler, for a clock that is off"


def said_on(machine: Machine) -> str:
    """All that a person could read there: its work's log and what commands told them."""
    found = [path.read_text() for path in (machine.log, machine.log.with_suffix(".commands")) if path.exists()]
    return "".join(found)


def told(machine: Machine, words: str) -> bool:
    """Whether a sentence there speaks of these words; the command that gave them repeats them in its own line."""
    return any(
        re.search(rf"\b{re.escape(words)}\b", line) and not re.match(r"\d+\.\d to \d+\.\d \(", line)
        for line in said_on(machine).splitlines()
    )


def marks_of(scene: Scene, commit: str, folder: str, name: str) -> dict[int, str]:
    """Iteration -> token, from files of a commit's tree."""
    found: dict[int, str] = {}
    for line in scene.git("ls-tree", "--full-tree", commit, f"{folder}/").splitlines():
        oid, path = line.split()[2], line.partition("\t")[2]
        if match := re.fullmatch(name, path.rpartition("/")[2]):
            found[int(match[1])] = scene.git("cat-file", "blob", oid)
    return found
