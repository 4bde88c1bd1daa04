"""What taps and replies do: the same file changes that an editor or a command would make.

Each function returns the sentence that the person gets. They raise SamoloopError with such a sentence where nothing was
changed. None can act twice: what is written carries the number of the update that brought it. While a gate is open, a
person's later word takes the place of the earlier one.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from samoloop.api import deciding
from samoloop.api.deciding import DIGEST, Decided, Stale, Who, questions_hash
from samoloop.base.errors import SessionError
from samoloop.core import gates, hearing, opening
from samoloop.core.control import LOGS, control_of
from samoloop.core.gates import INBOX, Closing, Gate, Verdict
from samoloop.core.gates.questions import Question
from samoloop.core.session import Session
from samoloop.ui.telegram.buttons import Press, target_tag
from samoloop.ui.telegram.sessions import Known

OLD = "This belongs to an earlier gate: nothing was changed. /questions and /plan show what waits now."
PLAN = (Verdict.APPROVE, Verdict.CHANGES, Verdict.REJECT)
DECIDED = {
    Verdict.APPROVE: "Approved.",
    Verdict.CHANGES: "Changes requested: back to planning.",
    Verdict.REJECT: "Rejected. The session stops; /resume takes it up again.",
    Verdict.DONE: "Noted: done.",
    Verdict.DECLINED: "Noted: declined. The next child is told why.",
}


def _who(by: str) -> Who:
    """Whoever signed so; all that they sign begins the same."""
    return Who(by, by.rpartition("/")[0] + "/")


@contextmanager
def _hinting(known: Known) -> Iterator[None]:
    """Say what can be done on the phone where nothing was changed."""
    try:
        yield
    except Stale as error:
        raise SessionError(f"{error} /questions shows it anew.") from None
    except Decided as error:
        raise SessionError(
            f"{error} On the machine --replace decides anew; /tell {known.short} and your words reach the next child."
        ) from None


def overtaken(known: Known, question: str, by: str) -> bool:
    """Whether the same person has said more at the open gate since a message that took long to become words."""
    decided = known.decision()
    said = [asked.by for asked in gates.read_questions(known.session_dir) if asked.id == question]
    said += [decided.by] if isinstance(decided, Closing) and not question else []
    return any(_number(before) > _number(by) for before in said if before.startswith(_who(by).own))


def _number(by: str) -> int:
    number = by.rpartition("/")[2].rstrip(")")
    return int(number) if number.isdecimal() else 0


def _gate(known: Known) -> Gate | None:
    """The open gate, with nothing in its file that stood there before it opened."""
    known.look()
    return known.gate if known.gate and known.gate.shown else opening.ready_gate(Session(known.session_dir))


def asked(known: Known, target: str) -> tuple[Gate, Question]:
    """The open gate and its question that a button or reply names. Raises SessionError where it waits no longer."""
    gate = _asking(known)
    for question in gates.read_questions(known.session_dir):
        if target in (target_tag(gate.id, question.id), question.id) and question.id in gate.questions:
            return gate, question
    raise SessionError(OLD)


def _asking(known: Known) -> Gate:
    gate = _gate(known)
    if gate is None or not gate.questions:
        raise SessionError(
            f"Nothing is asked any more: nothing was changed. /tell {known.short} and your words reach the next child."
        )
    return gate


def answer(known: Known, gate_id: str, target: str, shown: str, words: str, by: str) -> str:
    """Answer one question; `shown` is the hash of the question as the person saw it."""
    gate, question = asked(known, target)
    return answer_all(known, gate_id or gate.id, {question.id: words}, {question.id: shown}, by)


def answer_all(known: Known, gate_id: str, answers: Mapping[str, str], shown: Mapping[str, str], by: str) -> str:
    """Answer questions of a gate, in place of the same person's earlier answers; `shown` holds their hashes."""
    gate = _asking(known)
    if gate.id != gate_id:
        raise SessionError(OLD)
    with _hinting(known):
        return deciding.answer(known.session_dir, gate, answers, shown, _who(by))


def take_suggestions(known: Known, press: Press, by: str) -> str:
    """Take the suggestion of every question that has no answer; the hash binds all questions as they were shown."""
    gate = _asking(known)
    questions = [question for question in gates.read_questions(known.session_dir) if question.id in gate.questions]
    if press.target != target_tag(gate.id) or press.hash != questions_hash(questions):
        raise SessionError(OLD)
    answers = gates.suggested(known.session_dir, gate)
    if not answers:
        raise SessionError("No question that is open has a suggestion: answer them one by one.")
    said = answer_all(known, gate.id, answers, {}, by)
    return f"{' '.join(f'{id}={words[:40]}' for id, words in answers.items())}: {said}"


def waiting(known: Known, verdict: Verdict, target: str, shown: str) -> Gate:
    """The open gate that a button, reply or command names, and that can be closed so; `shown` begins the hash of the
    plan as the person saw it. Raises SessionError where it is another one by now.
    """
    gate = _gate(known)
    if verdict in PLAN and (gate is None or not gates.takes(gate, verdict)):
        raise SessionError(
            f"No plan waits for a decision: nothing was changed. /tell {known.short} and your words reach the next "
            "child, /stop stops it."
        )
    now = (gate.sha256 or "") if gate else ""
    reads = now[:DIGEST] == shown[:DIGEST] and now.startswith(shown)
    if gate is None or not gates.takes(gate, verdict) or target not in (gate.id, target_tag(gate.id)) or not reads:
        raise SessionError(OLD)
    return gate


def decide(known: Known, verdict: Verdict, target: str, shown: str, by: str, comment: str = "") -> str:
    """Decide on a plan, exactly as it was shown, or on what was asked for; in place of one's own earlier decision."""
    gate = waiting(known, verdict, target, shown)
    text = gate.sha256 if verdict is Verdict.APPROVE else None
    said = comment or ("yes" if verdict is Verdict.DONE else "")
    with _hinting(known):
        deciding.decide(known.session_dir, known.state.created.worktree, gate, verdict, _who(by), said, text)
    return DECIDED[verdict]


def tell(known: Known, text: str, by: str) -> str:
    """Guidance for the next iteration; the prompt quotes it as a person's words."""
    if known.ended:
        raise SessionError(f"{known.short} is done. One more thing: /resume {known.short} and your words.")
    if not _was_told(known.session_dir, by):
        hearing.tell(Session(known.session_dir), text, by)
    return f"Told {known.label}: its next iteration reads it."


def reopen(known: Known, text: str, by: str) -> str:
    """One more thing for a session that is done; the relay starts its worker."""
    if not _was_told(known.session_dir, by):
        gates.tell(known.session_dir, text, by)
    return f"{known.label} is taken up again with that."


def _was_told(session_dir: Path, by: str) -> bool:
    """Whether that very message is in the inbox, or was delivered from it: a crash can repeat an update."""
    known = control_of(session_dir)
    given = [known / INBOX, *(known / LOGS).glob("*.inbox.md")]
    return any(f"From {by}:" in (gates.read_text(path) or "").splitlines() for path in given)
