"""What taps and replies do: the same file changes that an editor or a command would make.

Each function returns the sentence that the person gets. They raise SamoloopError with such a sentence where nothing was
changed. None can act twice: a gate closes once, guidance carries the number of the update that brought it.
"""

from pathlib import Path

from samoloop.base.errors import SessionError
from samoloop.core import gates, hearing, opening
from samoloop.core.control import LOGS, control_of
from samoloop.core.gates import INBOX, Gate, Verdict
from samoloop.core.gates.questions import Question
from samoloop.core.session import Session
from samoloop.ui.telegram.buttons import DIGEST, Press, question_hash, target_tag
from samoloop.ui.telegram.sessions import SIGNED, Known

OLD = "This button belongs to an earlier gate: nothing was changed. Look at the newest message."


def signed(name: str, update_id: int) -> str:
    """Who did it, as the files keep it: the number makes the effect recognisable."""
    return f"{name} {SIGNED}{update_id})"


def unsigned(by: str) -> str:
    """For people: without the number."""
    return by.partition(f" {SIGNED}")[0]


def _gate(known: Known) -> Gate | None:
    """The open gate, with nothing in its file that stood there before it opened."""
    return opening.ready_gate(Session(known.session_dir))


def asked(known: Known, target: str) -> tuple[Gate, Question]:
    """The open gate and its question that a button or reply names. Raises SessionError where it waits no longer."""
    gate = _gate(known)
    if gate is None or not gate.questions:
        raise SessionError("That question is closed: nothing was changed.")
    for question in gates.read_questions(known.session_dir):
        if target in (target_tag(gate.id, question.id), question.id) and question.id in gate.questions:
            return gate, question
    raise SessionError(OLD)


def answer(known: Known, gate_id: str, target: str, shown: str, words: str, by: str) -> str:
    """Answer one question; `shown` is the hash of the question as the person saw it."""
    gate, question = asked(known, target)
    if gate_id and gate.id != gate_id:
        raise SessionError(OLD)
    if question_hash(question) != shown:
        raise SessionError(f"{question.id} has changed since that message: nothing was changed, look at the new one.")
    if question.answer:
        by_whom = unsigned(question.by) or "somebody in an editor"
        raise SessionError(f"{question.id} was answered already by {by_whom}: {question.answer[:80]}")
    left = gates.answer(known.session_dir, gate, {question.id: words}, by)
    return (
        f"{question.id} answered. Still open: {', '.join(left)}." if left else f"{question.id} answered, that was all."
    )


def waiting_plan(known: Known, target: str, shown: str) -> Gate:
    """The open plan gate that a button or reply names. Raises SessionError where it is another one by now."""
    gate = _gate(known)
    if gate is None or not gates.takes(gate, Verdict.APPROVE):
        raise SessionError("No plan waits for a decision: nothing was changed.")
    if target not in (gate.id, target_tag(gate.id)) or (gate.sha256 or "")[:DIGEST] != shown[:DIGEST]:
        raise SessionError(OLD)
    return gate


def approve(known: Known, press: Press, by: str) -> str:
    """Approve exactly the text that was shown."""
    gate = waiting_plan(known, press.target, press.hash)
    gates.decide_plan(known.session_dir, gate, Verdict.APPROVE, by, shown=gate.sha256)
    return "Approved."


def reject(known: Known, press: Press, by: str) -> str:
    gate = waiting_plan(known, press.target, press.hash)
    gates.decide_plan(known.session_dir, gate, Verdict.REJECT, by)
    return "Rejected. The session stops; /resume takes it up again."


def request_changes(known: Known, gate_id: str, shown: str, comment: str, by: str) -> str:
    gate = waiting_plan(known, gate_id, shown)
    gates.decide_plan(known.session_dir, gate, Verdict.CHANGES, by, comment=comment)
    return "Changes requested: back to planning."


def confirm_action(known: Known, press: Press, by: str) -> str:
    gate = _gate(known)
    if gate is None or press.target != target_tag(gate.id):
        raise SessionError(OLD)
    if known.decision() is not None:
        raise SessionError("That was noted already.")
    gates.confirm_action(known.session_dir, gate, by)
    return "Noted: done."


def tell(known: Known, text: str, name: str, update_id: int) -> str:
    """Guidance for the next iteration; the prompt quotes it as a person's words."""
    by, session = signed(name, update_id), Session(known.session_dir)
    if known.ended:
        raise SessionError(f"{known.short} is done. One more thing: /resume {known.short} and your words.")
    if not _was_told(known.session_dir, by):
        hearing.tell(session, text, by)
    return f"Told {known.short}: its next iteration reads it."


def reopen(known: Known, text: str, name: str, update_id: int) -> str:
    """One more thing for a session that is done; the relay starts its worker."""
    by = signed(name, update_id)
    if not _was_told(known.session_dir, by):
        gates.tell(known.session_dir, text, by)
    return f"{known.short} is taken up again with that."


def _was_told(session_dir: Path, by: str) -> bool:
    """Whether that very message is in the inbox, or was delivered from it: a crash can repeat an update."""
    known = control_of(session_dir)
    given = [known / INBOX, *(known / LOGS).glob("*.inbox.md")]
    return any(f"From {by}:" in (gates.read_text(path) or "") for path in given)
