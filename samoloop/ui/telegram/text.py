"""Any text, made fit for a Telegram message: escaped, split at lines, shortened. Pure functions.

HTML is the parse mode because it needs three characters escaped; every line made here is whole HTML by itself, so a
message can be cut between any two of them.
"""

import html
import re
from collections.abc import Iterable, Iterator

from samoloop.base.printable import UNSEEN

MESSAGE_LIMIT = 4096  # UTF-16 code units, as the server counts
ROOM = 3600  # what we fill, so that a closing line always fits when the message is edited
LABEL_LIMIT = 42  # a longer button label is cut off by phones
_UNSEEN = {code: None for code in UNSEEN} | {ord(kept): kept for kept in "\t\n"}
_CODE = re.compile(r"(`[^`\n]+`)")
_BOLD = re.compile(r"\*\*([^*\n]+)\*\*")
_HEADING = re.compile(r"#{1,6}\s+(.*)")
_BOX = re.compile(r"(\s*)[-*]\s+\[([ xX])\]\s+(.*)")
_BULLET = re.compile(r"(\s*)[-*]\s+(.*)")


def units(text: str) -> int:
    """Length as Telegram counts it."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def clean(text: str) -> str:
    """Without characters that Telegram refuses or that reorder what a person reads."""
    return text.translate(_UNSEEN).encode("utf-8", "replace").decode()


def escape(text: str) -> str:
    """Plain words as HTML."""
    return html.escape(clean(text), quote=False)


def inline(text: str) -> str:
    """One line of a child's Markdown as HTML: code spans and bold, everything else as it stands."""
    parts = _CODE.split(text)
    return "".join(
        f"<code>{escape(part[1:-1])}</code>" if index % 2 else _BOLD.sub(r"<b>\1</b>", escape(part))
        for index, part in enumerate(parts)
    )


def markdown(text: str) -> list[str]:
    """A child's Markdown as HTML lines: headings bold and set apart, bullets and boxes as characters."""
    lines: list[str] = []
    for part in text.strip().splitlines():
        if lines and lines[-1] and _HEADING.fullmatch(part):
            lines.append("")
        lines += [_line(line) for line in _folded(part.rstrip())]
    return lines


def _line(line: str) -> str:
    if found := _HEADING.fullmatch(line):
        return f"<b>{escape(found[1].replace('**', ''))}</b>"
    if found := _BOX.fullmatch(line):
        return f"{found[1]}{'☐' if found[2] == ' ' else '☑'} {inline(found[3])}"
    if found := _BULLET.fullmatch(line):
        return f"{found[1]}• {inline(found[2])}"
    return inline(line)


def _folded(line: str) -> Iterator[str]:
    """A line too long for any message, in pieces."""
    size = 1000  # at worst every character becomes "&amp;" or two units, still below ROOM when packed alone
    yield from (line[start : start + size] for start in range(0, max(len(line), 1), size))


def pack(lines: Iterable[str], room: int = ROOM) -> list[str]:
    """Whole HTML lines in as few messages as possible."""
    messages: list[str] = []
    current = ""
    for line in lines:
        joined = f"{current}\n{line}" if current else line
        if current and units(joined) > room:
            messages.append(current)
            joined = line
        current = joined
    return [message for message in [*messages, current] if message.strip()]


def shorten(text: str, limit: int) -> str:
    """On one line, at most `limit` characters."""
    line = " ".join(clean(text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def opening(text: str, limit: int) -> str:
    """The first whole lines of a text, at most `limit` characters, with a mark where more follows."""
    taken: list[str] = []
    length = 0
    for line in text.strip().splitlines():
        length += len(line) + 1
        if length > limit + 1:
            return "\n".join([*taken, "…"]) if taken else line[:limit] + "…"
        taken.append(line)
    return "\n".join(taken)


def plain(markup: str) -> str:
    """What a person sees of our HTML: for a server that cannot read it."""
    return html.unescape(re.sub(r"</?(?:b|i|s|code|pre|blockquote)(?: [^<>]*)?>", "", markup))
