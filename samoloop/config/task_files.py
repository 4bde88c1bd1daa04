"""The tasks of a project's backlog as files: `.samoloop/backlog/NAME.md`, front matter above the task.

A file is read whole or not at all: what is half saved, or cannot be understood, is a fault with its place. Links are
not followed, since these files are a project's, and a child's worktree may hold them.
"""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, NamedTuple

from samoloop.base.errors import UsageError, shown
from samoloop.base.files import Stamp, entries_of, read_plain, stamp
from samoloop.config import yaml_text
from samoloop.config.keys import CEILINGS, Finish
from samoloop.config.project import BACKLOG as FOLDER
from samoloop.config.schema import Fault, Key, Table, flag, one_of, read_keys, text, texts
from samoloop.core import schedule
from samoloop.core.backlog import Task
from samoloop.core.session import check_name

FILE_BYTES = 1_000_000
MOST = 5000  # files that are read
_OPEN, _FRONT = re.compile(r"---[ \t]*\n"), re.compile(r"---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_CLOCK = re.compile(r"\d{1,2}:\d\d")


class Backlog(NamedTuple):
    """All files of one backlog, by the name of the task."""

    tasks: Mapping[str, Task]
    faults: Mapping[str, str]  # of files that cannot be used: a sentence with its place


def path_of(root: Path, name: str) -> Path:
    """The file of a task, whether or not there is one."""
    return root / FOLDER / f"{name}.md"


Known = dict[Path, tuple[Stamp, Task | str]]  # what a file said when it was so; a text is what was wrong with it


def read(root: Path, zone: tzinfo, known: Known | None = None) -> Backlog:
    """The backlog of the project at `root`; empty where there is none. Files of other kinds, and hidden ones, are no
    tasks. What is `known`, and not changed since, is not read again.
    """
    tasks: dict[str, Task] = {}
    faults: dict[str, str] = {}
    known = {} if known is None else known
    entries = sorted(entries_of(root / FOLDER), key=lambda entry: entry.name)
    names = [entry.name for entry in entries if entry.name.endswith(".md") and not entry.name.startswith(".")]
    for name in names[:MOST]:
        path = root / FOLDER / name
        now, found = stamp(path), known.get(path)
        if found is None or found[0] != now:
            found = known[path] = (now, _tried(path, zone))
        if isinstance(found[1], str):
            faults[name[:-3]] = found[1]
        else:
            tasks[name[:-3]] = found[1]
    for name, others in _alike(tasks).items():
        what = f"{' and '.join(others)} differ in case alone, and some file systems cannot tell that"
        faults[name] = f"{name}.md: {what}"
        del tasks[name]
    if len(names) > MOST:
        faults[names[MOST][:-3]] = f"a backlog of more than {MOST} files is not read further than {names[MOST - 1]}"
    return Backlog(tasks, faults)


def _tried(path: Path, zone: tzinfo) -> Task | str:
    try:
        return read_task(path, zone)
    except (ValueError, OSError) as error:
        return str(error)


def _alike(tasks: Mapping[str, Task]) -> dict[str, list[str]]:
    folded: dict[str, list[str]] = {}
    for name in tasks:
        folded.setdefault(name.casefold(), []).append(name)
    return {name: names for names in folded.values() if len(names) > 1 for name in names}


def read_task(path: Path, zone: tzinfo) -> Task:
    """The task in a file. Raises ValueError that names each fault with its place."""
    try:
        check_name(path.stem)
        content, written = _content(path)
        return parse(path.stem, content, zone, written)
    except (ValueError, UsageError) as error:
        raise ValueError("\n".join(_placed(path.name, line) for line in str(error).splitlines())) from None


def _placed(name: str, line: str) -> str:
    return line if line.startswith(f"{name}:") else f"{name}: {line}"


def _content(path: Path) -> tuple[str, float]:
    data = read_plain(path, FILE_BYTES)
    if data is None:
        raise ValueError("it is gone")
    if len(data) > FILE_BYTES:
        raise ValueError("it is larger than 1 MB; put the matter in a file of the repository and name it")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n"), path.stat().st_mtime
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"it is not UTF-8 text: line {line} holds the byte 0x{data[error.start]:02x}") from None


def parse(name: str, content: str, zone: tzinfo, written: float = 0.0) -> Task:
    """The task that a file spells. Raises ValueError that names each fault with its place."""
    front, body = split(content)
    if not body.strip():
        raise ValueError("there is no task in it: say below the front matter what is to be done")
    faults: list[Fault] = []
    values = read_keys(_table(zone), yaml_text.read_mapping(front) if front.strip() else {}, faults)
    if faults:
        raise ValueError("\n".join(f"{yaml_text.place(f'{name}.md', front, fault.at, 1)}: {fault}" for fault in faults))
    if values.get("needs") and not values.get("fleet"):
        at = yaml_text.place(f"{name}.md", front, ("needs",), 1)
        raise ValueError(f"{at}: needs is what a machine of the fleet must have: add `fleet: true`")
    return Task(name=name, text=body.strip() + "\n", written=written, **values)


