"""What the next child would be told, found out without touching anything: no file is written, no lock taken."""

import os
from collections.abc import Mapping
from pathlib import Path

from samoloop.base.errors import SessionError
from samoloop.base.values import frozen
from samoloop.core import gates, overview
from samoloop.core.control import PROMPT, beside
from samoloop.core.records import Prepared, Resumed
from samoloop.core.session import Session
from samoloop.core.state import Condition, State, apply
from samoloop.worker import guidance
from samoloop.worker.iteration import build_prompt
from samoloop.worker.worker import Worker


@frozen
class Preview:
    """The next child's prompt."""

    phase: str
    iteration: int
    text: str
    additions: str | None  # of a file that the prompt names, where there is much that is new
    note: str  # what may still change it, a sentence; else empty
    parts: Mapping[str, int]  # bytes of the text by what it is made of, then of the files that it says to read first


def preview(worker: Worker) -> Preview:
    """The prompt as the next child would get it now; while one is at work, what that one was told.

    Raises SessionError where no child would follow.
    """
    session, state = worker.session, worker.state
    if state.open:
        path = beside(session.logs / Path(state.open.stem).name, PROMPT)
        text = gates.read_text(path)
        if text is None:
            raise SessionError(f"a child is at work on {session.name}, but what it was told is not in {path}")
        note, parts = "A child is at work: this is what it was told.", {"prompt": len(text.encode())}
        return Preview(state.phase, state.iteration, text, None, note, parts | _files(session))
    note = _suppose(state)
    iteration, attempt = (state.iteration, state.attempt + 1) if state.retry else (state.iteration + 1, 1)
    stem = session.stem(iteration, state.phase, attempt)
    built = build_prompt(worker, stem, iteration, _inbox(session, stem))
    parts = {name: len(section.encode()) for name, section in built.sections.items()}
    if built.additions:
        parts["news, in a file"] = len(built.additions.encode())
    return Preview(state.phase, iteration, built.text, built.additions, note, parts | _files(session))


def _files(session: Session) -> dict[str, int]:
    """Bytes of what every child reads beside its prompt."""
    names = (overview.FILE_NAME, guidance.FILE_NAME)
    texts = ((name, gates.read_text(session.dir / name)) for name in names)
    return {name: len(text.encode()) for name, text in texts if text}


def _suppose(state: State) -> str:
    """Bring the state, in memory alone, to where the next child starts; returns what is supposed by that."""
    match state.condition:
        case Condition.DONE:
            raise SessionError(
                "the session is done, so no child follows; `samoloop rewind SESSION N` goes back to before its end"
            )
        case Condition.NEW:
            apply(state, Prepared(phase=state.live_workflow.first_with_child))
            return "The session is not prepared yet: this supposes that it was."
        case Condition.BLOCKED | Condition.FAILED | Condition.STOPPED:
            before = state.condition
            apply(state, Resumed())
            return f"The session is {before}: this supposes a resume."
        case Condition.WAITING if state.gate or state.wanted:
            return "The session waits for a person: what they decide is added, and may change the phase."
    return ""


def _inbox(session: Session, stem: Path) -> list[str]:
    """The guidance that would be taken, as names relative to the logs."""
    inbox = session.control / gates.INBOX
    return [os.path.relpath(inbox, stem.parent)] if (gates.read_text(inbox) or "").strip() else []
