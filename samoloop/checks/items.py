"""The items of a plan: the lines that can be ticked. Pure."""

import re
from collections.abc import Iterator

from samoloop.base.values import frozen
from samoloop.checks.markdown import heading, lines

TICKS = "xX✓✔"
_SHOWN = 60  # characters of an item that a sentence names
_BOX = re.compile(r"(\s*)(?:[-*+]|\d{1,4}[.)]|#{1,6})\s+\[(.?)\]\s*(.*)")
_BULLET = re.compile(r"(\s*)[-*+]\s+(.*)")
_ID = re.compile(
    r"[*_`~(]{0,4}(?:(?:item|task|step)\s+)?([A-Z]{0,2}\d{1,6}(?:\.\d{1,6}){0,5}[a-z]?)(?=[\s:.)\]*_`~,;–—-]|$)",
    re.IGNORECASE,
)


@frozen
class Item:
    """A line of a plan that can be ticked, or could become one."""

    id: str  # empty where it has none
    text: str
    section: str  # the words of the heading above it
    box: bool  # it can be ticked
    ticked: bool = False

    @property
    def is_open(self) -> bool:
        return self.box and not self.ticked

    @property
    def name(self) -> str:
        return f"{self.id} {self.text}".strip()[:_SHOWN].rstrip()


def items(text: str) -> list[Item]:
    """The items of a plan in order; details below an item are none, unless they have an id."""
    return list(_items(text))


def progress(text: str) -> tuple[int, int]:
    """How many items are ticked, and how many there are."""
    boxes = [item for item in items(text) if item.box]
    return sum(item.ticked for item in boxes), len(boxes)


def _items(text: str) -> Iterator[Item]:
    section = ""
    for line in lines(text):
        match = _BOX.match(line)
        if match:
            id, words = _split(match[3])
            if id or len(match[1].expandtabs(4)) < 2:
                yield Item(id, words, section, True, match[2] in TICKS if match[2] else False)
        elif (found := heading(line)) is not None:
            section = found
        elif bullet := _BULLET.match(line):
            id, words = _split(bullet[2])
            if id:
                yield Item(id, words, section, False)


def _split(words: str) -> tuple[str, str]:
    match = _ID.match(words)
    return (match[1].lower(), words[match.end() :].strip(" *_`:.)~-–—")) if match else ("", words.strip(" *_`"))
