"""What a person should hear of a session: an outbox folder on disk, written by the worker, read by whoever delivers.

The worker only writes files, so a dead network never delays an iteration and nothing said while it was down is lost.
Each item is `_outbox/NNNNNN.json`, numbered in the order of happening; each reader (Telegram, a command, a webhook)
keeps how far it came in `_outbox/<reader>.cursor`. Items are state changes only, a few per phase.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from samoloop.base import files
from samoloop.base.errors import warn
from samoloop.base.files import read_plain, write_atomic
from samoloop.base.values import frozen
from samoloop.config.outlets import TELEGRAM, Outlets
from samoloop.core.control import control_of, is_fleets
from samoloop.core.words import News

FOLDER = "_outbox"
_NOTHING: tuple[Any, ...] = ("", (), [], None, 0, False)
RECENT = 50  # items among which one is looked for that a worker says again after its restart
ITEM_LIMIT_BYTES = 1_000_000  # an item larger than that was not written by us


@frozen
class Asked:
    """One question as it stood when its gate opened."""

    id: str
    text: str
    why: str = ""
    options: Sequence[tuple[str, str]] = ()  # (letter, words)
    suggestion: str = ""


@frozen
class Announcement:
    """One thing to say. Texts are plain words; whoever shows them escapes them. Empty fields are left out on disk."""

    kind: News
    session: str  # name of the session folder
    title: str = ""  # the task in one line
    phase: str = ""
    iteration: int = 0
    text: str = ""  # the reason, the summary, or what is asked of the person
    needs: str = ""  # blocked: human_decision, clarification or error_resolution
    gate: str = ""  # id of the gate that opened
    file: str = ""  # the plan, or the file that is waited for
    sha: str = ""  # SHA-256 of what was shown when the gate opened
    questions: Sequence[Asked] = ()
    resumes_at: float | None = None  # epoch seconds
    cost_usd: float | None = None  # in money; None: unknown
    virtual_usd: float = 0.0  # what a subscription covers
    ceiling_usd: float | None = None
    seconds: float | None = None  # time since the session began
    branch: str = ""
    commits: Sequence[str] = ()  # one line each
    diff_stat: str = ""
    gaps: str = ""  # what is open, in the child's words
    command: str = ""  # what to type next, on the machine
    project: str = ""  # the name of its folder
    folder: str = ""  # the session's
    reminder: int = 0  # how often it was said again
    at: float = 0.0  # epoch seconds; `put` fills it in
    source: str = ""  # which announcement of which machine of a fleet it is, where it was passed on
    again: bool = False  # another phone of the fleet has shown it before

    def as_json(self) -> dict[str, Any]:
        """What hooks receive and the outbox holds: the fields that say something."""
        given = asdict(self).items()
        return {name: value for name, value in given if value not in _NOTHING or (name, value) == ("cost_usd", 0)}


@frozen
class Item:
    """An announcement with its place in the order."""

    number: int
    announcement: Announcement | None  # None: it cannot be read, and is there to be acknowledged


def put(session_dir: Path, announcement: Announcement, outlets: Outlets) -> int | None:
    """Write one item for every reader in `outlets`; returns its number, None when nobody reads or the disk refused.

    Everything is said once: a worker that restarts may put it again and gets the number it has. Of a session that
    several machines share it travels with it, and one machine's phone alone is given it, by `pass_on`.
    Never raises: a broken announcement is logged and the work goes on.
    """
    shared = is_fleets(session_dir)
    readers = [name for name in outlets.readers if not (name == TELEGRAM and (announcement.reminder or shared))]
    if not readers and not shared:
        return None
    stamped = announcement if announcement.at else replace(announcement, at=time.time())
    try:
        folder = control_of(session_dir) / FOLDER
        files.put_folder(folder)
        number = _said(folder, stamped)
        return _store(folder, {**stamped.as_json(), "for": readers}) if number is None else number
    except (OSError, TypeError, ValueError) as error:
        warn(f"could not announce {announcement.kind} of {announcement.session}: {error}")
        return None


def pass_on(session_dir: Path, announcement: Announcement, reader: str) -> None:
    """Write an item of another machine for one reader, as it is. Raises OSError, SessionError."""
    folder = control_of(session_dir) / FOLDER
    files.put_folder(folder)
    _store(folder, {**announcement.as_json(), "for": [reader]})


def passed_on(session_dir: Path) -> list[tuple[str, int]]:
    """The sources of what was passed on here, with their numbers."""
    folder = control_of(session_dir) / FOLDER
    found = [(_content(folder / f"{number:06d}.json").get("source"), number) for number in _numbers(folder)]
    return [(str(source), number) for source, number in found if source]


def is_passed_on(data: bytes) -> bool:
    """Whether the bytes are an item of another machine."""
    try:
        return bool(json.loads(data).get("source"))
    except (ValueError, AttributeError):
        return False


def remove_leftovers(session_dir: Path, cursor: str = "") -> None:
    """Remove what a killed worker left half written: its items, or a reader's cursor. For their one writer only."""

    def is_ours(name: str) -> bool:
        return name == cursor if cursor else name.removesuffix(".json").isdecimal()

    files.remove_leftovers(control_of(session_dir) / FOLDER, is_ours)


