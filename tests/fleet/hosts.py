"""Several hosts on one machine: each is a network namespace with an address, a home and processes of its own.

They meet at a bridge that has a namespace of its own too, so nothing of this machine's network changes. What a run made
carries its owner's process in its name; where that owner died, the next run removes it.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from samoloop.base import proc

HERE = Path(__file__).resolve().parent
_PREFIX = "samoloop-"
_NAME = re.compile(r"samoloop-(\d+)-(\d+)-[a-z0-9-]+")
_FOLDER = re.compile(r"samoloop-fleet-(\d+)-(\d+)-\w+")
_NETWORK = "10.77.0."
_NOBODY = "02:00:00:00:00:01"
_GIT_PORT, _POSTGRES_PORT = 9418, 5432
_END_SECONDS = 20.0
_NEEDED = ("ip", "git", "mount")


def why_not() -> str:
    """Why there can be no such hosts here; empty where they can be had."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [name for name in _NEEDED if shutil.which(name) is None]
    if missing:
        return f"there is no {' and no '.join(missing)}"
    from samoloop.base.errors import SamoloopError
    from samoloop.fleet import postgres

    try:
        postgres.find()
        with Network() as network:
            network.host("probe")
    except SamoloopError as error:
        return str(error)
    except subprocess.CalledProcessError as error:
        return f"{' '.join(error.cmd)}: {error.stderr.strip()}"
    return ""


