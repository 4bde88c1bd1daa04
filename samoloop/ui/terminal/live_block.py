"""A few lines at the bottom of a terminal that are drawn over and over, while all else scrolls away above them.

It reckons with the terminal wrapping anew what was drawn, with a shell that took the terminal meanwhile (Ctrl-Z, bg),
and it never hides the cursor, so a killed worker leaves a sane terminal.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from typing import TextIO
from unicodedata import category, east_asian_width

from samoloop.ui.terminal.paint import paint

Line = Sequence[tuple[str, str]]  # texts, each with its tone

_ERASE_ROW = "\r\x1b[2K"  # row by row: erasing the rest of the screen would put it into tmux's history
_UP = "\x1b[1A"
_NO_CELL = ("Mn", "Me", "Cf")  # categories of characters that stand on the one before


class Paper:
    """A terminal to write on. Once it is gone, all that is written goes nowhere, and the work goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.gone = False

    @property
    def columns(self) -> int:
        """How wide it is now."""
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except (OSError, ValueError):
            return 80

    @property
    def is_ours(self) -> bool:
        """Whether this process is in the foreground; in the background a shell has its prompt there."""
        try:
            return os.tcgetpgrp(self._stream.fileno()) == os.getpgrp()
        except (OSError, ValueError):  # not the terminal that controls this process: no shell is on it
            return True

    def write(self, text: str) -> None:
        """Write it all at once, so that nothing flickers."""
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self.gone = True
            abandon(self._stream)


def abandon(stream: TextIO) -> None:
    """Send what follows nowhere: nobody reads it, and a flush that fails at the exit would spoil the exit code."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


class LiveBlock:
    """Draws the lines of `content()` at once and then every `tick_seconds`, until `close`."""

    def __init__(self, paper: Paper, content: Callable[[], Sequence[Line]], tick_seconds: float) -> None:
        self._paper = paper
        self._content = content
        self._tick_seconds = tick_seconds
        self._drawn: list[int] = []  # the width of each line on the screen
        self._continued = False
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="live block", daemon=True)
        self.draw()
        self._thread.start()

    def draw(self, above: str = "") -> None:
        """Draw it anew, under the lasting lines `above`."""
        with self._lock:
            columns = self._paper.columns
            erased = self._erased(columns)
            lines = self._lines(columns) if self._paper.is_ours else []
            self._drawn = [sum(cells(text) for text, _ in line) for line in lines]
            self._paper.write(erased + above + "\n".join("".join(paint(*part) for part in line) for line in lines))

    def continued(self) -> None:
        """The process was stopped, and others wrote where the block was: leave all that as it is."""
        self._continued = True

    def close(self) -> None:
        """Take the block away."""
        self._over.set()
        self._thread.join()
        with self._lock:
            self._paper.write(self._erased(self._paper.columns))

    def _tick(self) -> None:
        while not self._over.wait(self._tick_seconds) and not self._paper.gone:
            self.draw()

    def _lines(self, columns: int) -> list[Line]:
        return [cut(line, max(columns - 1, 1)) for line in self._content()]  # the last column makes some terminals wrap

    def _erased(self, columns: int) -> str:
        """What takes the cursor to the start of the block and erases it."""
        if self._continued or not self._paper.is_ours:
            self._continued, self._drawn = False, []
        rows = sum(max(-(-width // columns), 1) for width in self._drawn)
        self._drawn = []
        return _UP.join([_ERASE_ROW] * rows)


def cells(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return len(text) if text.isascii() else sum(map(_cell, text))


def _cell(character: str) -> int:
    if east_asian_width(character) in "WF":
        return 2
    return 0 if category(character) in _NO_CELL else 1


def cut(line: Line, columns: int) -> Line:
    """As much of a line as fits; an ellipsis tells that there was more."""
    if sum(cells(text) for text, _ in line) <= columns:
        return line
    kept: list[tuple[str, str]] = []
    left = columns - 1
    for text, tone in line:
        end = 0
        while end < len(text) and left >= _cell(text[end]):
            left -= _cell(text[end])
            end += 1
        if end < len(text):
            return [*kept, (text[:end] + "…", tone)]
        kept.append((text, tone))
    return kept
