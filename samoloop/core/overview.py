"""`_overview.md`: the session's state in prose, for the next child and for people.

The child owns it but for three lines under `## Status`, which the worker puts right before each child. Every later
child reads it, so it must not grow: of the Flow Log and the list of files the worker keeps what is new.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import dropwhile

FILE_NAME = "_overview.md"
TASK_FILE = "_task.md"
OLDER_FILE = "_flow.md"  # holds what the overview holds no more
FLOW_LINES, LINE_LENGTH = 15, 300  # of the Flow Log; characters of each
ROUNDS = 2  # documents of each kind below, which every round of work adds one of
_KINDS = ("testing", "review")
_SHOWN_BYTES = 2000
_OWN = ("Phase", "Iteration", "Blocked")
_TIMED = re.compile(r" \(\d\d-\d\d \d\d:\d\d\)$")
_LINE = re.compile(r"\s*(?:[-*]\s+)?\**(Phase|Iteration|Blocked)\**:\**(.*)", re.IGNORECASE)


def skeleton(title: str, task: str, phase: str) -> str:
    """The file as the worker makes it at init."""
    quoted = "\n".join(f"> {line}".rstrip() for line in shortened(task).splitlines())
    return (
        f"# {title}\n\n## Task\n{quoted}\n\n"
        f"## Status\nPhase: {phase}\nIteration: 0\nBlocked: no\nLast Action: session created\nNext: {phase}\n\n"
        "## Flow Log\n\n## Files\n"
    )


def shortened(task: str) -> str:
    """A task, or its start with the name of the file that holds all of it."""
    shown = task.strip()
    if len(shown.encode()) > _SHOWN_BYTES:
        shown = shown.encode()[:_SHOWN_BYTES].decode("utf-8", "ignore") + f"\n…\nfull text: {TASK_FILE}"
    return shown


def with_worker_lines(text: str, *, phase: str, iteration: int, blocked: str) -> str:
    """`text` with the worker's three lines as they must be, whatever the child made of them."""
    values = {"Phase": phase, "Iteration": str(iteration), "Blocked": " ".join(blocked.split())[:200] or "no"}
    own = [f"{key}: {values[key]}" for key in _OWN]
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if _is_status(line)), None)
    if start is None:
        return "\n".join([*lines, "", "## Status", *own]) + "\n"
    end = next((i for i in range(start + 1, len(lines)) if lines[i].startswith("#")), len(lines))
    below = (line for line in lines[start + 1 : end] if not _LINE.match(line))
    rest = list(dropwhile(lambda line: not line.strip(), below))
    if end < len(lines) and (not rest or rest[-1].strip()):
        rest.append("")
    return "\n".join([*lines[: start + 1], *own, *rest, *lines[end:]]) + "\n"


def with_newest(text: str, now: datetime) -> tuple[str, list[str]]:
    """`text` with the newest lines of the Flow Log, each with its time, and the newest documents of each round; and
    the lines that went, oldest first.
    """
    older: list[str] = []
    lines = text.splitlines()
    for title, keep in (
        ("Flow Log", lambda entries: _newest(entries, now, older)),
        ("Files", lambda e: _files(e, older)),
    ):
        lines = _with_entries(lines, title, keep)
    return "\n".join(lines) + "\n", older


def _with_entries(lines: list[str], title: str, keep: Callable[[list[str]], Sequence[str]]) -> list[str]:
    """The lines with the entries of one list replaced by what `keep` makes of them."""
    heading = re.compile(rf"##\s+{title}\s*$", re.IGNORECASE)
    start = next((i + 1 for i, line in enumerate(lines) if heading.match(line)), len(lines))
    end = next((i for i in range(start, len(lines)) if lines[i].startswith("#")), len(lines))
    entries: list[str] = []
    for line in lines[start:end]:
        if line.strip() and (not entries or line[0] in "-*"):
            entries.append(line.rstrip())
        elif line.strip():  # it goes on below
            entries[-1] += f" {line.strip()}"
    kept = keep(entries)
    if list(kept) == [line for line in lines[start:end] if line.strip()]:
        return lines
    return [*lines[:start], *kept, *([""] if end < len(lines) else []), *lines[end:]]


def _newest(entries: list[str], now: datetime, older: list[str]) -> list[str]:
    """The last lines of the Flow Log, with the time at which each was seen first."""
    older += entries[:-FLOW_LINES]
    kept = []
    for entry in entries[-FLOW_LINES:]:
        if not _TIMED.search(entry):
            if len(entry) > LINE_LENGTH:
                older.append(entry)
                entry = f"{entry[:LINE_LENGTH].rstrip()}… (whole: {OLDER_FILE})"
            entry = f"{entry} ({now:%m-%d %H:%M})"
        kept.append(entry)
    return kept


def _files(entries: list[str], older: list[str]) -> list[str]:
    gone = {
        entry
        for kind in _KINDS
        for entry in [entry for entry in entries if re.search(rf"\b\d\d-\d\d-\d{{4}}-{kind}-", entry)][:-ROUNDS]
    }
    older += [entry for entry in entries if entry in gone]
    return [entry for entry in entries if entry not in gone]


def with_entry(text: str, entry: str) -> str:
    """`text` with one more line at the end of its Flow Log."""
    lines = text.splitlines()
    heading = next((i for i, line in enumerate(lines) if re.match(r"##\s+Flow Log\s*$", line, re.IGNORECASE)), None)
    if heading is None:
        return "\n".join([*lines, "", "## Flow Log", entry]) + "\n"
    end = next((i for i in range(heading + 1, len(lines)) if lines[i].startswith("#")), len(lines))
    last = next((i for i in range(end - 1, heading, -1) if lines[i].strip()), heading)
    return "\n".join([*lines[: last + 1], entry, *lines[last + 1 :]]) + "\n"


def phase_line(text: str) -> str | None:
    """What the `Phase:` line under `## Status` says, without decoration; None where there is none.

    A last line that nothing ends may have been cut off, so it says nothing.
    """
    lines = text[: text.rfind("\n") + 1].splitlines()
    start = next((i for i, line in enumerate(lines) if _is_status(line)), None)
    if start is None:
        return None
    for line in lines[start + 1 :]:
        if line.startswith("#"):
            return None
        match = _LINE.match(line)
        if match and match[1].lower() == "phase":
            return match[2].strip().strip("*_` ").lower()
    return None


def _is_status(line: str) -> bool:
    return re.match(r"##\s+Status\s*$", line, re.IGNORECASE) is not None
