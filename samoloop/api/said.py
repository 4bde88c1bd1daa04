"""What a session says, as sources to be searched: task, documents, answers, summary, what children said and did.

A source tells by its stamp whether it has changed, and is read only then, through readers that follow no link and wait
for no pipe.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from samoloop.api import logs
from samoloop.base.errors import SamoloopError
from samoloop.base.files import open_plain, read_plain, stamp
from samoloop.base.printable import one_line
from samoloop.base.values import frozen
from samoloop.core.events import Denied, Event, Failure, Result, Text, Tool
from samoloop.core.overview import FILE_NAME as OVERVIEW
from samoloop.core.overview import TASK_FILE
from samoloop.core.records import GateClosed, Guided, Record, Started, moment
from samoloop.core.session import Session

if TYPE_CHECKING:
    from samoloop.config.loading import Config

TASK, DOCUMENT, ANSWER, SUMMARY, LOG = "task", "document", "answer", "summary", "log"
KINDS = (TASK, DOCUMENT, ANSWER, SUMMARY, LOG)
Settings = Callable[[], "Config | None"]  # of the project, for logs alone; None where they cannot be read
_TEXT_BYTES = 500_000  # of a document
_LOG_BYTES = 8_000_000  # of a log that are looked at
_LOG_CHARACTERS = 200_000  # of what it says
_CHUNK_BYTES = 1 << 16


@frozen
class Source:
    """Something to be read: what it is, and how to read it where it has changed."""

    key: str  # within its session
    stamp: str
    kind: str  # one of `KINDS`
    place: str
    iteration: int
    at: float
    read: Callable[[], str]


def documents(session: Session) -> Iterator[Source]:
    """What children wrote: their documents, and the notebook."""
    for name in (*session.documents(), OVERVIEW):
        path = session.dir / name
        try:
            found = path.lstat()
        except OSError:
            continue
        changed = json.dumps([found.st_mtime_ns, found.st_size, found.st_ino])
        yield Source(f"{DOCUMENT} {name}", changed, DOCUMENT, name, 0, found.st_mtime, partial(_text, path))


def stamp_of_journal(session: Session) -> str:
    with suppress(SamoloopError, OSError):
        return _stamp_of(session.journal.path)
    return "unknown"


def of_journal(session: Session, settings: Settings) -> tuple[str, list[Source]]:
    """The session's title, and what its journal leads to; nothing of a journal that cannot be understood."""
    try:
        history, state = session.journal.read(), session.state()
        title, created = one_line(session.task), moment(state.created.at).timestamp()
        sources = [_task(session, title, created), *_said_by_people(history, session)]
        if state.summary:
            sources.append(Source(SUMMARY, state.summary, SUMMARY, "", 0, _epoch(state.updated), lambda: state.summary))
        return title, [*sources, *_logs(session, history, settings)]
    except Exception:  # one session, whatever is wrong with it, is no reason to find nothing of the others
        return session.name, []


def _logs(session: Session, history: Sequence[Record], settings: Settings) -> Iterator[Source]:
    """What children said and did, once they have ended."""
    for attempt in logs.attempts(history, session.logs):
        if attempt.over:
            started, ended = attempt.started, attempt.ended
            at = _epoch(ended.at if ended else started.at)
            read = partial(_log, session, attempt, settings)
            key = f"{LOG} {attempt.stem.name}"
            yield Source(key, _stamp_of(attempt.log), LOG, started.phase, started.iteration, at, read)


def _log(session: Session, attempt: logs.Attempt, settings: Settings) -> str:
    """A log as its CLI's reader understands it; empty where that is not configured any more."""
    config = settings()
    if config is None:
        return ""
    reader = logs.reader_of(session, attempt.started, attempt.stem, config)
    words: list[str] = []
    size = 0
    for line in _lines(attempt.log):
        with suppress(Exception):  # a line that a reader chokes on
            found = [said[:_LOG_CHARACTERS] for said in _words_of(reader.feed(line))]
            words += found
            size += sum(map(len, found))
        if size > _LOG_CHARACTERS:
            break
    return "\n".join(words)[:_LOG_CHARACTERS]


def _task(session: Session, title: str, created: float) -> Source:
    path = session.control / TASK_FILE
    return Source(TASK, _stamp_of(path), TASK, "", 0, created, lambda: _text(path) or title)


def _said_by_people(history: Sequence[Record], session: Session) -> Iterator[Source]:
    """Answers, comments and guidance. What a record says does not change."""
    iteration = 0
    for place, record in enumerate(history):
        match record:
            case Started():
                iteration = record.iteration
            case GateClosed():
                said, what = "\n".join(record.said), record.file or ", ".join(record.answers)
                if said.strip():
                    at = _epoch(record.at)
                    yield Source(f"{ANSWER} {place}", record.at, ANSWER, what, iteration, at, partial(str, said))
            case Guided():
                paths = [session.logs / name for name in record.inbox]

                def read(paths: Sequence[Path] = paths) -> str:
                    return "\n".join(map(_text, paths))

                yield Source(f"{ANSWER} {place}", record.at, ANSWER, "guidance", iteration, _epoch(record.at), read)


def _words_of(events: Iterable[Event]) -> Iterator[str]:
    """What a person would look for in what a child did."""
    for event in events:
        match event:
            case Text(text) | Result(_, text):
                yield text
            case Tool(name=name, detail=detail, running=running, ok=ok):
                if running or not ok:
                    yield f"{name} {detail}"
            case Denied(tool, detail):
                yield f"{tool} {detail}"
            case Failure(message=message):
                yield message


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a log, but those that are too long, as far as it is looked at."""
    cutter, left = logs.Lines(), _LOG_BYTES
    with open_plain(path) as file:
        while left > 0 and (chunk := file.read(_CHUNK_BYTES)):
            left -= len(chunk)
            yield from (line for line in cutter.feed(chunk) if isinstance(line, bytes))
    yield from (line for line in cutter.rest() if isinstance(line, bytes))


def _text(path: Path) -> str:
    """A document, as far as it is looked at. Raises ValueError for what is none."""
    return (read_plain(path, _TEXT_BYTES) or b"").decode("utf-8", "replace")


def _stamp_of(path: Path) -> str:
    return json.dumps(stamp(path))


def _epoch(at: str) -> float:
    return moment(at).timestamp() if at else 0.0