class Network:
    """The hosts of one run, and what belongs to them. All of it ends with the `with` block."""

    def __init__(self) -> None:
        owner = os.getpid()
        self._mine = f"{_PREFIX}{owner}-{proc.started_ticks(owner)}-{os.urandom(2).hex()}"
        self.folder = Path(tempfile.mkdtemp(prefix=f"samoloop-fleet-{owner}-{proc.started_ticks(owner)}-"))
        self.folder.chmod(0o755)
        self.hosts: dict[str, Host] = {}
        self._switch = f"{self._mine}-net"

    def __enter__(self) -> Self:
        try:
            remove_leftovers()
            _ip("netns", "add", self._switch)
            _ip("-n", self._switch, "link", "add", "bridge", "type", "bridge")
            _ip("-n", self._switch, "link", "set", "bridge", "up")
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def host(self, name: str, disk_mb: int = 0, environ: Mapping[str, str] | None = None) -> "Host":
        """One more. Its disk is this machine's, or a small one of its own; `environ` is what all there have besides."""
        number = len(self.hosts) + 1
        one = Host(self, name, f"{self._mine}-{name}", f"{_NETWORK}{number}", environ or {})
        self.hosts[name] = one
        port = f"port{number}"
        _ip("netns", "add", one.namespace)
        _ip("-n", one.namespace, "link", "set", "lo", "up")
        _ip("-n", self._switch, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", one.namespace)
        _ip("-n", self._switch, "link", "set", port, "master", "bridge", "up")
        _ip("-n", one.namespace, "address", "add", f"{one.address}/24", "dev", "eth0")
        _ip("-n", one.namespace, "link", "set", "eth0", "up")
        one.folder.mkdir()
        if disk_mb:
            _run("mount", "-t", "tmpfs", "-o", f"size={disk_mb}m", "samoloop", str(one.folder))
        one.home.mkdir()
        (one.folder / "tmp").mkdir()
        (one.home / ".gitconfig").write_text(f"[user]\nname = {name}\nemail = {name}@example.org\n")
        return one

    def cut(self, host: "Host") -> None:
        """The cable is out: what is sent is lost, and nobody is told."""
        self._link(host, "down")

    def join(self, host: "Host") -> None:
        self._link(host, "up")

    def lose(self, host: "Host", other: "Host") -> None:
        """What one sends to the other is lost, and neither is told: it goes to a card that nobody has."""
        nobody = ("lladdr", _NOBODY, "nud", "permanent")
        _ip("-n", host.namespace, "neighbour", "replace", other.address, *nobody, "dev", "eth0")

    def find(self, host: "Host", other: "Host") -> None:
        _ip("-n", host.namespace, "neighbour", "delete", other.address, "dev", "eth0")

    def remove(self) -> None:
        """End all that runs on the hosts, and take away what was made."""
        for one in self.hosts.values():
            one.kill()
        _remove(name for name in _namespaces() if name.startswith(self._mine))
        _throw_away(self.folder)

    def _link(self, host: "Host", state: str) -> None:
        _ip("-n", self._switch, "link", "set", f"port{host.address.removeprefix(_NETWORK)}", state)


class Host:
    """A machine with an address, a home, and the processes that were started on it."""

    def __init__(
        self, network: Network, name: str, namespace: str, address: str, environ: Mapping[str, str] | None = None
    ) -> None:
        self.network, self.name, self.namespace, self.address = network, name, namespace, address
        self.folder = network.folder / name
        self.home = self.folder / "home"
        self._besides = dict(environ or {})
        self._started: list[subprocess.Popen[str]] = []

    @property
    def environ(self) -> dict[str, str]:
        """What a person has who is logged in there."""
        programs = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
        return {
            "HOME": str(self.home),
            "PATH": programs,
            "LANG": "C.UTF-8",
            "HOSTNAME": self.name,
            "TMPDIR": str(self.folder / "tmp"),
            "SAMOLOOP_SANDBOX": "off",
            "PYTHONUNBUFFERED": "1",
            **self._besides,
        }

    def run(self, *command: str, cwd: Path | None = None, check: bool = True, **more: Any) -> Any:
        """Run it to its end there; its output is in the answer. One that takes too long is asked to abort, which has a
        Python with its fault handler say where it is. Raises TimeoutExpired with what it said."""
        env = self._environ(more.pop("environ", {}))
        words, seconds = self._there(command), more.pop("timeout", 60)
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        with subprocess.Popen(words, cwd=cwd or self.home, env=env, text=True, **streams) as process:
            try:
                said, errors = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGABRT)
                said, errors = process.communicate()
                raise subprocess.TimeoutExpired(words, seconds, said, errors) from None
        answer = subprocess.CompletedProcess(words, process.returncode, said, errors)
        if check and answer.returncode:
            raise AssertionError(f"{command} on {self.name} ended with {answer.returncode}: {answer.stderr[-2000:]}")
        return answer

    def start(self, *command: str, cwd: Path | None = None, log: str = "log", **more: Any) -> "subprocess.Popen[str]":
        """Start it there; what it says goes to a file of its folder, unless `stdout` is given."""
        env = self._environ(more.pop("environ", {}))
        with (self.folder / log).open("a") as file:
            streams = {"stdin": subprocess.DEVNULL, "stdout": file, "stderr": file, **more}
            words = self._there(command)
            process = subprocess.Popen(
                words, cwd=cwd or self.home, env=env, text=True, start_new_session=True, **streams
            )
        self._started.append(process)
        return process

    def pids(self) -> set[int]:
        """All processes there, whoever started them."""
        found = subprocess.run(["ip", "netns", "pids", self.namespace], capture_output=True, text=True, check=False)
        return {int(pid) for pid in found.stdout.split()}

    def kill(self) -> None:
        """Every process there dies at once, as where the power goes."""
        ends = time.monotonic() + _END_SECONDS
        while (pids := self.pids()) and time.monotonic() < ends:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for process in self._started:
                process.poll()  # a zombie would be listed for ever
            time.sleep(0.005)
        for process in self._started:
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe:
                    pipe.close()
        self._started.clear()

    def clone(self, url: str, folder: str = "project") -> Path:
        place = self.folder / folder
        self.run("git", "clone", "-q", url, str(place))
        return place

    def fill_disk(self) -> Path:
        """Leave nothing free; the file that takes it all."""
        filler = self.folder / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(1 << 16)):
                pass
        return filler

    def _there(self, command: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", self.namespace, *command]

    def _environ(self, more: Mapping[str, str]) -> dict[str, str]:
        return {**self.environ, **more}


class Remote:
    """A host with a bare repository that all may push to."""

    def __init__(self, network: Network, name: str = "remote") -> None:
        self.host = network.host(name)
        self.path = self.host.folder / "project.git"
        self.url = f"git://{self.host.address}/project.git"
        self.host.run("git", "init", "-q", "--bare", "-b", "main", str(self.path))

    def start(self) -> None:
        """Serve it."""
        self.host.start(
            "git", "daemon", "--reuseaddr", f"--listen={self.host.address}", f"--port={_GIT_PORT}",
            f"--base-path={self.host.folder}", "--export-all", "--enable=receive-pack", str(self.host.folder),
        )  # fmt: skip
        until(lambda: self.host.run("git", "ls-remote", self.url, check=False).returncode == 0, "the remote serves")

    def stop(self) -> None:
        self.host.kill()

    def seed(self, files: Mapping[str, str]) -> None:
        """A first commit on main."""
        tree = self.host.folder / "seed"
        tree.mkdir()
        self.host.run("git", "init", "-q", "-b", "main", cwd=tree)
        for name, text in files.items():
            (tree / name).write_text(text)
        self.host.run("git", "add", "-A", cwd=tree)
        self.host.run("git", "commit", "-qm", "first", cwd=tree)
        self.host.run("git", "push", "-q", str(self.path), "main", cwd=tree)


class Server:
    """A host with Postgres."""

    def __init__(self, network: Network, name: str = "database") -> None:
        self.host = network.host(name)
        self.url = ""
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        serve = (sys.executable, str(HERE / "serve_postgres.py"), self.host.address, str(_POSTGRES_PORT))
        self._process = self.host.start(*serve, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.url = self._said()

    def ask(self, what: str) -> None:
        """`kill`, `stop` or `start` the server; its data stays."""
        assert self._process and self._process.stdin
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        assert self._said() == what

    def _said(self) -> str:
        assert self._process and self._process.stdout
        said = self._process.stdout.readline().strip()
        assert said, (self.host.folder / "log").read_text()[-2000:]
        return said


def until(condition: Any, what: str, seconds: float = 30.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def remove_leftovers() -> None:
    """What earlier runs left that did not come to their end."""
    _remove(name for name in _namespaces() if (found := _NAME.fullmatch(name)) and not _lives(found))
    for path in Path(tempfile.gettempdir()).glob("samoloop-fleet-*"):
        if (found := _FOLDER.fullmatch(path.name)) and not _lives(found):
            _throw_away(path)


def _lives(owner: re.Match[str]) -> bool:
    return proc.started_ticks(int(owner[1])) == int(owner[2])


def _namespaces() -> list[str]:
    return [line.split()[0] for line in _ip("netns", "list").splitlines() if line]


def _remove(namespaces: Iterator[str]) -> None:
    for name in namespaces:
        ends = time.monotonic() + _END_SECONDS
        while (pids := _ip("netns", "pids", name).split()) and time.monotonic() < ends:
            for pid in map(int, pids):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.005)
        _ip("netns", "delete", name)


def _throw_away(folder: Path) -> None:
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for place in mounted:
        if Path(place).is_relative_to(folder):
            _run("umount", "-l", place)
    shutil.rmtree(folder)


def _ip(*words: str) -> str:
    return _run("ip", *words)


def _run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout
