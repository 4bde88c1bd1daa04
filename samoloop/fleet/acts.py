"""What people did to a copy, brought into another copy that went on: what came first counts, and the rest is told.

A person's act is a change of files: an answer, a decision, the phase in the overview, a line of a plan, words for the
next child. So each is found by comparing with what both copies had, and taken over where the other copy has not changed
just that. Nothing here writes.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from samoloop.base.files import read_plain, write_anew
from samoloop.base.values import frozen
from samoloop.core import gates
from samoloop.core.gates import FILES as GATE_FILES
from samoloop.core.gates import INBOX, questions
from samoloop.core.records import GateClosed, Guided, Record
from samoloop.core.session import Session
from samoloop.core.signals import GateKind
from samoloop.fleet.parcel import CONTROL, SESSION, Content, Parcel
from samoloop.git.calls import Git
from samoloop.git.objects import blob_name
from samoloop.git.session_files import session_files
from samoloop.git.staging import LIMIT_BYTES

Files = Mapping[str, tuple[int, bytes]]  # path in the session folder -> mode, content
_SHOWN = 200  # characters of a person's words in a sentence
_BINARY = 127  # merge-file: more than that is no number of conflicts


@frozen
class Taken:
    """A copy with what people did to another one."""

    files: Files  # all of them
    inbox: bytes
    said: tuple[str, ...] = ()  # of what was not taken over
    lost: tuple[str, ...] = ()  # the files in which that stands


def onto(
    session: Session, store: Git, base: Content | None, came: Content, *, ahead: bool, given: bytes = b""
) -> Taken:
    """What came, with what was done here since `base`. Where children worked here since (`ahead`), only words for the
    next child are taken over, those that were `given` to them in vain among them, and what was said at a gate that is
    open still: all else was about their work."""
    words = joined(came.inbox, base.inbox if base else b"", given + _inbox_here(session))
    if base is None:
        return Taken(came.session, words)
    here, gate = files_here(session), session.state().gate
    same_gate = base.parcel.gate == came.parcel.gate
    if ahead:
        here = {path: here[path] for path in sorted(GATE_FILES) if path in here}
        if not (gate and same_gate and gate.id == base.parcel.gate):
            return Taken(came.session, words, tuple(_set_aside(here, base.session, came.session)))
    found, said = combined(store, base.session, came.session, here, same_gate=same_gate)
    return Taken({**came.session, **found}, words, tuple(said.values()), () if ahead else tuple(said))


def _set_aside(here: Files, base: Files, came: Files) -> Iterator[str]:
    """Of a person's words at a gate that only the work had which is set aside."""
    for path, (_, mine) in here.items():
        known = [_answers_in(path, files[path][1]) for files in (base, came) if path in files]
        new = {
            key: words for key, words in _answers_in(path, mine).items() if words not in [one.get(key) for one in known]
        }
        if new:
            shown = "; ".join(f"{key}: {_shown(words)}" for key, words in new.items())
            yield f"what was said in {path} was about that work ({shown}): say it again where it still holds"


def closed_in_vain(mine: Iterable[Record], theirs: Iterable[Record]) -> Iterator[str]:
    """Of a person's words by which a gate was closed in a journal that is set aside."""
    known = {line for record in theirs if isinstance(record, GateClosed) for line in record.said}
    for record in mine:
        if isinstance(record, GateClosed) and (new := [line for line in record.said if line not in known]):
            shown = "; ".join(map(_shown, new))
            yield f"what was said at the gate {record.gate} was about that work ({shown}): say it again where it holds"


def given_in_vain(mine: Iterable[Record], theirs: Iterable[Record], logs: Path) -> bytes:
    """A person's words that children had whose work is set aside."""
    known = {name for record in theirs if isinstance(record, Guided) for name in record.inbox}
    given = [name for record in mine if isinstance(record, Guided) for name in record.inbox if name not in known]
    return b"".join(_plain(logs / name) or b"" for name in given)


def into(session: Session, store: Git, base: Content, came: Content) -> Taken:
    """What is here, with what people did elsewhere since `base`."""
    gate, here = session.state().gate, files_here(session)
    same_gate = came.parcel.gate == (gate.id if gate else "")
    found, said = combined(store, base.session, here, came.session, same_gate=same_gate)
    words = joined(_inbox_here(session), base.inbox, came.inbox)
    return Taken({**here, **found}, words, tuple(said.values()), tuple(said))


def files_here(session: Session) -> dict[str, tuple[int, bytes]]:
    """The session's own files as they are; what a child made of them is read with limits and never through a link."""
    left_out, found = session.state().left_out, {}
    for path, what in session_files(session.dir):
        if path not in left_out and (data := _plain(session.dir / path)) is not None:
            found[path] = (0o755 if what.st_mode & 0o100 else 0o644, data)
    return found


