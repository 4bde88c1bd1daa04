"""One child: start it, watch it, end it, find it again after the worker died, sweep up what it left."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol, Self

from samoloop.base.effects import effect
from samoloop.base.locks import Lock, holders, is_held
from samoloop.base.values import frozen
from samoloop.children import wrapper
from samoloop.children.output import Output
from samoloop.children.processes import (
    ExitWatch,
    Mark,
    Swept,
    boot_id,
    children,
    cpu_seconds,
    end,
    find,
    first_in_box,
    in_group,
    nothing_left_of,
    orphans,
    reap,
    session_of,
    sweep,
)
from samoloop.children.scope import apart
from samoloop.children.stop import StopRequest
from samoloop.children.watch import Watch
from samoloop.core.events import Event
from samoloop.core.limits import EndedBy, Limits
from samoloop.providers.base import Reader

MARKER = (
    "SAMOLOOP_MARKER"  # in the environment of a child and of all that it starts: the markers of all attempts around
)

_unswept: set[str] = set()  # the markers of the children of this process behind which nobody has swept yet
_LOCK_SECONDS = 1.0  # somebody may just be testing the lock
_SWEEP_SECONDS = 1.0  # for what is left behind to end by itself
_KILLED_SECONDS = 5.0  # for a killed child to be gone; longer only where it hangs in the kernel


@frozen
class Spec:
    """A child to be started."""

    argv: Sequence[str]
    env: Mapping[str, str]  # the whole environment; the marker is added to it
    cwd: Path
    stdin: Path | None  # None: empty
    stem: Path  # <session>/_logs/NNN-phase[.attempt]: .jsonl, .err, .pid and .exit are put beside each other there
    lock: Path
    marker: str  # unique to the attempt, one word
    within: Sequence[str] = ()  # the words in front of `argv` that put it in a sandbox
    beside: bool = False  # the worker starts others meanwhile: what lost its parent and its mark may be theirs


class Habits(Protocol):
    """How a CLI behaves; every Provider says so."""

    @property
    def interrupt_first(self) -> bool: ...
    @property
    def starts_at_once(self) -> bool: ...


@frozen
class ChildEnd:
    """How a child's run ended."""

    exit_code: int | None  # None: unknown. Negative: the signal that ended the CLI
    by: EndedBy
    seconds: float  # from its start
    usage_complete: bool  # False: part of the output was skipped, so usage may be missing
    swept: int  # processes that the child left behind and that were ended
    left: Sequence[int]  # processes that could not be ended


