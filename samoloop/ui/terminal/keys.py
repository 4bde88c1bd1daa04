"""A whole screen of a terminal, and single keys: drawn only where something changed, given back on every way out."""

import contextlib
import os
import re
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from samoloop.ui.terminal.live_block import Line, Paper
from samoloop.ui.terminal.paint import paint

_ENTER, _LEAVE = "\x1b[?1049h", "\x1b[?1049l\r"  # a screen of its own, and back to what was there
_HOME, _REST_OF_ROW = "\x1b[H", "\x1b[K"
_KEY = re.compile(r"\x1b[\[O][0-9;?]*[@-~]|\x1b.?|.", re.DOTALL)
_NAMES = {
    "\x1b[A": "up",
    "\x1bOA": "up",
    "k": "up",
    "\x1b[B": "down",
    "\x1bOB": "down",
    "j": "down",
    "\x1b[5~": "page up",
    "\x1b[6~": "page down",
    "\r": "enter",
    "\n": "enter",
    "\x0c": "redraw",
    "\x04": "q",
}


class Keys:
    """The terminal of this process, for as long as `opened` runs."""

    def __init__(self, stream: TextIO) -> None:
        self._paper = Paper(stream)
        self._output = stream.fileno()
        self._input = sys.stdin.fileno()
        self._before: list[Any] = []
        self._drawn: Sequence[Line] | None = None
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._waker, False)

    @property
    def gone(self) -> bool:
        """Whether the terminal is."""
        return self._paper.gone

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows, now."""
        try:
            found = os.get_terminal_size(self._output)
        except OSError:
            return 80, 24
        return found.columns or 80, found.lines or 24

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """The screen is ours; a Ctrl-Z gives it back until the process goes on."""
        before = {
            signal.SIGWINCH: signal.signal(signal.SIGWINCH, lambda *_: None),
            signal.SIGTSTP: signal.signal(signal.SIGTSTP, lambda *_: self._suspend()),
            signal.SIGTERM: signal.signal(signal.SIGTERM, _end),
            signal.SIGHUP: signal.signal(signal.SIGHUP, _end),
        }
        wakeup = signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        self._take()
        try:
            yield
        finally:
            self._give_back()
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def lent(self) -> Iterator[None]:
        """Another program has the terminal meanwhile; Ctrl-C is its."""
        self._give_back()
        before = signal.signal(signal.SIGINT, lambda *_: None), signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before[0])
            signal.signal(signal.SIGTSTP, before[1])
            self._take()

    def draw(self, lines: Sequence[Line]) -> None:
        """The whole screen, if it is not that already."""
        if lines == self._drawn:
            return
        self._drawn = list(lines)
        rows = ("".join(paint(*part) for part in line) + _REST_OF_ROW for line in lines)
        self._paper.write(_HOME + "\r\n".join(rows) + _HOME)

    def pressed(self, seconds: float) -> list[str]:
        """The keys that come within that time, or before the window changes; `q` where no more can come."""
        ready, _, _ = select.select([self._input, self._woken], [], [], seconds)
        if self._woken in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._woken, 4096)
            self._drawn = None
        if self._input not in ready:
            return []
        try:
            data = os.read(self._input, 1024)
        except OSError:
            return ["q"]
        if b"\x0c" in data:
            self._drawn = None
        return _keys(data.decode("utf-8", "replace")) if data else ["q"]

    def _take(self) -> None:
        self._before = termios.tcgetattr(self._input)
        tty.setcbreak(self._input)
        self._drawn = None
        self._paper.write(_ENTER)

    def _give_back(self) -> None:
        self._paper.write(_LEAVE)
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self._input, termios.TCSADRAIN, self._before)

    def _suspend(self) -> None:
        self._give_back()
        before = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(0, signal.SIGTSTP)  # with all of its job, as the terminal would
        signal.signal(signal.SIGTSTP, before)
        self._take()


def _end(*_: object) -> None:
    raise KeyboardInterrupt


def _keys(text: str) -> list[str]:
    """Names of special keys, and the letters themselves; a sequence that means nothing here is none."""
    found = (_NAMES.get(key, key) for key in _KEY.findall(text))
    return [key for key in found if not key.startswith("\x1b")]
