"""What a person does at a gate that was shown to them elsewhere, on a phone or on a page: bound to what they saw.

What changed since then is not answered and not approved. While the gate is open, a person's later word takes the place
of their own earlier one; somebody else's stands. All that is written here counts as any other way of closing a gate.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from samoloop.base.errors import SessionError
from samoloop.base.files import sha256
from samoloop.base.values import frozen
from samoloop.core import gates, words
from samoloop.core.gates import Act, Closing, Gate, Verdict
from samoloop.core.gates.questions import Question
from samoloop.core.records import GateClosed, GateOpened, GateVoid, moment
from samoloop.core.session import Session

DIGEST = 8  # hexadecimal digits; enough to tell apart what one person is ever shown, not a secret
_LONGEST = 80  # characters of an answer in a sentence


class Stale(SessionError):
    """What the person saw is not what is there by now; nothing was changed."""


class Decided(SessionError):
    """Somebody else has said it before, so their word stands; nothing was changed."""


@frozen
class Who:
    """Who acts."""

    by: str  # as the files keep it
    own: str  # how every name begins that the same person signs with; a longer `by` names one act, which counts once

    def acted(self, before: str) -> bool:
        """Whether that very act was done before: a crash can repeat it. Raises Decided where somebody else's word
        stands, `before` being how it is signed.
        """
        if not before.startswith(self.own):
            who = "somebody in an editor" if before in ("", "editor") else before.partition(" (")[0]
            raise Decided(f"That was decided by {who}, so it stands.")
        return before == self.by != self.own


@frozen
class Became:
    """What became of a gate."""

    said: str  # in a sentence's half
    by: str = ""  # who decided it
    at: float | None = None  # when, in epoch seconds; of questions that are not all answered, the last answer


def became_of(session: Session, gate_id: str) -> Became:
    """What became of a gate that a person was shown: decided, opened anew, or not of this session."""
    gate = session.state().gate
    if gate is not None and gate.id == gate_id:
        return _decided(session, gate)
    opened: dict[str, Gate] = {}
    found = Became("this belongs to a gate that is not open here")
    for record in session.journal.read():
        if isinstance(record, GateOpened):
            opened[record.gate.id] = record.gate
        elif isinstance(record, GateVoid) and record.gate == gate_id:
            found = Became(f"it was asked anew: {record.why}")
        elif isinstance(record, GateClosed) and record.gate == gate_id and gate_id in opened:
            said = words.closed(opened[gate_id], Closing(record.verdict, record.by))
            found = Became(said, record.by, moment(record.at).timestamp() if record.at else None)
    return found


def _decided(session: Session, gate: Gate) -> Became:
    decided = gates.examine(gate, session.dir, session.worktree)
    if not isinstance(decided, Closing):
        return Became("the last word there was said", at=_changed(session, gate))
    return Became(words.closed(gate, decided), decided.by, _changed(session, gate))


def _changed(session: Session, gate: Gate) -> float | None:
    try:
        return gates.answer_in(gate, session.dir, session.worktree).lstat().st_mtime
    except OSError:
        return None


def question_hash(question: Question) -> str:
    """Of everything a person reads before answering."""
    shown = [question.id, question.title, question.why, question.suggestion, *map(str, question.options)]
    return sha256("\n".join(shown))[:DIGEST]


def questions_hash(asked: Iterable[Question]) -> str:
    """Of several questions as they were shown together."""
    return sha256("".join(map(question_hash, asked)))[:DIGEST]


def answer(session_dir: Path, gate: Gate, answers: Mapping[str, str], shown: Mapping[str, str], who: Who) -> str:
    """Answer questions of a gate, in place of the same person's earlier answers; a sentence that says what is open.

    `shown` holds the hashes of the questions as they were shown. Raises Stale, Decided, and as `gates.act`.
    """
    found = {question.id: question for question in gates.read_questions(session_dir)}
    if changed := [id for id, question in found.items() if id in shown and question_hash(question) != shown[id]]:
        raise Stale(f"{', '.join(changed)} has changed since it was shown: nothing was changed.")
    before = {id: found[id] for id in answers if id in found and found[id].answer}
    for id, question in before.items():
        try:
            if who.acted(question.by):
                return f"{id} is answered: {question.answer[:_LONGEST]}"
        except Decided as error:
            raise Decided(f"{id}: {question.answer[:60]}. {error}") from None
    left = gates.act(session_dir, gate, Act(Verdict.ANSWERED, who.by, answers=answers, own=who.own))
    told = f"{', '.join(answers)} {'changed' if before else 'answered'}"
    return f"{told}. Still open: {', '.join(left)}." if left else f"{told}, that was all."


def decide(
    session_dir: Path,
    worktree: Path,
    gate: Gate,
    verdict: Verdict,
    who: Who,
    comment: str = "",
    shown: str | None = None,
) -> None:
    """Decide on a plan or on something to be done, in place of the same person's earlier decision.

    `shown` is the hash of the text that the person saw. Raises Decided, and as `gates.act`.
    """
    decided = gates.examine(gate, session_dir, worktree)
    if isinstance(decided, Closing) and who.acted(decided.by):
        return
    gates.act(session_dir, gate, Act(verdict, who.by, comment, shown=shown, own=who.own))
