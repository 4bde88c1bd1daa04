"""Go on with a session: the one way in which a worker gets to work, whoever asks for it.

The command line, a worker in the background, the pool, the phone, the demo, the examples and the tests all come
through here. The order is: the lease, then the fold, then the settings, then the loop; and a worker that fails writes
down why before it ends.
"""

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace

from samoloop.api.asked import How
from samoloop.api.assembly import assembled
from samoloop.api.settings import remembered, settings_of
from samoloop.api.unseen import refuse_unseen, unseen_changes
from samoloop.base import errors, programs
from samoloop.base.clock import Clock
from samoloop.base.errors import ConfigError, SamoloopError, UsageError
from samoloop.children import sandbox
from samoloop.children.processes import become_subreaper, hide_environment
from samoloop.children.stop import StopRequest, install_handlers
from samoloop.config import loading, samocode, workflow_files
from samoloop.config.loading import Config
from samoloop.core import gates, hearing, overview
from samoloop.core.control import is_fleets
from samoloop.core.journal import JournalChanged
from samoloop.core.permissions import SandboxMode
from samoloop.core.records import Extended, Failed, Halted, Moved, Rested, Resumed, Retried
from samoloop.core.roots import RootChanged
from samoloop.core.rules import Decision, Kind
from samoloop.core.session import Session
from samoloop.core.state import Condition
from samoloop.core.words import SESSION_REPAIR, News
from samoloop.core.workflow import Workflow
from samoloop.git.repo import Repo
from samoloop.worker import launching, loop, news, outbox, shared_limits
from samoloop.worker.lease import OWN, Lease, locked
from samoloop.worker.outside import keep_settings
from samoloop.worker.report import write_report
from samoloop.worker.roots import hold
from samoloop.worker.stations import Stations
from samoloop.worker.trust import refuse_shortened
from samoloop.worker.view import Quiet, View
from samoloop.worker.worker import Worker

OpenView = Callable[[Session, StopRequest], AbstractContextManager[View]]
_HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


@contextmanager
def unseen(session: Session, stop: StopRequest) -> Iterator[View]:
    """A view that shows nothing."""
    yield Quiet()


def go_on(
    session: Session,
    how: How | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    open_view: OpenView = unseen,
    stop: StopRequest | None = None,
    clock: Clock | None = None,
    lease: Lease = OWN,
    more: Stations | None = None,
) -> Decision:
    """Work on the session in this process as far as it goes, and return what it came to.

    Without `stop`, Ctrl-C and the other signals ask this worker to stop while it runs. `more` act at the worker's
    stations beside those that every worker has. A worker that fails (a setup that fails, a CLI that vanished, a damaged
    configuration) records it: the decision is `failed` with the sentence that status, report and announcement repeat.

    Raises LockHeld where another worker holds the session, SessionError where it is over; and for a person who is
    there (`how.attended`) what they said wrong, with nothing recorded.
    """
    how, environ = how or How(), dict(os.environ if environ is None else environ)
    with locked(session, lease):
        refuse_if_over(session, how)
        try:
            settings = settle(session, how, environ)
        except SamoloopError as error:
            if how.attended:
                raise
            settings = _least_settings(session, environ)
            with assembled(session, settings, how, environ=environ, stop=StopRequest(), view=Quiet()) as worker:
                return _failed(worker, error)
        with stoppable(stop) as asked, open_view(session, asked) as view:
            become_subreaper()
            hide_environment(settings.scrub)
            with assembled(
                session, settings, how, environ=environ, stop=asked, view=view, clock=clock, more=more
            ) as worker:
                return _work(worker, how)


def refuse_if_over(session: Session, how: How) -> None:
    """Raise SessionError for a session that is done, whose report is written and whose announcements are delivered.

    It is not over where something was said that no child has read; for a person neither where it was handed off with
    --until, or where they have one more thing to be done.
    """
    state = session.state()
    if how.words and hearing.ends_with_gate(state):
        hearing.refuse_unheard(session)
    if hearing.unread_by(session) or (how.by is not None and (how.words or beyond(session))):
        return
    if state.condition is Condition.DONE and state.rests and not outbox.is_left(session.dir):
        raise hearing.unheard(session)


def beyond(session: Session) -> Workflow | None:
    """The whole workflow of a session that came to the end it was handed off with, by --until."""
    state, live = session.state(), session.state().live_workflow
    if state.condition is not Condition.DONE or not state.rests:
        return None
    try:
        whole = workflow_files.load(live.name, state.created.root)
    except ConfigError:
        return None
    following = whole.names[whole.names.index(live.last) + 1 :] if live.last in whole.names else ()
    return whole.since(live.names[1]) if following and live.names[1:] and live.names[1] in whole.names else None


def settle(session: Session, how: How, environ: Mapping[str, str]) -> Config:
    """The session's settings for this run. Raises ConfigError; where a person is there ProviderError, and where none
    is SessionError for settings that nobody has seen.
    """
    settings = settings_of(session, environ, how.said)
    if how.attended:
        launching.rehearse(settings, session.state().live_workflow, environ, elsewhere=is_fleets(session.dir))
    else:
        refuse_unseen(session, settings, how.shown)
    return settings


@contextmanager
def stoppable(stop: StopRequest | None = None) -> Iterator[StopRequest]:
    """A wish to stop, made by Ctrl-C and the other signals; afterwards they mean again what they meant before."""
    if stop is not None:
        yield stop
        return
    before = {number: signal.getsignal(number) for number in _HANDLED}
    stop = StopRequest()
    install_handlers(stop)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        programs.process_patience = programs.endless


