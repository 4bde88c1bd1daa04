"""What the chat shows of a gate: while it waits, as answers come, and what was decided in the end."""

from collections.abc import Mapping, Sequence

from samoloop.api.deciding import DIGEST, question_hash, questions_hash
from samoloop.base.files import sha256
from samoloop.base.values import frozen
from samoloop.checks import receipts
from samoloop.core import gates, words
from samoloop.core.gates import Closing, Gate, Verdict, Void
from samoloop.core.gates.questions import Question
from samoloop.core.records import GateClosed, GateVoid, Record, moment
from samoloop.ui.telegram import render
from samoloop.ui.telegram.ledger import Sent
from samoloop.ui.telegram.render import Gated, Outgoing, Role, Rows
from samoloop.ui.telegram.sessions import Known
from samoloop.ui.telegram.text import escape, pack, shorten

NOT_ASKED = "▫️ No longer asked."
CHANGED = "⚠️ The text has changed since: a new message follows."
OVER = "☑️ It waits no longer."


@frozen
class Form:
    """What a message of a gate should show by now."""

    html: str
    rows: Rows = ()
    final: bool = False  # it will show nothing else

    @property
    def digest(self) -> str:
        return sha256(repr(self))[:DIGEST]


# --- as it waits ------------------------------------------------------------------------------------------------------


def waiting(known: Known) -> list[Outgoing]:
    """The messages by which the open gate can be answered; none where nothing waits, or its text is another by now."""
    gate = known.gate
    if gate is None:
        return []
    if gate.questions:
        return questions(known, gate)
    if gates.takes(gate, Verdict.APPROVE):
        return plan(known, gate)
    if gates.takes(gate, Verdict.DONE):
        return render.action(known.label, gate.reason or "", Gated(known.session_dir, gate.id))
    return render.file_wanted(known.label, gate.file or "", gate.reason or "")


def questions(known: Known, gate: Gate) -> list[Outgoing]:
    """One message for all questions; where they do not fit into it, one for each that waits, and what is open."""
    asked = asked_at(known, gate)
    if len(asked) < 2:
        return apart(known, gate, [question.id for question in asked])
    alone = [] if render.goes_together(asked) else [question.id for question in asked if not question.answer]
    return [*apart(known, gate, alone), render.summary(known.label, asked, Gated(known.session_dir, gate.id))]


def asked_at(known: Known, gate: Gate) -> list[Question]:
    """The questions of a gate, as they stand in the file."""
    return [question for question in gates.read_questions(known.session_dir) if question.id in gate.questions]


def apart(known: Known, gate: Gate, ids: Sequence[str]) -> list[Outgoing]:
    """These questions, a message each with its options, whether or not they have their answers."""
    asked, gated = asked_at(known, gate), Gated(known.session_dir, gate.id)
    return [
        message
        for number, question in enumerate(asked, 1)
        if question.id in ids
        for message in render.question(known.label, question, f"{number} of {len(asked)}", gated)
    ]


def plan(known: Known, gate: Gate) -> list[Outgoing]:
    """The plan that waits, with its buttons; nothing where its text is not the one of the gate."""
    text = gates.read_text(known.session_dir / (gate.file or ""))
    if text is None or not gate.sha256 or gates.file_hash(known.session_dir / (gate.file or "")) != gate.sha256:
        return []
    gated = Gated(known.session_dir, gate.id)
    checks = receipts.to_be_run(known.records(), known.state.live_workflow)
    return render.plan(known.label, gate.file or "", text, gate.sha256, gated, checks)


def again(known: Known, message: Sent, id: str) -> Outgoing | None:
    """The message with the buttons of what was decided, to decide it anew; None where it waits no longer.

    `id` names a question, and is empty for a plan or a request.
    """
    gate = known.gate
    if gate is None or gate.id != message.gate:
        return None
    if message.role == Role.SUMMARY:
        return render.summary(known.label, asked_at(known, gate), Gated(known.session_dir, gate.id), id)
    shown = apart(known, gate, [id]) if id else waiting(known)
    return shown[-1] if shown else None


