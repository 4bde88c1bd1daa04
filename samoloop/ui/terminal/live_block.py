"""A few lines at the bottom of a terminal that are drawn over and over, while all else scrolls away above them.

rich has such a thing of its own, but that one loses its place when the window becomes narrower. This one reckons with
the terminal wrapping anew what was drawn. It never hides the cursor, so a killed worker leaves a sane terminal.
"""

import contextlib
import io
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, TextIO

_ERASE_ROW = "\r\x1b[2K"  # row by row: erasing the rest of the screen would put it into tmux's history
_UP = "\x1b[1A"


class Paper:
    """A terminal to write on. Once it is gone, all that is written goes nowhere, and the work goes on."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console

        self._stream = stream
        self._rich = Console(file=io.StringIO(), force_terminal=True, highlight=False, markup=False, emoji=False)
        self.gone = False

    @property
    def columns(self) -> int:
        """How wide it is now."""
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except (OSError, ValueError):
            return 80

    def styled(self, text: Any) -> str:
        """One line of rich Text as it is to be written, without a newline."""
        with self._rich.capture() as captured:
            self._rich.print(text, end="", soft_wrap=True)
        return captured.get()

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
    """Draws `content()`, rich Texts of one line each, at once and then every `tick_seconds`, until `close`."""

    def __init__(self, paper: Paper, content: Callable[[], Sequence[Any]], tick_seconds: float) -> None:
        self._paper = paper
        self._content = content
        self._tick_seconds = tick_seconds
        self._drawn: list[int] = []  # the width of each line on the screen
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="live block", daemon=True)
        self.draw()
        self._thread.start()

    def draw(self, above: str = "") -> None:
        """Draw it anew, under the lasting lines `above`."""
        with self._lock:
            columns = self._paper.columns
            lines = list(self._content())
            for line in lines:
                line.truncate(max(columns - 1, 1), overflow="ellipsis")  # the last column makes some terminals wrap
            erased = self._erased(columns)
            self._drawn = [line.cell_len for line in lines]
            self._paper.write(erased + above + "\n".join(map(self._paper.styled, lines)))

    def close(self) -> None:
        """Take the block away."""
        self._over.set()
        self._thread.join()
        with self._lock:
            self._paper.write(self._erased(self._paper.columns))

    def _tick(self) -> None:
        while not self._over.wait(self._tick_seconds) and not self._paper.gone:
            self.draw()

    def _erased(self, columns: int) -> str:
        """What takes the cursor to the start of the block and erases it."""
        rows = sum(max(-(-cells // columns), 1) for cells in self._drawn)
        self._drawn = []
        return _UP.join([_ERASE_ROW] * rows)
