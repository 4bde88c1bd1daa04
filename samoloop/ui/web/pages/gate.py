"""A gate and its forms: questions to be answered, a plan to be decided on, something to be done.

What is sent is bound to what was on the screen. No form decides by what was chosen beforehand, and none is sent by
looking: silence is never consent.
"""

import difflib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from datetime import datetime

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from samoloop.api import changes, deciding, documents
from samoloop.api.asked import How
from samoloop.api.deciding import Became, Decided, Stale, Who, question_hash
from samoloop.api.detach import detach
from samoloop.base.clock import local_zone
from samoloop.base.errors import LockHeld, SamoloopError, UsageError, sentence
from samoloop.base.files import sha256
from samoloop.base.locks import is_held
from samoloop.base.values import frozen
from samoloop.checks import receipts
from samoloop.core import gates, hearing, opening, words
from samoloop.core.control import LOCK, is_fleets
from samoloop.core.gates import Closing, Gate, StillOpen, Verdict, Void
from samoloop.core.gates.questions import Question
from samoloop.core.records import GateOpened
from samoloop.core.session import Session
from samoloop.ui.cli.fleet_copies import given_on
from samoloop.ui.web.pages.asked import SESSION, session_of, typed
from samoloop.ui.web.render import page, redirect, speaker
from samoloop.ui.web.site import url_of
from samoloop.ui.web.words import markdown

_SEEN_TEXTS, _SEEN_CHARACTERS = 50, 10_000_000  # of plans that were on a screen, kept for a difference
_DIFF_LINES = 1000
_QUICK = 6  # options that stand in an overview as buttons
OVERVIEW = "overview"
Patch = list[tuple[str, str]]  # lines, with how each changed: +, -, @ or a space
PICK, WORDS, SEEN = "pick.", "words.", "seen."  # names of a question's fields, with its id behind


@frozen
class Asked:
    """One question, as its form shows it."""

    question: Question
    hash: str
    suggested: str  # the letter of the suggested option; empty where none is
    takes: bool  # an answer: nobody gave one, or the person who looks did


@frozen
class Plan:
    """A plan that waits for a decision, as it is on the screen."""

    file: str
    hash: str
    html: Markup
    checks: str  # what samoloop will run itself, in a sentence
    again: bool = False  # another plan was shown before


@frozen
class Shown:
    """An open gate, as `gate.html` shows it."""

    url: str  # of its session's page
    id: str
    phase: str
    asks: str  # in a sentence's half
    reason: str
    why: str  # what stands in its file does not count; else empty
    decided: str  # how it was decided, until a worker acts on that; else empty
    takes: bool  # a decision: nobody made one, or the person who looks did
    questions: tuple[Asked, ...] = ()
    suggestions: int = 0  # that can be taken for open questions
    plan: Plan | None = None
    decides: bool = False  # on a plan
    action: bool = False  # something is to be done by hand
    edit: str = ""  # the file that is to be changed
    back: str = ""  # where the browser goes afterwards: "overview", else the session's page
    sent: str = ""  # which form was refused: answer, approve, ...
    kept: Mapping[str, str] = field(default_factory=dict)  # what was typed into that, by its field

    @property
    def key(self) -> str:
        """For ids on a page that shows several gates."""
        return sha256(f"{self.url} {self.id}")[:8]

    @property
    def still(self) -> str:
        """While nothing is decided: another one where a page that is looked at must not just show something else."""
        return "" if self.decided else f"{self.id} {self.plan.hash if self.plan else ''}".strip()

    @property
    def fields(self) -> frozenset[str]:
        """What a person can fill in."""
        asked = (one.question.id for one in self.questions if one.takes)
        own = {"comment", "words"} if self.takes else set()
        return frozenset(own.union(kind + id for id in asked for kind in (PICK, WORDS)))

    @property
    def open(self) -> tuple[Asked, ...]:
        return tuple(asked for asked in self.questions if not asked.question.answer)

    @property
    def quick(self) -> Asked | None:
        """The only open question, where its options can be buttons in a list."""
        asked = self.open[0] if len(self.open) == 1 else None
        return asked if asked and 0 < len(asked.question.options) <= _QUICK else None