def shown_before(known: Known, gate: Gate, message_id: int) -> dict[str, str]:
    """The questions of a gate that the chat showed before that message, each with the hash of its text there."""
    asked = asked_at(known, gate)
    shown: dict[str, str] = {}
    for message in known.ledger.messages.values():
        if message.gate == gate.id and message.id < message_id:
            if message.role == Role.QUESTION:
                shown[message.target] = message.hash
            elif message.role == Role.SUMMARY and message.hash == questions_hash(asked):
                shown.update({question.id: question_hash(question) for question in asked})
    return shown


# --- as it should be by now -----------------------------------------------------------------------------------------


def form(known: Known, message: Sent, asked: Mapping[str, Question]) -> Form | None:
    """What a message with buttons should show; None while it is as it was sent. `asked` is `_qa.md` now."""
    gate = known.gate if known.gate is not None and known.gate.id == message.gate else None
    if message.role == Role.REMINDER:
        return None if known.waits_with == message.gate else _final(message, OVER)
    if message.role in (Role.QUESTION, Role.SUMMARY):
        return _answered(known, message, gate, asked) if gate else _last_answers(known, message, asked)
    if gate:
        decision = known.decision()
        if isinstance(decision, Void):
            return _final(message, CHANGED)
        gated = Gated(known.session_dir, gate.id)
        return _form(message, _decided(decision, message), render.again_row(message.hash, gated)) if decision else None
    closing = known.closings.get(message.gate)
    if closing is None:
        return _final(message, NOT_ASKED)
    return _final(message, CHANGED if isinstance(closing, GateVoid) else _decided(closing, message, _when(closing)))


def _form(message: Sent, said: str, rows: Rows) -> Form:
    return Form(f"{message.brief}\n{said}", rows)


def _final(message: Sent, said: str) -> Form:
    return Form(f"{message.brief}\n{said}", final=True)


def _decided(closing: Closing | GateClosed, message: Sent, at: str = "") -> str:
    plan = f", plan <code>{message.hash[:8]}…</code>"
    bound = plan if message.hash and closing.verdict == Verdict.APPROVE else ""
    said = closing.comment if closing.verdict in (Verdict.CHANGES, Verdict.REJECT, Verdict.DECLINED) else ""
    why = f"\n<blockquote>{escape(shorten(said, 300))}</blockquote>" if said else ""
    return (
        f"<b>{words.VERDICTS[Verdict(closing.verdict)].mark} by {escape(render.names(closing.by))}</b>{at}{bound}{why}"
    )


def _answered(known: Known, message: Sent, gate: Gate, asked: Mapping[str, Question]) -> Form | None:
    gated = Gated(known.session_dir, gate.id)
    if message.role == Role.SUMMARY:
        found = [asked[id] for id in gate.questions if id in asked]
        if not any(question.answer for question in found):
            return None
        shown = render.summary(known.label, found, gated)
        return Form(shown.html, shown.rows)
    question = asked.get(message.target)
    if question is None:
        return _final(message, NOT_ASKED)
    said = f"✅ {render.given(question.answer, question.options)}\n{escape(render.names(question.by))}"
    return _form(message, said, render.change_row(question, gated)) if question.answer else None


def _last_answers(known: Known, message: Sent, asked: Mapping[str, Question]) -> Form:
    closing = known.closings.get(message.gate)
    ids = list(closing.answers) if isinstance(closing, GateClosed) else []
    if not isinstance(closing, GateClosed) or (message.role == Role.QUESTION and message.target not in ids):
        return _final(message, NOT_ASKED)

    def said(id: str) -> str:
        question, given = asked.get(id), closing.answers[id]
        options: Sequence[tuple[str, str]] = question.options if question and question.title == given["title"] else ()
        return render.given(given["answer"], options)

    signed = f"{escape(render.names(closing.by))}{_when(closing)}"
    if message.role == Role.QUESTION:
        return _final(message, f"✅ {said(message.target)}\n{signed}")
    titles = {id: f"✅ {id}  {escape(shorten(closing.answers[id]['title'], 120))}" for id in ids}
    lines = [line for id in ids for line in (titles[id], said(id))]
    return _final(message, "\n".join(pack([*lines, signed])[:1]))


def _when(record: Record) -> str:
    return f", {render.clock(moment(record.at).timestamp())}" if record.at else ""
