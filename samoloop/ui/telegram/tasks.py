"""The backlog on the phone, and what a session proposes to be learned: as messages, and how what is sent is read."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from samoloop.api import learned
from samoloop.core.session import Session, session_tag
from samoloop.ui.telegram import render
from samoloop.ui.telegram.buttons import About, Press
from samoloop.ui.telegram.render import Button, Outgoing, Role, Rows
from samoloop.ui.telegram.sessions import Known
from samoloop.ui.telegram.text import escape, shorten

ALL = "all"
_MOST_ROWS, _LONGEST = 40, 200
_AFTER = re.compile(r"after\s+([\w.-]+(?:\s*,\s*[\w.-]+)*)\s*:\s+(\S.*)", re.IGNORECASE | re.DOTALL)


def wanted(rest: str) -> tuple[tuple[str, ...], str]:
    """Of the words of `/add` the names that come first, and the task: `after store, users: an API on top`."""
    match = _AFTER.fullmatch(rest.strip())
    return (tuple(re.split(r"\s*,\s*", match[1])), match[2]) if match else ((), rest.strip())


def backlogs(found: Mapping[Path, Sequence[Mapping[str, Any]]]) -> str:
    """The backlogs of projects as HTML, each task a line: first those that are not done."""
    parts = []
    for root, rows in found.items():
        open_rows = [row for row in rows if row["stands"] != "done"]
        lines = [_row(row) for row in open_rows[:_MOST_ROWS]]
        if len(open_rows) > _MOST_ROWS:
            lines.append(f"… and {len(open_rows) - _MOST_ROWS} more")
        if done := len(rows) - len(open_rows):
            lines.append(f"{done} done")
        parts.append("\n".join([f"🗂 <b>{escape(root.name)}</b>", *lines]))
    return "\n\n".join(parts)


def _row(row: Mapping[str, Any]) -> str:
    said = row["why"] or (f"after {', '.join(row['after'])}" if row["after"] else row["title"])
    return f"• <b>{escape(row['name'])}</b>: {escape(row['stands'])}, {escape(shorten(said, _LONGEST))}"


def proposals(known: Known) -> list[Outgoing]:
    """What the session proposes to be learned, with a button each; nothing where it proposes nothing."""
    session = Session(known.session_dir)
    found = learned.proposals(session)
    if not found:
        return []
    taken = [learned.is_taken(session, one) for one in found]
    lines = [
        f"{number}. {'✓ ' if is_taken else ''}{escape(one.line)}\n<i>{escape(one.evidence)}</i>"
        for number, (one, is_taken) in enumerate(zip(found, taken, strict=True), 1)
    ]
    title = render.head("💡", known.label, "what every session here might be told")
    digest = learned.digest(found)
    left = [str(number) for number, is_taken in enumerate(taken, 1) if not is_taken]
    row = tuple(_button(known, digest, f"Take {number}", number) for number in left)
    more = ((_button(known, digest, "Take all", ALL),),) if len(left) > 1 else ()
    rows: Rows = ((row, *more)) if row else ()
    return [Outgoing("\n".join([title, "", *lines]), Role.LEARN, hash=digest, rows=rows, silent=True)]


def _button(known: Known, digest: str, label: str, choice: str) -> Button:
    return Button(label, Press(About.LEARN, session_tag(known.session_dir), "", digest, choice).pack())


def numbers(known: Known, choice: str) -> list[int]:
    """The proposals that are meant by `all` or by their numbers."""
    if choice.strip().lower() == ALL:
        return list(range(1, len(learned.proposals(Session(known.session_dir))) + 1))
    return [int(word) for word in re.findall(r"\d{1,3}", choice)]
