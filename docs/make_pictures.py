"""Draws docs/demo.svg: a real run of `samoloop demo --yes` on a terminal of fixed size, line by line as it came.

    .venv/bin/python docs/make_pictures.py

The chat in docs/telegram.svg is drawn by a test, tests/telegram/test_gates_page.py.
"""

import os
import pty
import re
import sys
import tempfile
import termios
import time
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from pathlib import Path

HERE = Path(__file__).resolve().parent
COLUMNS, ROWS = 104, 60
CELL_WIDTH, LINE_HEIGHT, MARGIN = 8.0, 18, 16
PACE_SECONDS = "0.05"  # of the scripted child; the picture shall not be over in a moment
COLORS = {
    "31": "#f97583",
    "32": "#85e89d",
    "33": "#ffdf5d",
    "34": "#79b8ff",
    "35": "#b392f0",
    "36": "#6ac8d8",
    "90": "#8b949e",
}
DEFAULT_COLOR, BACKGROUND = "#d1d5da", "#1b1f23"
ESCAPE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")


@dataclass
class Line:
    """One row: its runs of equally styled text, and when it last changed."""

    runs: list[tuple[str, str]] = field(default_factory=list)  # (style codes, text)
    seconds: float = 0.0

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.runs)


class Screen:
    """As much of a terminal as the demo uses: lines that are added, and rows that are erased and drawn anew."""

    def __init__(self) -> None:
        self.lines = [Line()]
        self._row = 0
        self._style = ""

    def feed(self, text: str, now: float) -> None:
        """What the program wrote. An escape sequence must not be cut off at the end."""
        place = 0
        for match in ESCAPE.finditer(text):
            self._write(text[place : match.start()], now)
            self._act(match[1], match[2])
            place = match.end()
        self._write(text[place:], now)

    def _act(self, numbers: str, letter: str) -> None:
        if letter == "m":
            self._style = "" if numbers in ("", "0") else f"{self._style};{numbers}".strip(";")
        elif letter == "A":
            self._row -= int(numbers or 1)
        elif letter == "K":
            self.lines[self._row].runs = []

    def _write(self, text: str, now: float) -> None:
        for part in re.split(r"(\n)", text.replace("\r", "")):
            if part == "\n":
                self._row += 1
                if self._row == len(self.lines):
                    self.lines.append(Line())
            elif part:
                self.lines[self._row].runs.append((self._style, part))
                self.lines[self._row].seconds = now


def record(argv: list[str]) -> Screen:
    """The screen after a program has run on a terminal of its own."""
    pid, terminal = pty.fork()
    if pid == 0:
        wanted = {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "SAMOLOOP_DEMO_PACE": PACE_SECONDS}
        os.execve(argv[0], argv, {**os.environ, **wanted})
    termios.tcsetwinsize(terminal, (ROWS, COLUMNS))
    screen, begun, rest = Screen(), time.monotonic(), b""
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # the program is gone
            break
        if not data:
            break
        whole, rest = _whole(rest + data)
        screen.feed(whole.decode("utf-8", "replace"), time.monotonic() - begun)
    _, status = os.waitpid(pid, 0)
    if code := os.waitstatus_to_exitcode(status):
        sys.exit(f"the program ended with {code}:\n" + "\n".join(line.text for line in screen.lines))
    return screen


def _whole(data: bytes) -> tuple[bytes, bytes]:
    """What can be shown now, and the beginning of a character or escape sequence that is still to come."""
    cut = len(data)
    begun = data.rfind(b"\x1b", max(0, cut - 16))
    if begun >= 0 and not re.match(rb"\x1b\[[0-9;?]*[A-Za-z]", data[begun:]):
        cut = begun
    for back in range(1, min(4, cut) + 1):
        first = data[cut - back]
        if first >= 0xC0:  # the first byte of a character of several
            if back < 2 + (first >= 0xE0) + (first >= 0xF0):
                cut -= back
            break
        if first < 0x80:
            break
    return data[:cut], data[cut:]


def draw(command: str, lines: list[Line]) -> str:
    """The picture. Each line appears when it came; who wants no motion, or cannot have it, sees all at once."""
    rows = [Line([("", "$ "), ("1", command)]), *(row for line in lines for row in _wrapped(line))]
    width = COLUMNS * CELL_WIDTH + 2 * MARGIN
    height = len(rows) * LINE_HEIGHT + 2 * MARGIN + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
        f'viewBox="0 0 {width:.0f} {height}" role="img" aria-label="{escape(command)} on a terminal">',
        "<style>text{font:13.3px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace}"
        "@keyframes come{from{opacity:0}}.l{animation:come .15s backwards}"
        "@media (prefers-reduced-motion:reduce){.l{animation:none}}</style>",
        f'<rect width="100%" height="100%" rx="10" fill="{BACKGROUND}"/>',
        *(
            f'<circle cx="{MARGIN + 6 + 20 * n}" cy="20" r="6" fill="{color}"/>'
            for n, color in enumerate(("#f97583", "#ffdf5d", "#85e89d"))
        ),
    ]
    for number, row in enumerate(rows):
        y = MARGIN + 24 + (number + 0.75) * LINE_HEIGHT
        spans = "".join(_span(style, text) for style, text in row.runs)
        delay = f' style="animation-delay:{row.seconds:.2f}s"' if row.seconds else ""
        parts.append(f'<text class="l"{delay} x="{MARGIN}" y="{y:.1f}" xml:space="preserve">{spans}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _wrapped(line: Line) -> list[Line]:
    """The rows that a terminal would make of a line that is too long for it."""
    cells = [(style, character) for style, text in line.runs for character in text]
    rows = []
    for start in range(0, max(len(cells), 1), COLUMNS):
        runs = [(style, "".join(c for _, c in run)) for style, run in groupby(cells[start : start + COLUMNS], _style)]
        rows.append(Line(runs, line.seconds))
    return rows


def _style(cell: tuple[str, str]) -> str:
    return cell[0]


def _span(style: str, text: str) -> str:
    codes = style.split(";")
    color = next((COLORS[code] for code in codes if code in COLORS), DEFAULT_COLOR)
    more = ' font-weight="600"' if "1" in codes else ""
    more += ' opacity="0.6"' if "2" in codes else ""
    return f'<tspan fill="{color}"{more}>{escape(text)}</tspan>'


def main() -> None:
    program = Path(sys.executable).with_name("samoloop")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder).resolve() / "till"
        screen = record([str(program), "demo", "--yes", "--keep", str(place)])
        lines = [line for line in screen.lines if line.text.strip() or line is not screen.lines[-1]]
        for line in lines:
            line.runs = [(style, text.replace(str(place), "~/till")) for style, text in line.runs]
    (HERE / "demo.svg").write_text(draw("samoloop demo --yes --keep ~/till", lines), encoding="utf-8")


if __name__ == "__main__":
    main()
