"""A worker put together: the one place that knows which rooms act at the worker's stations."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from samoloop.api.asked import How
from samoloop.api.breakdown import breakdown_findings, fill_backlog
from samoloop.api.settings import settings_of
from samoloop.api.unseen import as_they_are, believe, believe_last_seen
from samoloop.base.clock import Clock
from samoloop.checks import background
from samoloop.checks.concluding import conclude
from samoloop.checks.documents import document_findings, note_documents
from samoloop.checks.opinions import keep_apart, opinion_findings, opinions_part
from samoloop.checks.plan import keep_approved, plan_findings
from samoloop.checks.shortcut import shortcut_findings
from samoloop.checks.station import check_findings, look_at_base
from samoloop.checks.tree import note_tree, tree_findings
from samoloop.checks.waivers import waivable
from samoloop.children import sandbox
from samoloop.children.awake import Awake
from samoloop.children.stop import StopRequest
from samoloop.config import profiles
from samoloop.config.loading import Config
from samoloop.core.control import is_fleets
from samoloop.core.outcome import Collector
from samoloop.core.permissions import SandboxMode
from samoloop.core.records import Ended
from samoloop.core.rules import Decision, Kind
from samoloop.core.session import Session
from samoloop.worker import box, limits
from samoloop.worker.before_push import note_push
from samoloop.worker.costs import say_unpriced
from samoloop.worker.documents import keep_change, keep_earlier
from samoloop.worker.guidance import guidance_findings, guidance_part, keep_before, unheard_findings
from samoloop.worker.integration import integration_findings, integration_part
from samoloop.worker.keeping import git_findings
from samoloop.worker.learned import learned_part, propose
from samoloop.worker.news import tell_limit_is_over
from samoloop.worker.outside import look_before, outside_findings
from samoloop.worker.reminders import remind
from samoloop.worker.stations import Stations
from samoloop.worker.trust import journal_findings, program_findings, stranger_findings
from samoloop.worker.view import Quiet, Running, Several, View
from samoloop.worker.worker import Worker

if TYPE_CHECKING:
    from samoloop.worker.delivery import Delivery


def _posture(worker: Worker) -> str:
    config = worker.config
    return profiles.section(config.phase(worker.state.phase).profile or config.profile, config.root)


def _no_sandbox(worker: Worker) -> str:
    """What a child must not do where nothing is around it; said to those whose instructions speak of it."""
    phase = worker.state.live_workflow.phase(worker.state.phase)
    settings = worker.config.sandboxing(phase.name)
    if "sandbox" not in phase.body or not (settings.mode is SandboxMode.OFF or sandbox.is_missing(settings)):
        return ""
    return "## No sandbox\n\nNothing keeps a program from what is the human's here: a stranger's code is read, not run."


def _once(before: Ended | None) -> Stations:
    """Nobody goes on once a child has ended after `before`; what has to be said and opened of it comes first."""

    def hold(worker: Worker) -> Decision | None:
        if worker.state.ended == before:
            return None
        worker.stop.ask_to_finish()  # a short pause is not waited for either
        return Decision(Kind.STOPPED, worker.state.phase, "one iteration was asked for")

    return Stations(before=(hold,))


DELIVERY_SECONDS = 5.0  # between two looks while a child works
STATIONS = Stations(
    before=(limits.hold, look_at_base, fill_backlog, tell_limit_is_over),
    around=(box.put_around,),
    look=(
        *(look_before, keep_before, keep_apart, keep_change, keep_earlier, note_tree, keep_approved, note_documents),
        note_push,
    ),
    after=(
        *(journal_findings, stranger_findings, program_findings, outside_findings, guidance_findings, git_findings),
        integration_findings,
        *map(waivable, (tree_findings, plan_findings, document_findings, opinion_findings, shortcut_findings)),
        breakdown_findings,
        unheard_findings,
        check_findings,
        conclude,
        propose,
        say_unpriced,
    ),
    prompt=(guidance_part, integration_part, learned_part, opinions_part, _no_sandbox, _posture),
)


def onlooker(session: Session, environ: Mapping[str, str]) -> Worker:
    """A worker that nobody runs: for whoever looks at a session, or acts on it between two iterations."""
    believe_last_seen(session)
    return Worker(session, settings_of(session, environ), environ=environ, stations=STATIONS)


@contextmanager
def assembled(
    session: Session,
    settings: Config,
    how: How,
    *,
    environ: Mapping[str, str],
    stop: StopRequest,
    view: View,
    clock: Clock | None = None,
    more: Stations | None = None,
) -> Iterator[Worker]:
    """A worker for the session, whose announcements are delivered while the block runs. Its caller holds the lease.

    `more` act at its stations after those that every worker has.
    """
    found = as_they_are(session, settings)
    believe(session, found)
    stations = STATIONS if more is None else STATIONS.and_then(more)
    awake = Awake(settings.keep_awake and not how.allow_sleep)
    at_work = _WhileAtWork(awake)
    worker = Worker(
        session,
        settings,
        clock=clock or Clock(),
        stop=stop,
        view=Several((view, at_work)),
        environ=environ,
        stations=_once(session.state().ended).and_then(stations) if how.once else stations,
        settings_now=found,
        yes=how.yes,
        no_wait=how.no_wait,
    )
    delivery = _delivery(worker)
    deliver = at_work.deliver = worker.deliver

    def look() -> None:
        remind(worker)
        deliver()

    worker.deliver = look
    try:
        yield worker
    finally:
        background.end(worker)
        awake.off()
        for sentence in delivery.close() if delivery else []:
            view.say(sentence)


class _WhileAtWork(Quiet):
    """While children work: keeps the machine awake, and looks now and then whether somebody hears the phone."""

    def __init__(self, awake: Awake) -> None:
        self._awake = awake
        self.deliver: Callable[[], None] = lambda: None
        self._next_look = 0.0  # monotonic

    def progress(self, collector: Collector) -> None:
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + DELIVERY_SECONDS
            self.deliver()

    def started(self, running: Running) -> None:
        self._awake.on()

    def waiting(self, decision: Decision) -> None:
        self._awake.off()


def _delivery(worker: Worker) -> "Delivery | None":
    """Brings what the worker announces to those who listen; nothing is started where nobody does."""
    config = worker.config
    if not config.outlets.readers:
        return None
    from samoloop.worker.delivery import Delivery

    outlets = replace(config.outlets, telegram=config.outlets.telegram and not is_fleets(worker.session.dir))
    delivery = Delivery(worker.session.dir, config.root, outlets, config.telegram, worker.environ)
    delivery.start()

    def look() -> None:
        if said := delivery.look():
            worker.view.say(said)

    worker.deliver = look
    return delivery