class Child:
    """A child CLI that was started, or found again. Call `wait` once."""

    def __init__(
        self,
        *,
        stem: Path,
        lock: Path,
        marker: str,
        clock: Callable[[], float],
        started: float,
        children_before: set[int] | None,
        process: subprocess.Popen[bytes] | None,
        leader: ExitWatch | None,
    ) -> None:
        """Use `spawn` or `adopt`."""
        self._stem = stem
        self._lock = lock
        self._mark = Mark(MARKER, marker)
        _unswept.add(marker)
        self._clock = clock
        self._started = started
        self._children_before = children_before  # None: it works beside others
        self._process = process  # the wrapper, when this worker started it
        self._leader = leader  # whose end is the child's end: the wrapper, or the CLI where the wrapper was killed
        session = session_of(leader.pid) if leader else None
        self._session = session if session != session_of(0) else None  # a sweep must never reach the worker's own
        self._killed = False

    @classmethod
    def spawn(cls, spec: Spec, clock: Callable[[], float] = time.monotonic) -> Self:
        """Start it, holding the lock. Nothing of an earlier attempt is overwritten.

        Raises ProviderError when the program cannot be run, LockHeld when something of an earlier child is still
        alive, FileExistsError when the stem was used before.
        """
        program = wrapper.resolve(spec.argv[0], spec.env, spec.cwd)
        with Lock.take(spec.lock, _LOCK_SECONDS, spec.marker) as lock:
            before = None if spec.beside else children()
            started = clock()
            _unswept.add(spec.marker)  # before anybody else sweeps
            start = partial(
                wrapper.start,
                [*spec.within, program, *spec.argv[1:]],
                env={**spec.env, MARKER: f"{spec.env.get(MARKER, '')} {spec.marker}".strip()},
                cwd=spec.cwd,
                stdin=spec.stdin,
                stem=spec.stem,
                inherited=lock.descriptor,
            )
            with effect("spawn beside" if spec.beside else "spawn"):
                process = apart(start) if spec.within else start()
        return cls(
            stem=spec.stem,
            lock=spec.lock,
            marker=spec.marker,
            clock=clock,
            started=started,
            children_before=before,
            process=process,
            leader=ExitWatch(process.pid),
        )

    @classmethod
    def adopt(
        cls,
        *,
        stem: Path,
        lock: Path,
        marker: str,
        started_at: float,
        boot: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> Self:
        """Find a child that an earlier worker started at `started_at` (epoch seconds) in the boot `boot`.

        Always gives a Child, whose `wait` tells what became of it: alive, it is waited for with what remains of the
        limits; ended, its exit code and its events come at once; `EndedBy.LOST` when there is neither exit code nor
        process. `wait` sweeps in each case.
        """
        before = children()
        gone = wrapper.exit_code(stem) is not None or boot != boot_id()
        leader = None if gone else _find_leader(lock, wrapper.pid(stem), Mark(MARKER, marker))
        seen_at = time.time() if leader else wrapper.last_written(stem) or started_at
        return cls(
            stem=stem,
            lock=lock,
            marker=marker,
            clock=clock,
            started=clock() - max(seen_at - started_at, 0.0),
            children_before=before,
            process=None,
            leader=leader,
        )

    @property
    def alive(self) -> bool:
        """Whether its process was there when it was started or found."""
        return self._leader is not None

    @property
    def pid(self) -> int | None:
        """The process that is waited for; None when it was gone already."""
        return self._leader.pid if self._leader else None

    def wait(
        self,
        limits: Limits,
        *,
        habits: Habits,
        reader: Reader,
        signal_ready: Callable[[], bool],
        on_events: Callable[[list[Event]], None],
        stop: StopRequest,
    ) -> ChildEnd:
        """Wait until it ends, or end it at a limit or when `stop.now`; then sweep.

        `on_events` gets the events of the output while it runs, about four times a second at most, none where there
        is nothing new, and the last of them (those of `reader.finish` too) before this returns.
        """
        if not habits.starts_at_once:
            limits = replace(limits, first_byte=None)
        stdout, stderr = wrapper.logs(self._stem)
        with Output(stdout, stderr, reader, on_events) as output:
            by = self._watch(limits, output, signal_ready, stop)
            if by not in (EndedBy.EXIT, EndedBy.LOST):
                self._end(limits.terminate, habits.interrupt_first)
            seconds = self._clock() - self._started
            swept = self._sweep(min(_SWEEP_SECONDS, limits.terminate))
            _unswept.discard(self._mark.word)
            exit_code = self._exit_code()
            output.finish(exit_code)
            return ChildEnd(exit_code, by, seconds, output.complete, swept.ended, swept.left)

    def _watch(self, limits: Limits, output: Output, signal_ready: Callable[[], bool], stop: StopRequest) -> EndedBy:
        """Until it ended, or shall be ended."""
        watch = Watch(limits, self._started, self._clock())
        while not self._has_ended(watch.pause_seconds(self._clock()), stop.now_fd):
            if stop.now:
                return EndedBy.STOP
            now = self._clock()
            output.look(watch, now)
            if watch.wants_cpu(now):
                watch.saw_cpu(now, cpu_seconds(find(self._mark, self._session)))
            if watch.may_be_done(now) and signal_ready():
                return EndedBy.GRACE
            if by := watch.limit(now):
                return by
        known = self._leader or wrapper.exit_code(self._stem) is not None
        return EndedBy.EXIT if known else EndedBy.LOST

    def _has_ended(self, timeout_seconds: float, wake: int | None = None) -> bool:
        """Whether the child's run is over; False after the time, or as soon as `wake` is readable."""
        if self._leader is None:
            return True
        return self._leader.wait(timeout_seconds, wake) and not self._follow_survivor(self._leader)

    def _follow_survivor(self, leader: ExitWatch) -> bool:
        """Where only the wrapper was killed, the CLI runs on: wait for that instead."""
        if self._killed or wrapper.exit_code(self._stem) is not None:
            return False
        survivor = _find_leader(self._lock, self._session, self._mark)
        if survivor:
            leader.close()
            self._leader = survivor
        return survivor is not None

    def _end(self, terminate_seconds: float, interrupt_first: bool) -> None:
        """Ask the process group to end, then kill it. What has left the group is for the sweep."""
        requests = [signal.SIGINT, signal.SIGTERM] if interrupt_first else [signal.SIGTERM]
        for request in requests:
            self._signal_group(request)
            if self._has_ended(terminate_seconds / len(requests)):
                return
        self._killed = True
        group = self._signal_group(signal.SIGKILL)
        self._has_ended(_KILLED_SECONDS)
        if group:  # the wrapper may go before the rest; what is being killed already did not stay behind
            end(in_group(find(self._mark, self._session), group), signal.SIGKILL, _KILLED_SECONDS)

    def _signal_group(self, signal_number: int) -> int | None:
        """To the group, because the wrapper alone passes nothing on; never to the worker's own. Gives that group.

        In a box it is the box's: its maker would end by the signal and leave the box alone.
        """
        with contextlib.suppress(ProcessLookupError, PermissionError):
            first = self._first_in_box()
            group = os.getpgid(first or self._leader.pid) if self._leader else None
            if group and group != os.getpgrp():
                os.killpg(group, signal_number)
                return group
        return None

    def _first_in_box(self) -> int | None:
        return first_in_box(_lock_holders(self._lock))

    def _sweep(self, patience_seconds: float) -> Swept:
        """End what the child left behind, and clear away the ended. A box ends as a whole, by the kernel.

        The wrapper is reaped last: until then its pid, the number of its session, cannot belong to anybody else.
        """
        with effect("sweep" if self._children_before is not None else "sweep beside"):
            if first := self._first_in_box():
                end({first}, signal.SIGKILL, _KILLED_SECONDS)
            swept = sweep(self._left_behind, patience_seconds)
        if sys.platform == "darwin" and self._session:  # where nothing can be found, the group is all that is known
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._session, signal.SIGKILL)
        if self._process:
            self._process.poll()
        if self._leader:
            self._leader.close()
        reap([self._leader.pid] if self._leader else [])
        return swept

    def _left_behind(self) -> set[int]:
        if self._process and nothing_left_of(self._process.pid):
            return set()
        found = find(self._mark, self._session)
        if self._children_before is not None:
            found |= orphans(MARKER, _unswept - {self._mark.word}, self._children_before)
        return found or set(_lock_holders(self._lock)) - {os.getpid()}

    def _exit_code(self) -> int | None:
        code = wrapper.exit_code(self._stem)
        if code is None and self._killed:
            return -signal.SIGKILL
        if code is None and self._process and self._process.returncode is not None and self._process.returncode >= 0:
            code = wrapper.signed(self._process.returncode)  # it could not write
        return code


def _find_leader(lock: Path, wrapper_pid: int | None, mark: Mark) -> ExitWatch | None:
    """The wrapper; where that is gone, the CLI, known by the lock and by the wrapper's session, or the first process of
    its box. None: both are gone.

    A pid alone may belong to anybody by now, and a holder of the lock may be a tool that outlived the CLI: most CLIs
    run tools in sessions of their own.
    """
    holding = _lock_holders(lock)
    first = first_in_box(holding)
    for pid in filter(None, [wrapper_pid, first, *holding]):
        with contextlib.suppress(OSError):  # gone, or by now the number of a thread
            watch = ExitWatch(pid)
            if pid == first or (mark.is_on(pid) and (wrapper_pid is None or session_of(pid) == wrapper_pid)):
                return watch
            watch.close()
    return None


def _lock_holders(lock: Path) -> list[int]:
    return holders(lock) if is_held(lock) else []