def combined(
    store: Git, base: Files, first: Files, second: Files, *, same_gate: bool
) -> tuple[dict[str, tuple[int, bytes]], dict[str, str]]:
    """The files that `second` changed since `base`, as they are in `first` with that; and a sentence for each of which
    something was not taken, because `first` has it otherwise, or its gate is closed there."""
    found, said = {}, {}
    for path, (mode, mine) in second.items():
        was, there = base.get(path, (0, b""))[1], first.get(path, (0, b""))[1]
        if mine in (was, there) and (path in base or path in first):
            continue
        if path in GATE_FILES and not same_gate:
            said[path] = f"the gate of {path} was closed by somebody else first{_words(path, was, mine)}"
            continue
        content, why = (mine, "") if there == was else _both(store, path, was, there, mine)
        found[path] = (mode, content)
        if why:
            said[path] = why
    return found, said


def _both(store: Git, path: str, was: bytes, first: bytes, second: bytes) -> tuple[bytes, str]:
    """A file that both changed, and what of the second one's change was not taken."""
    if path == questions.FILE_NAME:
        return _answers(was, first, second)
    if path in GATE_FILES:
        return first, f"{path} was decided by somebody else first{_words(path, was, second)}"
    merged, conflicts = _merged(store, was, first, second)
    return merged, f"{path} was changed at the same place by somebody else first" if conflicts else ""


def _answers(was: bytes, first: bytes, second: bytes) -> tuple[bytes, str]:
    """The answers of both; to the same question the first one's."""
    before, theirs, mine = (
        {question.id: question for question in questions.parse(_text(data)) if question.answer}
        for data in (was, first, second)
    )
    text, late = _text(first), []
    for id, question in mine.items():
        if id in before and before[id].answer == question.answer:
            continue
        if id not in theirs:
            text = questions.with_answers(text, {id: question.answer}, question.by)
        elif theirs[id].answer != question.answer:
            who = theirs[id].by or "somebody else"
            late.append(f"{id} was answered by {who} first, and not with {_shown(question.answer)}")
    return text.encode() if text != _text(first) else first, "; ".join(late)


def _merged(store: Git, was: bytes, first: bytes, second: bytes) -> tuple[bytes, bool]:
    """A three-way merge by git; where both changed the same lines, the first one's."""
    with tempfile.TemporaryDirectory() as folder:
        names = [Path(folder) / name for name in ("first", "was", "second")]
        for path, data in zip(names, (first, was, second), strict=True):
            path_text = data.decode("utf-8", "surrogateescape")
            write_anew(path, path_text)
        words = ("merge-file", "-p", "-q", "--ours", *map(str, names))
        plain = store.call(*(word for word in words if word != "--ours"))
        if plain.returncode == 0:
            return plain.stdout, False
        if plain.returncode > _BINARY:
            return first, True
        return store.call(*words).stdout, True


def joined(first: bytes, base: bytes, second: bytes) -> bytes:
    """Words for the next child, in the order in which they came: none is lost, and none is said twice."""
    if second in (b"", base) or first.startswith(second):
        return first
    if first.startswith(base) and second.startswith(first):
        return second
    new = second.removeprefix(base)  # what `base` had may be with a child by now
    return first if new in first else first + new


def unsent(session: Session, base: Parcel) -> bool:
    """Whether a person did something to the copy since it was placed or pushed."""
    here = {SESSION + path: data for path, (_, data) in files_here(session).items()} | {
        CONTROL + INBOX: _inbox_here(session)
    }
    known, nothing = {path: entry.oid for path, entry in base.files.items()}, blob_name(b"", base.oid)
    return any(known.get(path, nothing) != blob_name(data, base.oid) for path, data in here.items())


def _answers_in(path: str, data: bytes) -> dict[str, str]:
    kind = next(one for one in map(gates.behaviour, GateKind) if path == one.FILE)
    return kind.answers_in(_text(data))


def _text(data: bytes) -> str:
    return data.decode("utf-8-sig", "replace")


def _words(path: str, was: bytes, mine: bytes) -> str:
    """A person's own words, to be told again with what became of them."""
    before, new = _answers_in(path, was), _answers_in(path, mine)
    said = [f"{key}: {_shown(words)}" for key, words in new.items() if words != before.get(key)]
    return f" ({'; '.join(said)})" if said else ""


def _shown(words: str) -> str:
    text = " ".join(words.split())
    return f'"{text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"}"'


def _inbox_here(session: Session) -> bytes:
    return _plain(session.control / INBOX) or b""


def _plain(path: Path) -> bytes | None:
    try:
        return read_plain(path, LIMIT_BYTES)
    except ValueError:
        return None