def split(content: str) -> tuple[str, str]:
    """Front matter and task. Raises ValueError where the one has no end, as in a file that is half saved."""
    if not _OPEN.match(content):
        return "", content
    found = _FRONT.match(content)
    if found is None:
        raise ValueError("its front matter has no end: a line of --- between the keys and the task")
    return found[1], content[found.end() :]


def place(root: Path, name: str, key: str) -> str:
    """`name.md:3`, where the file says that key."""
    try:
        front, _ = split(_content(path_of(root, name))[0])
        return yaml_text.place(f"{name}.md", front, (key,), 1)
    except (ValueError, OSError):
        return f"{name}.md"


# --- shapes of the keys -----------------------------------------------------------------------------------------------


def _names(value: object) -> tuple[str, ...]:
    found = (text(value),) if isinstance(value, str) else texts(value)
    return tuple(dict.fromkeys(name.strip().removesuffix(".md") for name in found))


def _words(value: object) -> tuple[str, ...]:
    found = text(value).replace(",", " ").split() if isinstance(value, str) else texts(value)
    return tuple(dict.fromkeys(found))


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 1_000_000:
        raise ValueError(f"it must be a whole number, got {shown(value)}")
    return value


def moment(value: object, zone: tzinfo) -> float:
    """A time of the wall as epoch seconds: `2026-12-01 02:00`, or with its own zone. One that the clock leaves out
    comes right after the jump, of one that comes twice it is the first. Raises ValueError.
    """
    found: datetime | None = None
    if isinstance(value, datetime):
        found = value
    elif isinstance(value, date):
        found = datetime(value.year, value.month, value.day)  # noqa: DTZ001  the zone follows
    elif isinstance(value, str) and len(value) < 80:
        try:
            found = datetime.fromisoformat(value.strip())
        except ValueError:
            found = None
    if found is None:
        clock = isinstance(value, int) or (isinstance(value, str) and _CLOCK.fullmatch(value.strip()))
        more = "; a time of day alone would come again each day: for that there is `every`" if clock else ""
        raise ValueError(f"a time is a day and an hour such as '2026-12-01 02:00', got {shown(value)}{more}")
    try:
        return (found if found.tzinfo else _real(found.replace(tzinfo=zone))).timestamp()
    except (OverflowError, ValueError):
        raise ValueError(f"there is no such time as {shown(value)}") from None


def _real(time: datetime) -> datetime:
    """The same, or right after the jump of the clock that leaves it out."""
    while time.astimezone(UTC).astimezone(time.tzinfo).replace(tzinfo=None) != time.replace(tzinfo=None):
        time += timedelta(minutes=1)
    return time


def _ceilings(value: object) -> dict[str, Any]:
    """As they are written, when they can be used."""
    faults: list[Fault] = []
    read_keys(CEILINGS, value, faults)
    if faults:
        raise ValueError("\n".join(map(str, faults)))
    return dict(value) if isinstance(value, Mapping) else {}


def _table(zone: tzinfo) -> Table:
    return Table(
        (
            Key("after", _names),
            Key("workflow", text),
            Key("provider", text),
            Key("base", text),
            Key("priority", _whole),
            Key("at", lambda value: moment(value, zone)),
            Key("every", lambda value: schedule.check(text(value))),
            Key("finish", one_of(Finish)),
            Key("ceilings", _ceilings),
            Key("hold", flag),
            Key("fleet", flag),
            Key("needs", _words),
        )
    )


# --- writing ----------------------------------------------------------------------------------------------------------


def written(task: str, keys: Mapping[str, Any]) -> str:
    """A file that says this; keys without a value are left out."""
    lines = [f"{key}: {_value(value)}\n" for key, value in keys.items() if value not in (None, (), "", {}, False)]
    front = f"---\n{''.join(lines)}---\n" if lines or _OPEN.match(task) else ""
    return f"{front}{task.strip()}\n"


def _value(value: Any) -> str:
    """A value as YAML: JSON is."""
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        value = int(value)
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def with_key(content: str, key: str, value: Any) -> str:
    """The same file with a key of one line set, or with None taken out; all else stays as it is. Raises ValueError."""
    content = content.replace("\r\n", "\n")
    front, body = split(content)
    lines = [line for line in front.splitlines() if not re.match(rf"{key}[ \t]*:", line)]
    lines += [f"{key}: {_value(value)}"] if value is not None else []
    return "\n".join(["---", *lines, "---", body]) if lines else body