def _work(worker: Worker, how: How) -> Decision:
    session, state = worker.session, worker.state
    try:
        hold(session)
        refuse_shortened(worker)
        if how.greets:
            for line in [*greeting(session, worker.config), *samocode.unread(worker.config.root, worker.environ)]:
                worker.view.say(line)
        if how.attended:
            for line in unseen_changes(session, worker.config):
                worker.view.say(line)
        if how.by is not None:
            said, shown = remembered(worker.config, how.said), keep_settings(worker)
            whole = beyond(session)
            session.record(Resumed(by=how.by, now=how.now, settings=said, shown=shown))
            if whole:
                reviewers = worker.config.reviewers
                session.record(Extended(workflow=workflow_files.reviewed(whole, reviewers, worker.config.root)))
            if how.words:
                gates.tell(session.dir, how.words, how.by)
            reopen(worker)
            news.tell_resumed(worker, how.by)
        elif state.failure:
            session.record(Retried())
        if how.now:
            for provider in worker.config.candidates(state.phase):
                shared_limits.forget(provider, worker.environ)
        decision = loop.run(worker)
        while decision.kind is Kind.DONE and reopen(worker):
            decision = loop.run(worker)
        if decision.kind is Kind.DONE:
            from samoloop.api import finish  # its pull requests are of no use before

            finish.after_done(worker)
        return decision
    except Exception as error:
        if how.attended and isinstance(error, UsageError):
            raise
        if isinstance(error, RootChanged | JournalChanged):
            return _blocked(worker, error)
        if isinstance(error, programs.Cut):
            return _stopped(worker)
        decision = _failed(worker, error)
        if not isinstance(error, SamoloopError | OSError):
            raise  # a fault of ours: recorded for the person, and shown whole
        return decision


def reopen(worker: Worker) -> bool:
    """Go on with a session that is done, where a person said what no child has read. Whether it does."""
    session, state = worker.session, worker.state
    with gates.changing(session.dir):  # so that whoever says something sees one or the other
        by = hearing.unread_by(session)
        if state.condition is not Condition.DONE or not by:
            return False
        session.record(Moved(source=state.phase, target=state.live_workflow.first_at_work, by=by))
    worker.view.say(f"one more thing, from {by}: {session.name} goes on in {worker.state.phase}")
    return True


def _stopped(worker: Worker) -> Decision:
    """The worker was stopped in the middle of its own work, such as the setup; the next one does that again."""
    reason = "stopped by a person" if worker.stop.by_person else "ended by a signal"
    if worker.stop.by_person:
        worker.session.record(Halted(condition=Condition.STOPPED, reason=reason))
        overview_hash = gates.file_hash(worker.session.dir / overview.FILE_NAME)
        worker.session.record(Rested(overview=overview_hash or ""))
    return Decision(Kind.STOPPED, worker.state.phase, reason)


def _blocked(worker: Worker, error: RootChanged | JournalChanged) -> Decision:
    """Rest at once, writing nothing but the journal: what the session consists of is not what it was."""
    session, sentence = worker.session, errors.sentence(error)
    is_news = worker.state.reason != sentence
    needs = SESSION_REPAIR if f"{SESSION_REPAIR} {session.name}" in sentence else ""
    session.record(Halted(condition=Condition.BLOCKED, reason=sentence, needs=needs))
    if is_news:
        worker.announce(news.about(worker, News.BLOCKED, sentence))
    session.record(Rested(overview=""))
    return Decision(Kind.BLOCKED, worker.state.phase, sentence)


def _failed(worker: Worker, error: Exception) -> Decision:
    """Write down why the worker ends, and say it where it is news. Raises the error itself where nothing can be."""
    session, state, sentence = worker.session, worker.state, errors.sentence(error)
    is_news = sentence != state.failure
    try:
        session.record(Failed(reason=sentence, time=worker.clock.epoch()))
    except (SamoloopError, OSError):
        raise error from None
    with suppress(SamoloopError, OSError):
        write_report(worker)
    if is_news:
        worker.announce(news.about(worker, News.FAILED, sentence))
    return Decision(Kind.FAILED, state.phase, sentence)


def _least_settings(session: Session, environ: Mapping[str, str]) -> Config:
    """Who is to hear of a damaged configuration: the person's own file alone names a phone, and may be whole."""
    root = session.state().created.root
    try:
        return replace(loading.load(session.dir / ".nowhere", environ), root=root)
    except ConfigError:
        return Config(root=root)


def greeting(session: Session, config: Config) -> list[str]:
    """What a person should know before children start to work."""
    phase = session.state().phase
    who, settings = config.provider_for(phase), config.sandboxing(phase)
    missing = sandbox.is_missing(settings)
    boxed = not missing and settings.mode is not SandboxMode.OFF
    full = "in a sandbox" if boxed else "as you (permissions: edits restrains it)"
    words = {
        "full": f"permissions: full, so a child may run any command {full}",
        "edits": "permissions: edits, so a child works in its CLI's restrained mode" + (", in a sandbox" * boxed),
    }
    lines = [*start_of(session), f"session {session.name}: {session.task}", f"{who}, {words[config.permissions]}"]
    return [*lines, missing] if missing else lines


def start_of(session: Session) -> list[str]:
    """Where a session that is yet to be prepared starts, and what of the person's work is not in it."""
    state = session.state()
    if state.prepared:
        return []
    if state.created.base is None:
        return [f"in place, in {state.created.worktree}"]
    if state.created.found:
        return [f"branch {session.branch} in its worktree {state.created.worktree}, both as they were"]
    repo = Repo.find(state.created.root)
    return [f"branch {session.branch} {repo.head_line(state.created.base, state.created.start)}"]