def shown(session: Session, by: str = "", *, back: str = "") -> Shown | None:
    """The open gate of a session for whoever signs as `by`; None where none is open, or none may be answered yet.

    With `back` for a list of sessions, which shows no plan.
    """
    gate = session.state().gate
    if gate is None or not gate.shown:
        return None
    decision = _examined(session, gate)
    decided = decision if isinstance(decision, Closing) else None
    made = Shown(
        url_of(session),
        gate.id,
        gate.phase,
        words.GATES[gate.kind].waits,
        gate.reason or "",
        decision.why if not gate.questions and isinstance(decision, StillOpen | Void) else "",
        words.closed(gate, decided) if decided else "",
        takes=decided is None or decided.by == by,
        back=back,
    )
    if gate.questions:
        questions = [one for one in gates.read_questions(session.dir) if one.id in gate.questions]
        suggestions = len(gates.suggested(session.dir, gate))
        return replace(made, questions=tuple(_asked(one, by) for one in questions), suggestions=suggestions)
    if gates.takes(gate, Verdict.APPROVE):
        return replace(made, decides=True, plan=None if back else _plan(session, gate))
    if gates.takes(gate, Verdict.DONE):
        return replace(made, action=True)
    return replace(made, edit=str(gates.answer_in(gate, session.dir, session.worktree)))


def _asked(question: Question, by: str) -> Asked:
    letters = [letter for letter, _ in question.options]
    suggested = question.suggested_answer if question.suggested_answer in letters else ""
    return Asked(question, question_hash(question), suggested, takes=not question.answer or question.by == by)


def _plan(session: Session, gate: Gate) -> Plan:
    text = gates.read_text(session.dir / (gate.file or ""))
    if text is None:
        return Plan(gate.file or "", "", Markup(""), "")
    _SEEN.keep(text)
    history = session.journal.read()
    checks = receipts.to_be_run(history, session.state().live_workflow)
    plans = [one for one in history if isinstance(one, GateOpened) and gates.takes(one.gate, Verdict.APPROVE)]
    return Plan(gate.file or "", sha256(text), markdown(text), checks, len(plans) > 1)


class _Seen:
    """The newest texts that were on a screen, by their hashes."""

    def __init__(self) -> None:
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._turn = threading.Lock()

    def keep(self, text: str) -> None:
        with self._turn:
            self._texts[sha256(text)] = text
            self._texts.move_to_end(sha256(text))
            while len(self._texts) > _SEEN_TEXTS or sum(map(len, self._texts.values())) > _SEEN_CHARACTERS:
                self._texts.popitem(last=False)

    def text(self, hash: str) -> str | None:
        with self._turn:
            return self._texts.get(hash)


_SEEN = _Seen()


# --- what is sent -----------------------------------------------------------------------------------------------------


class PlanChanged(Stale):
    """The plan is not the text that was on the screen."""


@frozen
class Sent:
    """A form of a gate that came in."""

    session: Session
    gate: Gate
    form: Mapping[str, str]
    who: Who

    def text(self, name: str) -> str:
        return typed(self.form, name)


def answer(sent: Sent) -> str:
    """Answer what has an answer in the form, and with its second button what has a suggestion too."""
    questions = {one.id: one for one in gates.read_questions(sent.session.dir) if one.id in sent.gate.questions}
    seen = {id: sent.form[SEEN + id] for id in questions if SEEN + id in sent.form}
    given = {id: said for id in seen if (said := _said(sent, questions[id]))}
    if "suggested" in sent.form:
        given = {id: said for id, said in gates.suggested(sent.session.dir, sent.gate).items() if id in seen} | given
    if not given:
        raise UsageError("Nothing was chosen and nothing written, so nothing was answered.")
    new = {id: said for id, said in given.items() if (questions[id].by, questions[id].answer) != (sent.who.by, said)}
    if not new:
        return f"{', '.join(given)} answered, as before."
    return deciding.answer(sent.session.dir, sent.gate, new, {id: seen[id] for id in new}, sent.who)


