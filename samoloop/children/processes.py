"""Processes as the kernel sees them: find them, wait for their end, end them. Knows nothing of sessions.

Linux tells all of it through /proc and pidfd. Elsewhere (macOS) waiting works by kqueue, and finding finds nothing:
what is left there is to signal a process group.
"""

import contextlib
import fnmatch
import functools
import math
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Self

from samoloop.base import proc
from samoloop.base.values import frozen

_LOOKS = 5  # for what comes up while one looks; more only where something starts processes without end
_EXEC_SECONDS = 1.0  # the longest that a process may be in the middle of an exec, on a machine that is busy
_WATCHED_AT_ONCE = 64  # pidfds held while sweeping; a fork bomb must not use up the worker's descriptors
_ROUNDS = 6  # of a sweep, against something that starts new processes while it is ended
_CODE, _ARGUMENTS, _ENVIRONMENT = slice(23, 25), slice(45, 47), slice(47, 49)  # of /proc/<pid>/stat: start, end
_PR_SET_CHILD_SUBREAPER, _PR_GET_CHILD_SUBREAPER = 36, 37  # <linux/prctl.h>
_subreaper = 0  # the process that became one: a fork of it is none
_KILLED_SECONDS = 1.0  # how long a process may take to go after SIGKILL before it is looked for again


@functools.cache
def boot_id() -> str:
    """What tells this boot of the machine from any other: no process outlives a change of it."""
    if sys.platform == "darwin":
        done = subprocess.run(["sysctl", "-n", "kern.bootsessionuuid"], capture_output=True, text=True, check=True)
        return done.stdout.strip()
    return (proc.PROC / "sys/kernel/random/boot_id").read_text().strip()


def become_subreaper() -> None:
    """Have orphaned descendants given to this process instead of to init. Does nothing where the kernel cannot."""
    global _subreaper
    if sys.platform != "linux" or _subreaper == os.getpid():
        return
    import ctypes  # 10 ms that only a worker has to pay

    if not ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        _subreaper = os.getpid()


@contextlib.contextmanager
def inheriting(*, orphans: bool) -> Iterator[None]:
    """What is orphaned below this process meanwhile is given to it, or is not, whatever holds at other times.

    Does nothing where the kernel knows no subreapers.
    """
    if sys.platform != "linux":
        yield
        return
    import ctypes

    prctl, was = ctypes.CDLL(None).prctl, ctypes.c_int(0)
    prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(was), 0, 0, 0)
    prctl(_PR_SET_CHILD_SUBREAPER, int(orphans), 0, 0, 0)
    try:
        yield
    finally:
        prctl(_PR_SET_CHILD_SUBREAPER, was.value, 0, 0, 0)


def nothing_left_of(ended: int) -> bool:
    """Whether a child of this process that has ended, and was not reaped yet, left nothing running: as a subreaper
    this process would have inherited it, and has no other child. False also where the kernel cannot tell."""
    return _subreaper == os.getpid() and children() == {ended}


def hide_environment(patterns: Iterable[str]) -> None:
    """Take the variables of these names out of what other processes can read of this one's environment.

    This process, and what it hands on, keeps them. Does nothing where the kernel shows none to begin with.
    """
    fields = proc.stat(os.getpid())
    start, end = map(int, fields[_ENVIRONMENT]) if fields else (0, 0)
    if not start:
        return
    import ctypes

    for entry in re.finditer(rb"[^\0]+", ctypes.string_at(start, end - start)):
        name = os.fsdecode(entry[0].partition(b"=")[0])
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
            if name in os.environ:
                os.environ[name] = os.environ[name]  # a copy elsewhere, for whoever asks the C library
            ctypes.memset(start + entry.start(), 0, len(entry[0]))


def show_command(argv: Sequence[str]) -> None:
    """Have others see this command line, as far as the one that this process was started with has room for it."""
    fields = proc.stat(os.getpid())
    start, end = map(int, fields[_ARGUMENTS]) if fields else (0, 0)
    if not start:
        return
    import ctypes

    words = b"".join(os.fsencode(word) + b"\0" for word in argv)[: end - start - 1]
    ctypes.memset(start, 0, end - start)
    ctypes.memmove(start, words, len(words))


def in_group(pids: Iterable[int], group: int) -> set[int]:
    """Those of the processes that are in the process group."""
    found: set[int] = set()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getpgid(pid) == group:
                found.add(pid)
    return found


def session_of(pid: int) -> int | None:
    """The process session of a process; None when it is gone."""
    try:
        return os.getsid(pid)
    except OSError:
        return None


