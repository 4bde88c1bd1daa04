"""One run of the real command line that is to meet a fault: `python tests/faults/driver.py SCENE [MODE PARTITION]`.

The product knows nothing of this: its effects name themselves, and here that may end the process. Faults of the disk
are put between Python and the operating system.
"""

import contextlib
import errno
import io
import os
import re
import signal
import stat
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from disk import Disk

import samoloop.checks.examining
import samoloop.children.wrapper
import samoloop.git.calls
import samoloop.worker.iteration
from samoloop.base import effects
from samoloop.core.session import all_sessions
from samoloop.core.state import State
from samoloop.ui import cli
from samoloop.worker.delivery import Delivery
from samoloop.worker.worker import Worker

TASK = "Add a feature"
POINTS = "points.txt"  # every point that the scene's runs came to, one a line
AT_POINTS = ("point", "cut")
MET = "met.txt"  # the places where there was a fault
ERRORS = {"enospc": errno.ENOSPC, "eio": errno.EIO}
# What fails on a full disk; the rest of git only reads.
GIT_WRITES = {
    "update-index",
    "write-tree",
    "update-ref",
    "worktree",
    "init",
    "symbolic-ref",
    "read-tree",
    "commit-tree",
}
GATES = {"qa_answers": "gate: answers", "plan_approval": "gate: plan"}


def column(state: State | None) -> str:
    """Where a session stands, as a column of the matrix."""
    if state is None or state.prepared is None:
        return "init"
    kind = state.gate.kind if state.gate else state.wanted and state.wanted.wait_for
    return GATES.get(str(kind), state.phase)


def living(scene: Path) -> dict[int, tuple[str, bool]]:
    """All living processes of a scene but this one: command line, and whether it is a child or started by one."""
    found = {}
    mark = f"FAULTS_SCENE={scene}\0".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            environment = (entry / "environ").read_bytes()
            ended = (entry / "stat").read_text().rpartition(") ")[2][:1] == "Z"
            if mark in environment and not ended:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found[int(entry.name)] = (line, b"SAMOLOOP_MARKER=" in environment)
    return found


@dataclass
class Fault:
    """When this process shall meet its fault: at the first place of its share where no fault was before.

    `mode`: point (end just before or after an effect that names itself), before or after (end there, at an effect on
    the disk), enospc, eio, cut (the power fails at such a point), or none.
    `share`: for points the name of the point; else "k/n": every n-th place, beginning with the k-th.
    """

    scene: Path
    mode: str = "none"
    share: str = ""
    worker: Worker | None = None
    disk: Disk | None = None  # one that loses what was not synced
    happened: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    write: Callable[..., int] = os.write
    open: Callable[..., int] = os.open

    def at(self, point: str) -> None:
        """Just before or just after an effect that names itself."""
        self._remember(point, POINTS)
        if point in self.share.split(",") and self._is_first(point):
            if self.disk:
                while alive := living(self.scene):
                    for pid in alive:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)
                self.disk.fail()
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, name: str, call: Callable[[], Any], fails: Callable[[int], Any] | None) -> Any:
        """An effect on the disk. `fails` does what a disk does that has this errno; None: it cannot."""
        if self.mode == "enospc" and self.happened and fails:
            return fails(errno.ENOSPC)  # a full disk stays full
        if not self._is_mine(name) or (self.mode in ERRORS and not fails):
            return call()
        if not self._is_first(name):
            return call()
        self.happened = True
        if self.mode in ERRORS and fails:
            return fails(ERRORS[self.mode])
        if self.mode == "after":
            call()
        os.kill(os.getpid(), signal.SIGKILL)

    def _is_mine(self, name: str) -> bool:
        number, _, of = self.share.partition("/")
        return bool(of) and zlib.crc32(self._key(name).encode()) % int(of) == int(number)

    def _key(self, name: str) -> str:
        iteration = self.worker.session.state().iteration if self._state() else 0
        return f"{name}#{self.counts[name]}|{self._column()}|{iteration}"

    def _is_first(self, name: str) -> bool:
        """Whether nothing was done here in an earlier run; notes it."""
        key = f"{name}|{self._column()}|{self._state().iteration if self._state() else 0}"
        if self.mode not in AT_POINTS:
            key = self._key(name)
        path = self.scene / MET
        if path.exists() and key in path.read_text().splitlines():
            return False
        self._remember(key)
        return True

    def _remember(self, key: str, file: str = MET) -> None:
        descriptor = self.open(self.scene / file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.write(descriptor, f"{key}\n".encode())
        os.close(descriptor)

    def _state(self) -> State | None:
        return self.worker.session._state if self.worker else None

    def _column(self) -> str:
        return column(self._state())


class File:
    """A file opened for writing, whose writes are effects."""

    def __init__(self, fault: Fault, name: str, file: Any):
        self._fault, self._name, self._file = fault, name, file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "File":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: Any) -> Any:
        return self._fault.around(f"write {self._name}", lambda: self._file.write(data), raising)


