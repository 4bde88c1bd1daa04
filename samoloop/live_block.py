"""A few lines at the bottom of a terminal that are drawn over and over, while all else scrolls away above them.

rich has such a thing of its own, but that one loses its place when the window becomes narrower. This one reckons with
the terminal wrapping anew what was drawn. It never hides the cursor, so a killed worker leaves a sane terminal.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any

_ERASE_ROW = "\r\x1b[2K"  # row by row: erasing the rest of the screen would put it into tmux's history
_UP = "\x1b[1A"


class LiveBlock:
    """Draws `content()` at once and then every `tick_seconds`, on a thread of its own, until `close`."""

    def __init__(self, console: Any, content: Callable[[], Sequence[Any]], tick_seconds: float) -> None:
        """`console` is rich's, `content` gives rich Texts, one a line. Output that fails ends the drawing silently."""
        self._console = console
        self._content = content
        self._tick_seconds = tick_seconds
        self._drawn: list[int] = []  # the width of each line on the screen
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="live block", daemon=True)
        self._draw("")
        self._thread.start()

    def print_above(self, text: Any) -> None:
        """A lasting line."""
        self._draw(self._styled(text, soft_wrap=True))

    def close(self) -> None:
        """Take the block away."""
        self._over.set()
        self._thread.join()
        with self._lock:
            self._write(self._erased())

    def _tick(self) -> None:
        while not self._over.wait(self._tick_seconds):
            self._draw("")

    def _draw(self, above: str) -> None:
        with self._lock:
            width = max(self._console.width - 1, 1)  # the last column makes some terminals wrap early
            lines = list(self._content())
            for line in lines:
                line.truncate(width, overflow="ellipsis")
            styled = "\n".join(self._styled(line, end="") for line in lines)
            erased = self._erased()
            self._drawn = [line.cell_len for line in lines]
            self._write(erased + above + styled)

    def _erased(self) -> str:
        """What takes the cursor to the start of the block and erases it."""
        width = max(self._console.width, 1)
        rows = sum(max(-(-cells // width), 1) for cells in self._drawn)
        self._drawn = []
        return _UP.join([_ERASE_ROW] * rows)

    def _styled(self, text: Any, **how: Any) -> str:
        with self._console.capture() as captured:
            self._console.print(text, **how)
        return str(captured.get())

    def _write(self, text: str) -> None:
        try:
            self._console.file.write(text)
            self._console.file.flush()
        except (OSError, ValueError):
            self._over.set()
