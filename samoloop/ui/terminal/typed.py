"""What a person types at this terminal, a line at a time, for somebody who may be called away meanwhile.

The terminal itself edits the line. A program that the person asked for, such as an editor, has the terminal until it
ends. Nothing is read while another job has it (Ctrl-Z, bg).
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import IO

from samoloop.children.processes import ExitWatch
from samoloop.children.stop import StopRequest
from samoloop.ui.terminal.output import say

_SLOW_SECONDS = 5.0  # a look beside the events
_PASTE_SECONDS = 0.05  # lines that come closer together than that were pasted, not typed
_LONGEST_LINE = 4095  # bytes that a terminal takes as one line; of a longer one the rest is lost
_END_SECONDS = 2.0  # for a program that was asked to end


class CalledAway(Exception):
    """What was asked is wanted no more."""


class NobodyThere(Exception):
    """No more can come: the input has ended (Ctrl-D), or the terminal is gone."""


class Unreadable(Exception):
    """What came is no answer, and why."""


class _Event(Enum):
    TYPED = 1
    CONTINUED = 2  # others wrote on the terminal meanwhile
    OTHER = 3


class Typed:
    """The lines of one person at standard input. `call` may come from any thread."""

    def __init__(self, stop: StopRequest) -> None:
        self._stop = stop
        self._fd = sys.stdin.fileno()
        self._calls, self._caller = os.pipe()
        os.set_blocking(self._calls, False)
        os.set_blocking(self._caller, False)
        self._begun = b""  # a line whose end has not come

    def close(self) -> None:
        os.close(self._calls)
        os.close(self._caller)

    def call(self) -> None:
        """Have whoever waits look whether the line is still wanted."""
        with contextlib.suppress(BlockingIOError):  # there are calls enough
            os.write(self._caller, b"\0")

    @contextlib.contextmanager
    def told_of_stops(self) -> Iterator[None]:
        """While the block runs, ask again once the process goes on after a Ctrl-Z; for the main thread alone.

        By a descriptor: any thread may get that signal, and Python's handler waits until the main thread wakes up.
        """
        before = signal.getsignal(signal.SIGCONT)
        if not callable(before):
            signal.signal(signal.SIGCONT, lambda *_: None)
        fd = signal.set_wakeup_fd(self._caller, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(fd)
            signal.signal(signal.SIGCONT, before)

    def line(self, prompt: str, wanted: Callable[[], bool], *, several: bool = False) -> str:
        """The line that follows the prompt; with `several`, all lines that are pasted at once.

        What was typed before the prompt stood there answers nothing. Raises CalledAway, NobodyThere, Unreadable.
        """
        shown = False
        while True:
            if not wanted():
                self._leave(shown)
                raise CalledAway
            if not shown and self._is_ours():
                self._forget()
                say((prompt, "strong"), " ", end="")
                shown = True
            event = self._event(shown)
            if event is _Event.CONTINUED:
                shown = False
            elif event is _Event.TYPED and (text := self._read()) is not None:
                return self._whole(text, wanted) if several else self._single(text)

    def _event(self, listens: bool) -> _Event:
        """What happens next. Of a job in the background nothing is read: the keys are the shell's."""
        listens = listens and self._is_ours()
        ready, _, _ = select.select([self._calls, *([self._fd] if listens else [])], [], [], _SLOW_SECONDS)
        if self._calls in ready:
            return _Event.CONTINUED if signal.SIGCONT in os.read(self._calls, 4096) else _Event.OTHER
        return _Event.TYPED if self._fd in ready and self._is_ours() else _Event.OTHER

    def _read(self) -> str | None:
        """A line; None where its end has not come."""
        try:
            data = os.read(self._fd, 65536)
        except OSError:
            raise NobodyThere from None
        if not data:
            raise NobodyThere
        self._begun += data
        if not data.endswith(b"\n"):
            return None  # Ctrl-D in the middle of a line
        line, self._begun = self._begun[:-1], b""
        if len(line) >= _LONGEST_LINE:
            raise Unreadable(f"a terminal takes no more than {_LONGEST_LINE:,} bytes as a line, and yours was cut")
        text = line.decode("utf-8", "replace").expandtabs(4)
        if any(letter < " " or letter == "\x7f" for letter in text):
            raise Unreadable("there are keys in it that no answer can hold, such as an arrow")
        return text

    def _single(self, text: str) -> str:
        if self._more():
            raise Unreadable("several lines came at once")
        return text

    def _whole(self, first: str, wanted: Callable[[], bool]) -> str:
        """The line, with those that were pasted with it: an empty one ends them."""
        if not self._more():
            return first
        say(("  (several lines: an empty one ends them)", "dim"))
        lines = [first]
        while len(lines) == 1 or lines[-1].strip() or self._more():
            if not wanted():
                raise CalledAway
            if self._event(True) is _Event.TYPED and (text := self._read()) is not None:
                lines.append(text)
        return "\n".join(lines).strip()

    def _more(self) -> bool:
        return bool(select.select([self._fd], [], [], _PASTE_SECONDS)[0])

    def _is_ours(self) -> bool:
        """Whether this job has the terminal."""
        try:
            return os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:  # not the terminal that controls this process: no other job is on it
            return True

    def _forget(self) -> None:
        self._begun = b""
        with contextlib.suppress(termios.error):
            termios.tcflush(self._fd, termios.TCIFLUSH)

    def _leave(self, shown: bool) -> None:
        """Off the line of a prompt. What was begun there is no answer, and no command for a shell either."""
        if shown:
            self._forget()
            say()

    def lend(self, argv: Sequence[str], wanted: Callable[[], bool], stdin: IO[bytes] | None = None) -> None:
        """Let a program have the terminal until it ends; it is asked to, once it is not wanted any more.

        Meanwhile Ctrl-C is the program's. Raises OSError where it cannot be started.
        """
        before = termios.tcgetattr(self._fd)
        self._stop.lent = True
        try:
            with subprocess.Popen(argv, stdin=stdin, env={"LESS": "FX", **os.environ}) as process:
                self._watch(process, wanted)
        finally:
            self._stop.lent = False
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._fd, termios.TCSADRAIN, before)

    def _watch(self, process: "subprocess.Popen[bytes]", wanted: Callable[[], bool]) -> None:
        with contextlib.suppress(ProcessLookupError), ExitWatch(process.pid) as watch:
            while wanted():
                if watch.wait(_SLOW_SECONDS, wake=self._calls):
                    return
                with contextlib.suppress(BlockingIOError):
                    os.read(self._calls, 4096)
            process.terminate()
            if not watch.wait(_END_SECONDS):
                process.kill()
