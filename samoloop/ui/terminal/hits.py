"""What `search` prints for people: where the words stand, and some of the text around them."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from samoloop.api.said import DOCUMENT, LOG
from samoloop.api.search import Hit
from samoloop.base.printable import one_line
from samoloop.core.records import moment
from samoloop.core.session import undated
from samoloop.ui.terminal.live_block import cells
from samoloop.ui.terminal.output import Part
from samoloop.ui.terminal.words import clock_time

_INDENT = "    "
_PLAIN_COLUMNS = 100  # where the output goes to no terminal


def hit_lines(hits: Sequence[Hit], now: datetime, columns: int | None) -> Iterator[list[Part]]:
    """The lines of each place."""
    for hit in hits:
        when = clock_time(moment(hit.at).timestamp(), now.timestamp())
        yield [(one_line(undated(hit.session)), "strong"), f" · {one_line(place(hit))} · {when}"]
        yield from _wrapped(hit.snippet, columns or _PLAIN_COLUMNS)


def place(hit: Hit) -> str:
    """Where it stands, in words: `11-21-0930-plan-jwt.md`, `answer Q1`, `log of 007 planning`."""
    if hit.kind == LOG:
        return f"log of {hit.iteration:03d} {hit.place}"
    return f"{'' if hit.kind == DOCUMENT else hit.kind} {hit.place}".strip()


def _wrapped(snippet: Sequence[tuple[str, bool]], columns: int) -> Iterator[list[Part]]:
    """The text broken between words, what was found in its own tone."""
    line: list[Part] = [_INDENT]
    used, gap = len(_INDENT), ""
    for text, is_found in snippet:
        for number, word in enumerate(one_line(f"|{text}|")[1:-1].split(" ")):
            gap = " " if number and used > len(_INDENT) else gap
            if not word:
                continue
            if used + len(gap) + cells(word) >= columns and used > len(_INDENT):
                yield line
                line, used, gap = [_INDENT], len(_INDENT), ""
            line += [gap, (word, "good") if is_found else word]
            used, gap = used + len(gap) + cells(word), ""
    yield line