@frozen
class Mark:
    """A word in a variable of the environment, inherited by all that a process starts."""

    name: str
    word: str

    def is_on(self, pid: int) -> bool:
        """Whether the process was started with it, and may be looked at."""
        return _is_marked(pid, self.name, {self.word})


def find(mark: Mark, session: int | None) -> set[int]:
    """The running processes with the mark or in the process session `session`, but never this one.

    Processes that ended and wait to be reaped do not count. It looks again for what came up meanwhile, so that none
    slips through by handing its work to a new process. 2 ms for 400 processes.
    """
    found: set[int] = set()
    seen = {os.getpid()}
    for _ in range(_LOOKS):
        new = _numbered(f"{proc.PROC}") - seen
        found.update(pid for pid in new if mark.is_on(pid) or (session and session_of(pid) == session))
        seen |= new
        if not new:
            break
    return {pid for pid in found if _running(pid)}


def first_in_box(pids: Iterable[int]) -> int | None:
    """The first process of a process namespace right below this one, if it is among the processes: with it all end."""
    depth = len(_numbers(os.getpid())) + 1
    for pid in pids:
        numbers = _numbers(pid)
        if len(numbers) == depth and numbers[-1] == 1:
            return pid
    return None


def _numbers(pid: int) -> list[int]:
    """The process's numbers in its namespaces, from ours inwards; empty when it is gone or the kernel does not say."""
    found = re.search(rb"^NSpid:(.*)$", proc.read(f"/proc/{pid}/status"), re.MULTILINE)
    return [int(number) for number in found[1].split()] if found else []


def children() -> set[int]:
    """The children of this process, those inherited by a subreaper and the ended ones included."""
    found: set[int] = set()
    for thread in _numbered(f"{proc.PROC}/self/task"):  # an inherited one may hang at any of them
        found.update(map(int, proc.read(f"/proc/self/task/{thread}/children").split()))
    return found


def orphans(name: str, others: set[str], before: set[int]) -> set[int]:
    """The running processes inherited by this one as a subreaper, whatever they made of `name` in their environment.

    Not those with a word of `others` there. Children that were there `before`, and those in this process's own session,
    are its own commands.
    """
    new = (pid for pid, state in _inherited() if pid not in before and state != "Z")
    return {pid for pid in new if not _is_marked(pid, name, others)}


def reap(known: Iterable[int]) -> None:
    """Clear away inherited processes that have ended.

    Of those that lead a session only the `known` ones: any other may be a subprocess that another thread waits for,
    whose exit code must not be stolen.
    """
    for pid in known:
        _reap(pid)
    for pid, state in _inherited():
        if state == "Z" and session_of(pid) != pid:
            _reap(pid)


def cpu_seconds(pids: Iterable[int]) -> float:
    """The processor time that the processes and their reaped children have used so far."""
    ticks = sum(sum(map(int, fields[11:15])) for fields in map(proc.stat, pids) if fields)
    return ticks / os.sysconf("SC_CLK_TCK")


@frozen
class Swept:
    """What a sweep did."""

    ended: int  # processes
    left: tuple[int, ...] = ()  # those that could not be ended


def sweep(look: Callable[[], set[int]], patience_seconds: float) -> Swept:
    """End all that `look` finds, again and again until it finds nothing: SIGTERM, after `patience_seconds` SIGKILL."""
    ended: set[int] = set()
    signal_number, seconds = signal.SIGTERM, patience_seconds
    for _ in range(_ROUNDS):
        found = look()
        if not found:
            break
        ended |= end(found, signal_number, seconds)
        signal_number, seconds = signal.SIGKILL, _KILLED_SECONDS
    left = look() if found else set()
    for pid in ended - left:
        _reap(pid)
    return Swept(len(ended - left), tuple(sorted(left)))


if sys.platform == "darwin":

    class ExitWatch:
        """Waits for the end of a process that need not be a child of this one."""

        def __init__(self, pid: int) -> None:
            """Raises ProcessLookupError when there is no such process."""
            self.pid = pid
            self._queue = select.kqueue()
            note = select.kevent(pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)
            self._queue.control([note], 0)

        def wait(self, timeout_seconds: float, wake: int | None = None) -> bool:
            """Whether the process has ended; False after the time, or as soon as `wake` is readable."""
            changes = [select.kevent(wake, select.KQ_FILTER_READ, select.KQ_EV_ADD)] if wake is not None else []
            events = self._queue.control(changes, 2, max(timeout_seconds, 0))
            return any(event.filter == select.KQ_FILTER_PROC for event in events)

        def send(self, signal_number: int) -> None:
            """Signal the process. Raises ProcessLookupError when it is gone."""
            os.kill(self.pid, signal_number)

        def close(self) -> None:
            self._queue.close()

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            self.close()

