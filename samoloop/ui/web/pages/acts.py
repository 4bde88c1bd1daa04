"""What a person does with a session besides its gate: what the commands of the same names do, by the same entrances.

A worker is started in the background, as for a phone, so the page may be closed at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from samoloop.api import learned, rewind
from samoloop.api import stop as stopping
from samoloop.api import waive as waiving
from samoloop.api.asked import How
from samoloop.api.deciding import Stale
from samoloop.api.detach import detach
from samoloop.api.go_on import beyond, settle
from samoloop.api.unseen import as_they_are, unseen_changes
from samoloop.base.errors import LockHeld, SamoloopError, SessionError, UsageError, sentence
from samoloop.base.files import sha256
from samoloop.base.locks import is_held
from samoloop.base.printable import cut_at
from samoloop.base.values import frozen
from samoloop.checks.waivers import KINDS, checks_of
from samoloop.config.keys import EFFORTS, KNOWN
from samoloop.core import gates, hearing
from samoloop.core.control import LOCK, is_fleets
from samoloop.core.evidence import vetoed_by
from samoloop.core.gates import INBOX, Closing
from samoloop.core.records import Ended, Prepared
from samoloop.core.session import Session
from samoloop.core.state import GOING_ON, Condition
from samoloop.ui.cli.common import as_settings
from samoloop.ui.cli.fleet import ask_machine_to_stop
from samoloop.ui.cli.fleet_copies import given_on
from samoloop.ui.web.pages.asked import SESSION, number_in, number_typed, session_of, typed
from samoloop.ui.web.render import page, redirect, speaker
from samoloop.ui.web.site import url_of

_UNREAD, _STAT = 4_000, 20_000  # characters on a page
_COMMITS = 100  # the newest of those that going back would leave


@frozen
class Proposed:
    """A line that a session would have others know."""

    number: int
    line: str
    evidence: str
    taken: bool


@frozen
class Offered:
    """What can be done with a session as it stands, as `acts.html` shows it."""

    url: str
    condition: str
    at_work: bool  # a worker is, here or in the fleet
    hears: bool  # a child will read what is told
    unread: str  # what was told, and no child has read yet
    waits: bool  # for a person's word at its gate
    resumes: str  # what its button says; empty where nothing can go on
    more: bool  # it is done: one more thing is possible
    iterations: Sequence[tuple[int, str]]  # to go back to, newest first: number, phase
    in_place: bool
    vetoes: Sequence[str]  # what can be let pass, the likely first; empty where nothing holds it
    archives: bool
    proposals: Sequence[Proposed]
    digest: str  # of all that is proposed
    providers: Sequence[str] = KNOWN
    efforts: Sequence[str] = EFFORTS
    sent: str = ""  # the word of a form that was refused
    kept: Mapping[str, str] = field(default_factory=dict)  # what it held

    def was(self, word: str, name: str) -> str:
        """What was typed into a form that was refused."""
        return self.kept.get(name, "") if word == self.sent else ""


def offered(session: Session) -> Offered:
    """For the page of a session."""
    state, gate, shared = session.state(), session.state().gate, is_fleets(session.dir)
    at_work = is_held(session.control / LOCK) or (shared and state.condition in GOING_ON)
    is_done = state.condition is Condition.DONE
    proposals = learned.proposals(session)
    resumes = "" if at_work or is_done or (shared and gate) else "Go on"
    if is_done and not at_work and not state.archived and beyond(session):
        resumes = "Carry the plan out"
    vetoes = vetoed_by(state.reason) if state.condition is Condition.BLOCKED and not at_work else []
    return Offered(
        url=url_of(session),
        condition=str(state.condition),
        at_work=at_work,
        hears=hearing.hears(state),
        unread=cut_at(gates.read_text(session.control / INBOX) or "", _UNREAD),
        waits=gate is not None and not isinstance(gates.examine(gate, session.dir, session.worktree), Closing),
        resumes=resumes,
        more=is_done and not at_work,
        iterations=() if at_work else _iterations(session),
        in_place=state.created.in_place,
        vetoes=tuple(dict.fromkeys([*vetoes, *KINDS, *checks_of(session.journal)])) if vetoes else (),
        archives=is_done and not at_work and not state.archived,
        proposals=[
            Proposed(number, one.line, one.evidence, learned.is_taken(session, one))
            for number, one in enumerate(proposals, 1)
        ],
        digest=learned.digest(proposals),
    )


def _iterations(session: Session) -> list[tuple[int, str]]:
    found: dict[int, str] = {}
    for record in session.journal.read():
        if isinstance(record, Prepared):
            found[0] = "before the first child"
        elif isinstance(record, Ended):
            found[record.iteration] = record.phase
    return sorted(found.items(), reverse=True)


# --- what is sent -----------------------------------------------------------------------------------------------------


class Unseen(SessionError):
    """Settings changed that nobody has seen; a person is shown them before the session goes on."""

    def __init__(self, changes: Sequence[str], hash: str) -> None:
        super().__init__("Settings have changed since a person last let the session go on, and a child can write them.")
        self.changes, self.hash = changes, hash


@frozen
class Sent:
    """A form that came in."""

    session: Session
    form: Mapping[str, str]
    by: str
    environ: Mapping[str, str]

    def text(self, name: str) -> str:
        return typed(self.form, name).strip()

    def number(self, name: str, what: str, kind: type[int] | type[float]) -> Any:
        """None where nothing was typed. Raises UsageError."""
        return number_typed(self.text(name), what, kind)


Done = tuple[Session, str]  # whose page follows, and what is said there


def tell(sent: Sent) -> Done:
    words = sent.text("words")
    if not words:
        raise UsageError("There is nothing to tell: write what the next child should know.")
    if not _is_told(sent, words):
        hearing.tell(sent.session, words, sent.by)
    return sent.session, "The next child reads it."


def _is_told(sent: Sent, words: str) -> bool:
    """Whether the same person said just that, and nobody has read it yet: a form was sent twice."""
    unread = gates.read_text(sent.session.control / INBOX) or ""
    return gates.as_told(words, sent.by) in unread


def stop(sent: Sent) -> Done:
    now = sent.form.get("now") == "yes"
    if is_fleets(sent.session.dir):
        said = ask_machine_to_stop(sent.session, now)
        return sent.session, f"{said[0].upper()}{said[1:]}"
    if stopping.stop(sent.session, now=now) is None:
        return sent.session, "No worker is at work on it."
    return sent.session, f"It stops {'now' if now else 'after this iteration'}."


def resume(sent: Sent) -> Done:
    words, is_done = sent.text("words"), sent.session.state().condition is Condition.DONE
    if is_done and not words and beyond(sent.session) is None:
        raise UsageError("It is done: write the one more thing that is to be done.")
    how = How(by=sent.by, words=words, said=_said(sent), now=sent.form.get("now") == "yes")
    if is_held(sent.session.control / LOCK):
        if words and not _is_told(sent, words):
            raise LockHeld("A worker is at work on it already, so your words were not taken: tell the next child.")
        return sent.session, "A worker is at work on it."
    settings = settle(sent.session, replace(how, attended=True), sent.environ)
    if changed := unseen_changes(sent.session, settings):
        present = sha256(as_they_are(sent.session, settings))
        if sent.form.get("shown") != present:
            raise Unseen(changed, present)
        how = replace(how, shown=present)
    if words and _is_told(sent, words):
        how = replace(how, words="")
    detach(sent.session, how, sent.environ)
    return sent.session, "It goes on."


def _said(sent: Sent) -> dict[str, Any]:
    """The settings that were chosen, as the options of the command mean them."""
    words = {name: sent.text(name) or None for name in ("provider", "model", "effort", "max_time")}
    iterations = sent.number("max_iterations", "Ask me after so many iterations", int)
    cost = sent.number("max_cost", "Ask me after so many USD", float)
    return as_settings({**words, "max_iterations": iterations, "max_cost": cost})


def go_back(sent: Sent) -> Done:
    iteration = _iteration(sent)
    if sent.form.get("seen") != _mark(sent.session):
        raise Stale("The session has gone on since you looked, so it was not put back: look again at what would go.")
    lines = rewind.rewind(sent.session, iteration, sent.by, sent.environ)
    return sent.session, " ".join(lines)


def _iteration(sent: Sent) -> int:
    found = number_in(sent.text("iteration"))
    if found is None:
        raise UsageError("Choose the iteration at whose end it shall be.")
    return found


def _mark(session: Session) -> str:
    """Another one when the session has gone on, also where it was moved without a child."""
    return str(len(session.journal.read()))


def fork(sent: Sent) -> Done:
    new = rewind.fork(sent.session, _iteration(sent), sent.text("session"), sent.environ)
    return new, f"It starts after iteration {sent.text('iteration')} of {sent.session.name}, on branch {new.branch}."


def archive(sent: Sent) -> Done:
    if sent.session.state().condition is not Condition.DONE:
        raise UsageError(f"It is not done, so it is not put away: samoloop archive {sent.session.name} --force")
    return sent.session, rewind.archive(sent.session, sent.by, sent.environ)


def waive(sent: Sent) -> Done:
    if not (why := sent.text("why")):
        raise UsageError("Say why, for the report.")
    return sent.session, waiving.waive(sent.session, sent.form.get("waived", ""), why, sent.by)


def learn(sent: Sent) -> Done:
    proposals = learned.proposals(sent.session)
    if sent.form.get("seen") != learned.digest(proposals):
        raise Stale("What it proposes has changed since you looked: nothing was taken.")
    chosen = [number for number in range(1, len(proposals) + 1) if sent.form.get(f"take.{number}") == "yes"]
    if not chosen:
        raise UsageError("Nothing was chosen, so nothing was taken.")
    return sent.session, " ".join(learned.take(sent.session, chosen, sent.environ))


_ACTS: Mapping[str, Callable[[Sent], Done]] = {
    "tell": tell,
    "stop": stop,
    "resume": resume,
    "rewind": go_back,
    "fork": fork,
    "archive": archive,
    "waive": waive,
    "learn": learn,
}


def act(request: Request) -> Response:
    """POST: do it, and go to the page of the session; or here again with what was typed, and why it was not done."""
    word = request.url.path.rpartition("/")[2]
    sent = Sent(session_of(request), request.state.form, speaker(request), request.app.state.site.environ)
    try:
        session, said = _ACTS[word](sent)
    except Unseen as error:
        return _page(request, 409, word, sentence(error), unseen=error.changes, shown=error.hash)
    except (SamoloopError, OSError) as error:
        if word == "rewind" and (iteration := number_in(sent.text("iteration"))) is not None:
            return _before(request, iteration, 409, sentence(error))
        return _page(request, 409, word, sentence(error))
    return redirect(url_of(session), " ".join([said, *given_on(sent.session)]))


# --- what is shown ----------------------------------------------------------------------------------------------------


def look(request: Request) -> Response:
    """GET: all that can be done with a session."""
    return _page(request)


def _page(
    request: Request,
    status: int = 200,
    word: str = "",
    problem: str = "",
    *,
    unseen: Sequence[str] = (),
    shown: str = "",
) -> Response:
    session = session_of(request)
    acts = offered(session)
    if word:
        kept = {name: typed(request.state.form, name) for name in request.state.form if name != "token"}
        acts = replace(acts, sent=word, kept=kept)
    return page(
        request,
        "acts_page.html",
        status,
        session=session,
        url=url_of(session),
        acts=acts,
        problem=problem,
        unseen=unseen,
        shown=shown,
    )


def before_rewind(request: Request) -> Response:
    """GET: what going back to the end of an iteration would leave, with the button that does it."""
    iteration = number_in(request.query_params.get("iteration", ""))
    return _page(request) if iteration is None else _before(request, iteration)


def _before(request: Request, iteration: int, status: int = 200, problem: str = "") -> Response:
    session = session_of(request)
    try:
        leaving = rewind.leaving(session, iteration, request.app.state.site.environ)
    except (SamoloopError, OSError) as error:
        return _page(request, 409, "", problem or sentence(error))
    return page(
        request,
        "rewind.html",
        status,
        session=session,
        url=url_of(session),
        iteration=iteration,
        leaving=leaving,
        commits=leaving.commits[-_COMMITS:],
        stat=cut_at(leaving.stat, _STAT),
        mark=_mark(session),
        problem=problem,
    )


ROUTES: list[BaseRoute] = [
    Route(SESSION + "/act", look),
    Route(SESSION + "/rewind", before_rewind),
    *(Route(f"{SESSION}/{word}", act, methods=["POST"]) for word in _ACTS),
]
