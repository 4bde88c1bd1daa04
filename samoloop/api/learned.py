"""A person takes over what a session found out: into the project's file, of which every child is told."""

import os
from collections.abc import Mapping, Sequence

from samoloop.api.deciding import DIGEST
from samoloop.base.errors import SessionError, UsageError
from samoloop.base.files import make_folder, sha256, write_atomic
from samoloop.base.locks import Lock
from samoloop.base.places import state_folder
from samoloop.config.project import LEARNED
from samoloop.core.session import Session
from samoloop.core.state import Condition
from samoloop.worker import learned
from samoloop.worker.learned import Proposal

_LOCK_SECONDS = 10.0


def proposals(session: Session) -> list[Proposal]:
    """What a session that is done proposes."""
    if session.state().condition is not Condition.DONE:
        return []
    return learned.proposed(session.journal.read())


def is_taken(session: Session, proposal: Proposal) -> bool:
    """Whether the line stands in the project's file; what cannot be read holds none, and `take` says so."""
    try:
        return f"- {proposal.line} (" in _text(session)
    except SessionError:
        return False


def digest(proposed: Sequence[Proposal]) -> str:
    """Of all that is proposed, so that a person takes what was shown to them."""
    return sha256("\n".join(f"{one.line}\n{one.evidence}" for one in proposed))[:DIGEST]


def take(session: Session, numbers: Sequence[int], environ: Mapping[str, str]) -> list[str]:
    """Write these proposals, counted from 1, into the project's file; sentences that say what was done.

    Raises UsageError for a number that there is not, SessionError for a file that cannot be read.
    """
    there = proposals(session)
    if not there:
        raise UsageError(f"{session.name} proposes nothing to be learned")
    for number in numbers:
        if not 1 <= number <= len(there):
            raise UsageError(f"{session.name} proposes {len(there)}, so there is no number {number}")
    path = session.state().created.root / LEARNED
    folder = state_folder(environ)
    make_folder(folder)
    with Lock.take(folder / "learned.lock", _LOCK_SECONDS, f"{os.getpid()}\n"):
        new = [there[number - 1] for number in dict.fromkeys(numbers) if not is_taken(session, there[number - 1])]
        text = _text(session) or "# Learned\n\n"
        text = text if text.endswith("\n") else f"{text}\n"
        text += "".join(f"{one.written(session.undated)}\n" for one in new)
        if new:
            make_folder(path.parent)
            write_atomic(path, text)
    said = [f"Taken into {path}:", *(f"- {one.line}" for one in new)] if new else [f"{path} has it already"]
    if (size := len(text.encode())) > learned.TOLD_BYTES:
        said.append(f"It has {size:,} bytes, and children are told the first {learned.TOLD_BYTES:,}: shorten it")
    return said


def _text(session: Session) -> str:
    root = session.state().created.root
    try:
        return learned.read(root).decode()
    except UnicodeDecodeError:
        raise SessionError(f"{root / LEARNED} is not UTF-8 text: mend it in an editor") from None
    except (OSError, ValueError) as error:
        raise SessionError(f"{root / LEARNED} cannot be read: {error}") from None
