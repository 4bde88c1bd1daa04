"""The lines of a child's document that say something: examples in fences do not. One pass, whatever is in it."""

import re
from collections.abc import Iterator

LONGEST = 500  # characters of a line that are looked at
_FENCE = re.compile(r"\s{0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s+(.*)")


def lines(text: str) -> Iterator[str]:
    """Those outside of fences, each cut to what is looked at."""
    fence = ""
    for line in text.splitlines():
        match = _FENCE.match(line)
        if match and not fence:
            fence = match[1]
        elif match and match[1].startswith(fence) and not line.strip(" `~"):
            fence = ""
        elif not fence:
            yield line[:LONGEST].rstrip()


def heading(line: str) -> str | None:
    """The words of a heading, without what only adorns them; None for another line."""
    match = _HEADING.match(line)
    return match[1].strip(" #*_:`") if match else None