else:

    class ExitWatch:
        """Waits for the end of a process that need not be a child of this one."""

        def __init__(self, pid: int) -> None:
            """Raises ProcessLookupError when there is no such process."""
            self.pid = pid
            self._pidfd = os.pidfd_open(pid)

        def wait(self, timeout_seconds: float, wake: int | None = None) -> bool:
            """Whether the process has ended; False after the time, or as soon as `wake` is readable."""
            poll = select.poll()
            poll.register(self._pidfd, select.POLLIN)
            if wake is not None:
                poll.register(wake, select.POLLIN)
            ready = poll.poll(max(math.ceil(timeout_seconds * 1000), 0))
            return any(descriptor == self._pidfd for descriptor, _ in ready)

        def send(self, signal_number: int) -> None:
            """Signal exactly this process. Raises ProcessLookupError when it is gone."""
            signal.pidfd_send_signal(self._pidfd, signal_number)

        def close(self) -> None:
            os.close(self._pidfd)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            self.close()


def end(pids: set[int], signal_number: int, timeout_seconds: float) -> set[int]:
    """Signal the processes and wait for them; gives those that were signalled."""
    signalled: set[int] = set()
    watches: list[ExitWatch] = []
    with contextlib.ExitStack() as stack:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError), contextlib.ExitStack() as unwatched:
                watch = ExitWatch(pid)
                unwatched.callback(watch.close)
                watch.send(signal_number)
                signalled.add(pid)
                if len(watches) < _WATCHED_AT_ONCE:
                    watches.append(watch)
                    stack.push(unwatched.pop_all())
        deadline = time.monotonic() + timeout_seconds
        for watch in watches:
            watch.wait(deadline - time.monotonic())
    for pid in signalled:
        _reap(pid)
    return signalled


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _inherited() -> list[tuple[int, str]]:
    """This process's children in other sessions, each with its state letter ("Z": ended, not yet reaped)."""
    own = os.getsid(0)
    states = ((pid, proc.stat(pid)) for pid in children() if session_of(pid) != own)
    return [(pid, fields[0]) for pid, fields in states if fields]


def _numbered(folder: str) -> set[int]:
    """The numbers among the names in a folder of the kernel's; none where it shows none."""
    try:
        return {int(name) for name in os.listdir(folder) if name.isdecimal()}  # noqa: PTH208 (a path object each)
    except FileNotFoundError:
        return set()


def _running(pid: int) -> bool:
    fields = proc.stat(pid)
    return bool(fields) and fields[0] != "Z"


def _is_marked(pid: int, name: str, words: set[str]) -> bool:
    return not words.isdisjoint(variable(pid, name).split(" "))


def variable(pid: int, name: str) -> str:
    """A variable of the environment that the process was started with; empty where there is none to be read."""
    _, found, rest = (b"\0" + _environment(pid)).partition(b"\0" + os.fsencode(name) + b"=")
    return os.fsdecode(rest.partition(b"\0")[0]) if found else ""


def _environment(pid: int) -> bytes:
    """What the process was started with.

    While an exec swaps its memory it shows nothing, or the beginning: then look until one memory stood all the while.
    """
    path = f"/proc/{pid}/environ"
    environment = proc.read(path)
    if 0 < len(environment) < proc.READ_BYTES:
        return environment  # read at once, so whole
    try:
        os.readlink(f"/proc/{pid}/exe")  # noqa: PTH115 (a path object each)
    except OSError:
        return environment  # a kernel thread, another user's, or gone
    deadline = time.monotonic() + _EXEC_SECONDS
    while time.monotonic() < deadline:
        memory = _memory(pid)
        environment = proc.read(path)
        starting = _is_starting(pid, memory)
        if not starting and _memory(pid) == memory:
            break
        time.sleep(_EXEC_SECONDS / 10_000 if starting else 0)
    return environment


def _memory(pid: int) -> list[str]:
    """Where code, arguments and environment lie in a process's memory, which an exec puts elsewhere; zeros if not told.

    The code is put there last; another user's is said to be at 1 (`do_task_stat` and `load_elf_binary` of Linux).
    """
    fields = proc.stat(pid)
    return fields[_CODE] + fields[_ARGUMENTS] + fields[_ENVIRONMENT]


def _is_starting(pid: int, memory: list[str]) -> bool:
    """Whether a process with this memory is in the middle of an exec."""
    if any(field != "0" for field in memory):
        return memory[0] == "0"
    return not proc.read(f"/proc/{pid}/cmdline") and _running(pid)
