"""A patch, by file, as values for a template: which lines, under which numbers, in the colours of their language."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from samoloop.base.printable import cut_at, one_line, printable
from samoloop.base.values import frozen
from samoloop.ui.web.words import coloured

LONGEST_LINE = 1_000  # characters of one line that are shown
_COLOUR_SECONDS = 1.0  # of one patch; the files after that have no colours
_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\([0-7]{3}|.)")
_ESCAPES = {"a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r"}
_LONGEST_NAME = 300


@dataclass
class Line:
    sign: str  # "+", "-", or " " for one that is on both sides
    old: int | None  # its number there; None where it is not
    new: int | None
    words: str
    note: str = ""  # that no newline ends it
    html: Markup = field(default_factory=Markup)


@frozen
class Hunk:
    head: str  # in which function, as git finds it
    lines: Sequence[Line]


@dataclass
class FileDiff:
    """What became of one file."""

    name: str = ""
    facts: list[str] = field(default_factory=list)  # new, deleted, renamed, mode, binary
    hunks: list[Hunk] = field(default_factory=list)
    left_out: int = 0  # lines that are not shown
    is_cut: bool = False  # there are more lines, and nobody counted them


def by_file(patch: str, most_lines: int) -> list[FileDiff]:
    """The files of a patch as git writes it, with at most so many lines of each."""
    end = time.monotonic() + _COLOUR_SECONDS
    files: list[FileDiff] = []
    lines, place = patch.split("\n"), 0
    while place < len(lines):
        line, place = lines[place], place + 1
        if line.startswith("diff --git "):
            files.append(FileDiff(_name_in(line.removeprefix("diff --git "))))
        elif files and (head := _HUNK.match(line)):
            file, start = files[-1], place
            place = _end_of_hunk(lines, start, head)
            made = _numbered(lines[start:place], int(head[1]), int(head[3]))
            kept = made[: max(most_lines - sum(len(hunk.lines) for hunk in file.hunks), 0)]
            file.left_out += len(made) - len(kept)
            if kept:
                _colour(kept, file.name if time.monotonic() < end else "")
                file.hunks.append(Hunk(one_line(head[5], LONGEST_LINE), kept))
        elif files:
            _take_header(files[-1], line)
    return files


def _take_header(file: FileDiff, line: str) -> None:
    """A line between `diff --git` and the first hunk."""
    words, _, rest = line.partition(" ")
    if words in ("---", "+++") and rest.strip() != "/dev/null":
        file.name = shown_name(_unquoted(rest)[2:])  # without a/ or b/
    elif line.startswith("new file mode "):
        file.facts.append("new" + _kind(line[-6:]))
    elif line.startswith("deleted file mode "):
        file.facts.append("deleted")
    elif line.startswith("rename from "):
        file.facts.append(f"renamed from {shown_name(_unquoted(line.removeprefix('rename from ')))}")
    elif line.startswith("rename to "):
        file.name = shown_name(_unquoted(line.removeprefix("rename to ")))
    elif line.startswith("old mode "):
        file.facts.append(f"mode {line[-6:]}")
    elif line.startswith("new mode "):
        file.facts[-1:] = [f"{file.facts[-1]} → {line[-6:]}"] if file.facts else []
    elif line.startswith("Binary files "):
        file.facts.append("binary, or more than 1 MB")


def _kind(mode: str) -> str:
    return {"120000": ", a link", "160000": ", a repository of its own", "100755": ", may be run"}.get(mode, "")


def _name_in(both: str) -> str:
    """The file's name in `a/NAME b/NAME`, where the two are the same; other lines say so where they are not."""
    quoted = _QUOTED.match(both)
    return shown_name((_unquoted(both) if quoted else both[: len(both) // 2])[2:])


def _unquoted(name: str) -> str:
    """A name as git writes it: in quotes where it holds what could be misread."""
    quoted = _QUOTED.match(name)
    if not quoted:
        return name.removesuffix("\t")
    return _ESCAPE.sub(lambda found: _letter(found[1]), quoted[1])


def _letter(escape: str) -> str:
    return chr(int(escape, 8)) if len(escape) == 3 else _ESCAPES.get(escape, escape)


def shown_name(name: str) -> str:
    """In one line, each character for itself: two names that differ look different."""
    shown = printable(name).replace("\n", "␊").replace("\t", "␉")
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[:_LONGEST_NAME]}…"


def _end_of_hunk(lines: Sequence[str], place: int, head: re.Match[str]) -> int:
    """Its head says how many lines it has, so that none of them can end it."""
    old, new = int(head[2] or 1), int(head[4] or 1)
    while place < len(lines) and (old > 0 or new > 0 or lines[place].startswith("\\")):
        sign = lines[place][:1] or " "  # a setting of git's leaves it out of an empty line
        old -= sign not in "+\\"
        new -= sign not in "-\\"
        place += 1
    return place


def _numbered(raw: Sequence[str], old: int, new: int) -> list[Line]:
    made: list[Line] = []
    for line in raw:
        sign = line[:1] or " "
        if sign == "\\":
            if made:
                made[-1].note = "no newline at its end"
            continue
        made.append(Line(sign, None if sign == "+" else old, None if sign == "-" else new, _cut(line[1:])))
        old += sign != "+"
        new += sign != "-"
    return made


def _cut(words: str) -> str:
    return cut_at(words.replace("\r", "␍"), LONGEST_LINE)  # it may be all that was changed


def _colour(lines: Sequence[Line], name: str) -> None:
    """Each side is read as a text of its own."""
    for gone in ("+", "-"):  # what is on both sides is coloured last as it is now
        side = [line for line in lines if line.sign != gone]
        made = coloured("\n".join(line.words for line in side), name)
        for line, html in zip(side, made, strict=bool(side)):
            line.html = html