def raising(number: int) -> Any:
    raise OSError(number, os.strerror(number))


def label(path: Any) -> str:
    """A file by what it is, not by how it is called this time."""
    if isinstance(path, int):
        try:
            path = Path(f"/proc/self/fd/{path}").readlink()
        except OSError:
            return "?"
    path = os.fsdecode(path)
    if "/objects/" in path:
        return "object" if "." not in Path(path).name else Path(path).name
    name = re.sub(r"^\.(.+)\.[\w]{8}\.tmp$", r"\1", Path(path).name)
    return re.sub(r"^\d{3,6}(-\w+)?(\.\d+)?(?=\.)", "N", name)


def watch(fault: Fault) -> None:
    """Put the fault between this process and the disk, or at one of the points that effects name."""

    make = Worker.__init__

    def made(worker: Worker, *given: Any, **named: Any) -> None:
        make(worker, *given, **named)
        fault.worker = worker

    Worker.__init__ = made  # type: ignore[method-assign]
    if fault.mode in AT_POINTS:
        effects.observer = fault.at
    if fault.mode == "cut":
        fault.disk = Disk((fault.scene / "repo", fault.scene / "home"))
        fault.disk.install()
    samoloop.checks.examining.QUICK_SECONDS = 0.02  # so its check is a slow one, at work beside the first children
    Delivery.close.__defaults__ = (0.1,)  # a disk that is full stays so, however long one waits
    if fault.mode in ("none", *AT_POINTS):
        return

    def around(name: str, call: Callable[[], Any], fails: Any = raising) -> Any:
        result = fault.around(name, call, fails)
        fault.counts[name] += 1
        return result

    real_open, real_fdopen, real_io_open = os.open, os.fdopen, io.open
    writing = os.O_WRONLY | os.O_RDWR

    def open_(path: Any, flags: int, *rest: Any, **named: Any) -> int:
        if not flags & writing:
            return real_open(path, flags, *rest, **named)
        return around(f"open {label(path)}", lambda: real_open(path, flags, *rest, **named))

    def fdopen(descriptor: int, mode: str = "r", *rest: Any, **named: Any) -> Any:
        file = real_fdopen(descriptor, mode, *rest, **named)
        return File(fault, label(descriptor), file) if set(mode) & set("wax+") else file

    def io_open(path: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
        if isinstance(path, int) or not set(mode) & set("wax+"):
            return real_io_open(path, mode, *rest, **named)
        opened = around(f"open {label(path)}", lambda: real_io_open(path, mode, *rest, **named))
        return File(fault, label(path), opened)

    def one(name: str, real: Callable[..., Any], which: int = 0, fails: Any = raising) -> Callable[..., Any]:
        return lambda *given, **named: around(f"{name} {label(given[which])}", lambda: real(*given, **named), fails)

    os.open, os.fdopen, io.open = open_, fdopen, io_open  # type: ignore[assignment]
    os.fsync = one("fsync", os.fsync)
    real_write, write = os.write, one("write", os.write)
    os.write = lambda number, data: (write if stat.S_ISREG(os.fstat(number).st_mode) else real_write)(number, data)
    os.replace, os.rename = one("rename", os.replace, 1), one("rename", os.rename, 1)
    os.mkdir = one("mkdir", os.mkdir)
    os.unlink = one("unlink", os.unlink, 0, None)
    real_execute, real_start = samoloop.git.calls.execute, samoloop.children.wrapper.start

    def execute(args: tuple[str, ...], **named: Any) -> Any:
        word = next((w for w in args if w[0] != "-" and "=" not in w), "?")

        def fails(number: int) -> Any:
            if number == errno.ENOSPC and word not in GIT_WRITES:
                return real_execute(args, **named)
            return subprocess.CompletedProcess(args, 128, b"", f"fatal: {os.strerror(number)}".encode())

        return around(f"git {word}", lambda: real_execute(args, **named), fails)

    samoloop.git.calls.execute = execute
    samoloop.children.wrapper.start = lambda *a, **k: around("spawn", lambda: real_start(*a, **k), raising)


def main(scene: Path, mode: str = "none", share: str = "", *flags: str) -> None:
    """`samoloop run` where there is no session yet, else `samoloop resume`, or the command that `flags` begin with
    (`--` in it stands for the session). Never returns."""
    os.chdir(scene / "repo")
    if mode in ("reboot", "cut"):  # as if the machine had been started anew
        boot = f"boot {len((scene / MET).read_text().splitlines()) if (scene / MET).exists() else 0}"
        for module in (samoloop.worker.iteration, sys.modules["samoloop.children.child"]):
            module.boot_id = lambda: boot  # type: ignore[attr-defined]
        mode = "none" if mode == "reboot" else mode
    watch(Fault(scene, mode, share))
    found = all_sessions(scene / "repo" / "_sessions")
    if "--" in flags:
        cli.main([found[0].name if flag == "--" else flag for flag in flags])
    cli.main(["resume", found[0].name, *flags] if found else ["run", TASK, *flags])


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), *sys.argv[2:])
