"""`Key: value` lines, as a person fills them in."""

import re

from samoloop.core.gates import questions
from samoloop.core.gates.gate import StillOpen

_FIELD = re.compile(r"\s*[*_]*([a-z][a-z0-9-]*)[*_]*:[*_]{0,2}\s?(.*)$", re.IGNORECASE)


def fields(text: str) -> dict[str, str]:
    """The fields of a text up to Comments, whose value is the rest of it. The first line of a key counts.

    A line without its end may be half a line; only a comment is good so.
    """
    found: dict[str, str] = {}
    lines = re.split(r"\r\n|\r|\n", text)
    for index, line in enumerate(lines):
        match = _FIELD.match(line)
        if not match:
            continue
        key = match[1].lower()
        if key == "comments":
            found[key] = questions.words("\n".join([match[2], *lines[index + 1 :]]))
            break
        if index + 1 < len(lines):
            found.setdefault(key, questions.words(match[2]))
    return found


def nothing_said(name: str, text: str) -> StillOpen:
    """An open gate in whose file no field is filled in."""
    return StillOpen("" if text.endswith("\n") else f"{name} ends in the middle of a line: end its last line")
