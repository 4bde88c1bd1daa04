"""Processes forked from a warm one, which has loaded what they need: they share its memory, and start in no time.

A fork is a child of whoever asked for it, as if started by exec: its exit code and its signals need nobody else, and it
goes on when the warm process dies, or who asked. Only Linux lets a process say to whom its orphans shall belong.
"""

import gc
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from samoloop.base import proc
from samoloop.children import processes

ANSWER_SECONDS = 15.0  # until the warm process has loaded, and forked; it is not waited for longer
_MESSAGE_BYTES = 100_000  # a command line
_ROOM = 2000  # characters for the command line of a fork, in that of the warm process


class Warm:
    """The warm process, started when it is first asked. Another takes its place when it is gone or out of date."""

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str]) -> None:
        """`argv` starts a process that calls `serve` with the descriptor in its last word, which is added here."""
        self._argv, self._environ = argv, environ
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._asking = threading.Lock()

    def fork(self, argv: Sequence[str], folder: Path, output: int) -> "Fork | None":
        """A process that carries out the command in the folder, in a process session of its own, as if started by it.

        It says what it says to `output`. None where no warm process answers. Raises OSError.
        """
        words = json.dumps(argv).encode()
        place = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with self._asking, processes.inheriting(orphans=True):
                pid = self._ask(words, output, place) or self._ask(words, output, place)  # the first may be another's
        finally:
            os.close(place)
        return Fork(pid) if pid else None

    def close(self) -> None:
        """End the warm process; what was forked from it goes on."""
        process, channel, self._process, self._channel = self._process, self._channel, None, None
        if process and channel:
            channel.close()
            process.kill()
            process.wait()

    def _ask(self, words: bytes, output: int, place: int) -> int:
        """The number of the new process; 0 where the warm one is gone."""
        try:
            channel = self._channel or self._open()
            socket.send_fds(channel, [words], [output, place])
            answer = channel.recv(_MESSAGE_BYTES)
        except (ConnectionError, TimeoutError):
            answer = b""
        if not answer:
            self.close()
        return int(answer or 0)

    def _open(self) -> socket.socket:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.settimeout(ANSWER_SECONDS)
        with theirs:
            self._process = subprocess.Popen(
                [*self._argv, f"{theirs.fileno():>{_ROOM}}"], env=self._environ, cwd="/",
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()], start_new_session=True,
            )  # fmt: skip
        return self._channel


class Fork:
    """A process that was forked for this one, and is its child; asked as a `Popen` is."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None  # below 0 where a signal ended it; None while it is not known to have ended

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._reap(os.WNOHANG)

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        code = self._reap(0)
        assert code is not None
        return code

    def send_signal(self, number: int) -> None:
        """Nothing where it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def _reap(self, options: int) -> int | None:
        if self.returncode is None:
            ended, status = os.waitpid(self.pid, options)
            self.returncode = os.waitstatus_to_exitcode(status) if ended else None
        return self.returncode


def serve(descriptor: int) -> list[str] | None:
    """In the warm process: fork for whoever asks on the descriptor. In a fork: the command that it is to carry out.

    None when nobody asks any more, or when what lies on the disk is not what was loaded. The first fork is what a
    process started by exec would be; a later one is not to be of another time.
    """
    gc.collect()
    gc.freeze()  # a look for garbage in a fork would write to much that it shares
    loaded, is_first = _loaded(), True
    with socket.socket(fileno=descriptor) as channel:
        while request := _next(channel):
            argv, output, place = request
            if not is_first and not (loaded and _loaded() == loaded):
                return None
            made = _fork()
            if not made:
                _settle(output, place)
                processes.show_command(argv)
                return argv
            os.close(output)
            os.close(place)
            channel.send(b"%d" % made)
            is_first = False
    return None


def _next(channel: socket.socket) -> tuple[list[str], int, int] | None:
    """A command, and descriptors of its output and its folder; None when nobody is there to ask."""
    try:
        words, descriptors, _, _ = socket.recv_fds(channel, _MESSAGE_BYTES, 2)
    except ConnectionError:
        return None
    return (json.loads(words), *descriptors) if words else None


def _fork() -> int:
    """The number of the new process, which is an orphan by then; 0 in it. Raises OSError."""
    reader, writer = os.pipe()
    between = os.fork()
    if between:
        os.waitpid(between, 0)
    else:
        _fork_and_end(writer)
    os.close(writer)
    said = os.read(reader, _MESSAGE_BYTES) if between else b"0"
    os.close(reader)
    if not said:
        raise OSError("no process can be started")
    return int(said)


def _fork_and_end(writer: int) -> None:
    """Returns in the new process alone."""
    made = -1
    try:
        made = os.fork()
        if made:
            os.write(writer, b"%d" % made)
    finally:
        if made:
            os._exit(0)


def _settle(output: int, place: int) -> None:
    """What a process started by exec has: its own session, its folder, its output, and no descriptor besides."""
    os.setsid()
    os.fchdir(place)
    for number in (1, 2):
        os.dup2(output, number)
    os.close(output)
    os.close(place)


def _loaded() -> dict[str, tuple[int, ...]] | None:
    """What tells the files that this process has loaded from any that come after them; None where one of them did,
    and may have come while it loaded.
    """
    files = {sys.executable, *filter(None, (getattr(module, "__file__", None) for module in [*sys.modules.values()]))}
    try:
        found = {name: os.stat(name) for name in files}  # noqa: PTH116 (a path object each)
    except OSError:
        return None
    began = _born()
    if any(file.st_ctime >= began for file in found.values()):
        return None
    return {name: (file.st_dev, file.st_ino, file.st_ctime_ns) for name, file in found.items()}


def _born() -> float:
    """When this process started, in epoch seconds."""
    since = time.clock_gettime(time.CLOCK_BOOTTIME) - proc.started_ticks(os.getpid()) / os.sysconf("SC_CLK_TCK")
    return time.time() - since