def _said(sent: Sent, question: Question) -> str:
    """The letter, the words, or both: a letter with words is an answer too. Raises UsageError for no option."""
    letter, text = sent.form.get(PICK + question.id, ""), sent.text(WORDS + question.id).strip()
    if letter and letter not in dict(question.options):
        raise UsageError(f"{question.id} has no option {letter[:20]!r}: nothing was changed.")
    return f"{letter}, {text}" if letter and text else letter or text


def approve(sent: Sent) -> str:
    return _decide(sent, Verdict.APPROVE, "Approved.")


def ask_for_changes(sent: Sent) -> str:
    if not sent.text("comment").strip():
        raise UsageError("Say what should change: the child that plans is told nothing else.")
    return _decide(sent, Verdict.CHANGES, "Changes requested: back to planning.")


def reject(sent: Sent) -> str:
    if sent.form.get("really") != "yes":
        raise UsageError("Rejecting stops the session. Tick that you want that, then press Reject again.")
    return _decide(sent, Verdict.REJECT, "Rejected: the session stops.")


def _decide(sent: Sent, verdict: Verdict, said: str) -> str:
    hash, present = sent.form.get("seen", ""), gates.file_hash(sent.session.dir / (sent.gate.file or "")) or ""
    if hash != present:
        raise PlanChanged("The plan has changed since it was on your screen, so nothing was decided: look at it again.")
    deciding.decide(sent.session.dir, sent.session.worktree, sent.gate, verdict, sent.who, sent.text("comment"), hash)
    return said


def done(sent: Sent) -> str:
    how = sent.text("words") or "yes"
    deciding.decide(sent.session.dir, sent.session.worktree, sent.gate, Verdict.DONE, sent.who, how)
    return "Noted: done."


def decline(sent: Sent) -> str:
    if not sent.text("words").strip():
        raise UsageError("Say why: the next child is told.")
    deciding.decide(sent.session.dir, sent.session.worktree, sent.gate, Verdict.DECLINED, sent.who, sent.text("words"))
    return "Noted: declined. The next child is told why."


_ACTS: Mapping[str, Callable[[Sent], str]] = {
    "answer": answer,
    "approve": approve,
    "changes": ask_for_changes,
    "reject": reject,
    "done": done,
    "decline": decline,
}


def act(request: Request) -> Response:
    """POST: what a person decides at a gate; afterwards back to where they were, or here again with what was typed."""
    session, form, by = session_of(request), request.state.form, speaker(request)
    do = _ACTS[request.url.path.rpartition("/")[2]]
    environ = request.app.state.site.environ
    try:
        gate = opening.ready_gate(session)
        if gate is None or gate.id != form.get("gate"):
            became = deciding.became_of(Session(session.dir), form.get("gate", ""))
            if became.by != by:
                raise Stale(_told(became, ", so nothing was changed"))
            said = _told(became)  # the same form once more, such as by a double click
        else:
            said = do(Sent(session, gate, form, Who(by, by)))
    except Decided as error:
        became = deciding.became_of(Session(session.dir), form.get("gate", ""))
        return _again(request, session, f"{error} {_told(became)}")
    except (SamoloopError, OSError) as error:
        return _again(request, session, sentence(error), changed=isinstance(error, PlanChanged))
    following = " ".join(given_on(session)) or go_on(session, by, environ)
    return redirect("/" if form.get("back") == OVERVIEW else url_of(session), f"{said} {following}".rstrip())


def _told(became: Became, then: str = "") -> str:
    when = f", at {datetime.fromtimestamp(became.at, local_zone()):%H:%M}" if became.at else ""
    return f"{became.said[0].upper()}{became.said[1:]}{when}{then}."