def pending(session_dir: Path, reader: str) -> Iterator[Item]:
    """The items for `reader` that it has not acknowledged, in order. Raises SessionError."""
    folder = control_of(session_dir) / FOLDER
    if folder.is_symlink():
        return  # a child's work; the next item is in a folder again
    seen = _cursor(folder, reader)
    for number in _numbers(folder):
        if number > seen:
            item = _load(folder / f"{number:06d}.json", number, reader)
            if item is not None:
                yield item


def last(session_dir: Path, gate: str = "") -> Announcement | None:
    """What was announced last, whoever has heard it; of that gate, where one is named. None where nothing was.

    Nor is there anything where the last one cannot be read.
    """
    folder = control_of(session_dir) / FOLDER
    for number in reversed(_numbers(folder)):
        try:
            found = from_json(json.loads(read_plain(folder / f"{number:06d}.json", ITEM_LIMIT_BYTES) or b"null"))
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
        if gate in ("", found.gate):
            return found
    return None


def is_left(session_dir: Path) -> bool:
    """Whether somebody has not heard everything yet."""
    folder = control_of(session_dir) / FOLDER
    for number in reversed(_numbers(folder)):
        try:
            content = json.loads(read_plain(folder / f"{number:06d}.json", ITEM_LIMIT_BYTES) or b"null")
            return any(_cursor(folder, str(reader)) < number for reader in content["for"])
        except (ValueError, TypeError, KeyError):
            continue
    return False


def acknowledge(session_dir: Path, reader: str, number: int) -> None:
    """`reader` has delivered everything up to `number`. Raises OSError."""
    write_atomic(control_of(session_dir) / FOLDER / f"{reader}.cursor", f"{number}\n")


def cursor(session_dir: Path, reader: str) -> int:
    """Up to which number `reader` has delivered everything. Raises SessionError."""
    return _cursor(control_of(session_dir) / FOLDER, reader)


def _store(folder: Path, content: Mapping[str, Any]) -> int:
    """Write under the next number. Only the worker that holds the session's lock does this."""
    number = max(_numbers(folder), default=0) + 1
    write_atomic(folder / f"{number:06d}.json", json.dumps(content, ensure_ascii=False))
    return number


def _said(folder: Path, announcement: Announcement) -> int | None:
    """The number under which this gate, or the same words about the same iteration, were announced just before."""
    same = ("kind", "gate") if announcement.gate else ("kind", "phase", "iteration", "text", "resumes_at")
    same = (*same, "reminder")
    wanted = announcement.as_json()
    for number in reversed(_numbers(folder)[-RECENT:]):
        content = _content(folder / f"{number:06d}.json")
        if content and all(content.get(name) == wanted.get(name) for name in same):
            return number
    return None


def _numbers(folder: Path) -> list[int]:
    """The items there, in order."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return []
    return sorted(int(name[:-5]) for name in names if name.endswith(".json") and name[:-5].isdecimal())


def _cursor(folder: Path, reader: str) -> int:
    try:
        return int(read_plain(folder / f"{reader}.cursor", 40) or b"0")
    except ValueError:
        return 0


def _content(path: Path) -> Mapping[str, Any]:
    """What the item holds; nothing where it cannot be read."""
    try:
        found = json.loads(read_plain(path, ITEM_LIMIT_BYTES) or b"null")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _load(path: Path, number: int, reader: str) -> Item | None:
    """The item as `reader` finds it; None where it is for others."""
    try:
        raw = read_plain(path, ITEM_LIMIT_BYTES)
        if raw is None or len(raw) > ITEM_LIMIT_BYTES:
            raise ValueError("missing or too large")
        content = json.loads(raw)
        return Item(number, from_json(content)) if reader in content["for"] else None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        warn(f"the announcement {path} is passed over: {error}")
        return Item(number, None)


def from_json(content: Mapping[str, Any]) -> Announcement:
    """The announcement that `as_json` wrote; fields of a later version are ignored. Raises ValueError or TypeError."""
    known = {field.name for field in fields(Announcement)}
    values = {name: value for name, value in content.items() if name in known}
    values["kind"] = News(values["kind"])
    values["questions"] = tuple(
        Asked(**{**asked, "options": tuple((str(letter), str(words)) for letter, words in asked.get("options", ()))})
        for asked in values.get("questions", ())
    )
    values["commits"] = tuple(values.get("commits", ()))
    return Announcement(**values)
