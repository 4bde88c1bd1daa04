"""Strangers' words, made so that they only show: nothing that a child wrote may act on a person's terminal."""

import json
from typing import Any

# What could move the cursor, change colours or reorder a line: C0 and C1 controls, and the marks that turn the
# direction of writing. Line feeds and tabs are kept where lines are wanted.
_TURNING = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
UNSEEN = (*range(0x20), *range(0x7F, 0xA0), *_TURNING, 0x2028, 0x2029)
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")  # lone ones: no stream takes them
_SHOWN = dict.fromkeys(UNSEEN, "\ufffd") | {code: chr(0x2400 + code) for code in range(0x20)} | {0x7F: "\u2421"}
_SHOWN |= _SURROGATES
_SHOWN_IN_LINES = _SHOWN | {ord(kept): kept for kept in "\n\t"}
_ESCAPED = {code: f"\\u{code:04x}" for code in UNSEEN if code >= 0x7F} | _SURROGATES  # JSON itself escapes the others


def printable(text: str) -> str:
    """`text` as lines that only show: control characters as pictures of themselves."""
    return text.replace("\r\n", "\n").translate(_SHOWN_IN_LINES)


def one_line(text: str, limit: int | None = None) -> str:
    """`text` as a single line that only shows, cut to `limit` characters."""
    line = " ".join(text[: 50 * limit if limit else None].split()).translate(_SHOWN)
    return line if limit is None or len(line) <= limit else line[: max(limit - 1, 0)] + "…"


def cut_at(text: str, most: int) -> str:
    """`text` with so many of its characters at most, and where it is cut how many more there are."""
    more = len(text) - most
    return text if more <= 0 else f"{text[:most]}… and {more:,} characters more"


def json_text(value: Any, indent: int | None = None) -> str:
    """JSON that a terminal only shows: what acts on one is escaped, all other letters stand as they are."""
    return json.dumps(value, indent=indent, ensure_ascii=False).translate(_ESCAPED)