def go_on(session: Session, by: str, environ: Mapping[str, str]) -> str:
    """Start a worker where a gate is decided and none is at work, as a tap does; in a sentence, what came of it.

    None starts at a gate of a fleet's session: its machines see what was decided.
    """
    now = Session(session.dir)
    gate = now.state().gate
    if gate is None or is_held(now.control / LOCK) or not isinstance(_examined(now, gate), Closing):
        return ""
    if is_fleets(now.dir):
        return "A machine of the fleet goes on from here."
    try:
        detach(now, How(by=by), environ)
    except LockHeld:
        return ""
    except (SamoloopError, OSError) as error:
        return f"The session could not go on: {sentence(error)}"
    return "The session goes on."


def _examined(session: Session, gate: Gate) -> Closing | StillOpen | Void:
    return gates.examine(gate, session.dir, session.worktree)


# --- what is shown ----------------------------------------------------------------------------------------------------


def look(request: Request) -> Response:
    """GET: what a session waits for, with all that a person needs to decide it."""
    session = session_of(request)
    return _page(request, session, shown(session, speaker(request)))


def _again(request: Request, session: Session, problem: str, *, changed: bool = False) -> Response:
    """The page of the gate as it is now, with why nothing was done, and with what was typed."""
    form, now = request.state.form, Session(session.dir)
    gate, shows = shown(now, speaker(request)), frozenset[str]()
    texts = {name: typed(form, name) for name in form if name.startswith((PICK, WORDS)) or name in ("comment", "words")}
    if gate is not None and gate.id == form.get("gate"):
        gate = replace(gate, sent=request.url.path.rpartition("/")[2], kept=texts)
        shows = gate.fields
    lost = "\n".join(texts[name] for name in texts.keys() - shows if texts[name].strip() and not name.startswith(PICK))
    difference = _difference(now, form.get("seen", ""), request.app.state.site.environ) if changed else None
    return _page(request, now, gate, 409, problem=problem, lost=lost, changed=changed, difference=difference)


def _page(
    request: Request,
    session: Session,
    gate: Shown | None,
    status: int = 200,
    *,
    problem: str = "",
    lost: str = "",
    changed: bool = False,
    difference: Patch | None = None,
) -> Response:
    return page(
        request,
        "gate_page.html",
        status,
        session=session,
        url=url_of(session),
        gate=gate,
        hears=hearing.hears(session.state()),
        problem=problem,
        lost=lost,
        changed=changed,
        difference=difference,
        since=_since(session, request.app.state.site.environ) if gate and gate.plan and gate.plan.again else [],
    )


def _difference(session: Session, seen: str, environ: Mapping[str, str]) -> Patch | None:
    """From the plan as it was seen to what it is now; None where the earlier text is not kept, or cannot be read."""
    gate = session.state().gate
    name = gate.file if gate and gate.file else ""
    try:
        before = _SEEN.text(seen) or documents.with_hash(session, environ, name, seen)
    except (SamoloopError, OSError):
        before = None
    if before is None:
        return None
    now = gates.read_text(session.dir / name) or ""
    return _marked(difflib.unified_diff(before.splitlines(), now.splitlines(), lineterm=""))


def _since(session: Session, environ: Mapping[str, str]) -> Patch:
    """From the plan that was shown before to this one; nothing where that is not kept."""
    try:
        return _marked(changes.plan(session, environ))
    except (SamoloopError, OSError):
        return []


def _marked(patch: Iterable[str]) -> Patch:
    lines = [(line[:1], line) for line in patch][2:]
    more = len(lines) - _DIFF_LINES
    return lines if more <= 0 else [*lines[:_DIFF_LINES], ("", f"… and {more:,} lines more")]


ROUTES: list[BaseRoute] = [
    Route(SESSION + "/gate", look),
    *(Route(f"{SESSION}/{word}", act, methods=["POST"]) for word in _ACTS),
]
