"""One turn of this machine with a session: the copy made as new as the remote, one iteration in a process of its own,
and what came of it handed over.
"""

import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from samoloop.api.asked import How
from samoloop.api.detach import LOG, spawn
from samoloop.api.settings import settings_of
from samoloop.base.clock import Clock
from samoloop.base.errors import SessionError
from samoloop.children.processes import ExitWatch
from samoloop.children.stop import StopRequest
from samoloop.children.warm import Warm
from samoloop.core import gates, overview
from samoloop.core.decision import Condition
from samoloop.core.next_steps import outlook
from samoloop.core.records import Halted, Placed, Rested
from samoloop.core.session import Session
from samoloop.core.state import State
from samoloop.fleet import copies, rules
from samoloop.fleet.alone import alone_at
from samoloop.fleet.database import HELD, Database
from samoloop.fleet.here import Here, Project, without_address
from samoloop.fleet.parcel import Kind
from samoloop.fleet.rows import SessionRow
from samoloop.fleet.rules import AfterEnd
from samoloop.queue.source import limited_until, when_due
from samoloop.worker.lease import FILES, locked

_LONG_SECONDS = 86_400.0
STOP, STOP_NOW = "stop", "stop now"  # what a person can wish of the machine at work


@dataclass
class Turn:
    """A session that this machine is at, until its turn is over or lost."""

    project: Project
    name: str
    job: int
    worker: int
    say: Callable[[str], None]  # to whoever looks at this machine's terminal
    stop: StopRequest = field(default_factory=StopRequest)
    lost: str = ""  # why another machine may have it now
    _has_waited: bool = False

    @property
    def folder(self) -> Path:
        """Of the copy here."""
        return self.project.sessions / self.name

    def lose(self, why: str) -> None:
        """End the child: what it does counts no more."""
        self.lost = self.lost or why
        self.stop.ask_now()

    def wait(self, seconds: float) -> bool:
        """Whether the turn is still this machine's after so many seconds, in which the remote may come back."""
        if not self._has_waited:
            self._has_waited = True
            self.say(f"{self.name}: the remote does not answer; what was done here is handed over when it does")
        Clock().wait([self.stop.now_fd], seconds)
        return not self.stop.now


def take(
    turn: Turn,
    this: Here,
    environ: Mapping[str, str],
    database: Database,
    warm: Warm | None,
) -> None:
    """Raises SamoloopError where the session cannot be gone on with here and now."""
    row = database.begin(turn.project.id, turn.name, this.machine)
    if row is None:
        return  # a command has it, which says itself what comes next
    session = Session(turn.folder)
    _await_earlier(turn, session)
    mark = copies.mark_of(turn.folder)
    if not turn.lost and (mark is None or mark.parcel != row.parcel):
        theirs = copies.newest(turn.project, turn.name, turn.wait)
        if theirs is None or theirs.kind == Kind.HOME:
            database.forget(turn.project.id, turn.name)
            return
        with alone_at(turn.folder, environ):
            copies.renew(turn.project, theirs, this, environ)
    session.forget()
    if row.left_by not in ("", this.machine) and not turn.lost:
        _tell_half_done(session, row.left_by, this)
    if not turn.lost and row.wish:
        _halt(session)
    elif not turn.lost and _is_due(session.state(), session, environ):
        if _is_put_off(row, session, this, environ, database):
            return
        turn.say(f"{session.name}: goes on here")
        _iterate(turn, session, environ, warm)
    if turn.lost:
        return  # what was done here stays here, and is set aside where the remote has gone on
    with locked(session, FILES):
        said = copies.hand_over(session, Kind.ITERATION, this, environ, "", turn.wait)
        database.put(copies.row_of(session, this, environ))
    turn.say(_stands(session))
    if row.wish or turn.stop.by_person:
        database.wish(turn.project.id, turn.name, "")
    for sentence in said:
        turn.say(sentence)


def _stands(session: Session) -> str:
    """How it stands now, for whoever looks at this machine's terminal."""
    state, ahead = session.state(), outlook(session, at_work=False)
    reason = f": {state.reason}" if state.reason else ""
    what = f"waits for {ahead.waits_for}" if ahead.waits_for else f"is {state.condition}{reason}"
    return f"{session.name}: iteration {state.iteration}, in {state.phase}; it {what}"


def _tell_half_done(session: Session, left_by: str, this: Here) -> None:
    """Let the next child know that a machine began the iteration and did not hand it over."""
    note = f"An attempt was begun on {left_by}, of which nothing was heard any more: what it did may be half done."
    with locked(session, FILES):
        at = session.state().created
        if at.repo and not copies.worked(session):
            told = Placed(machine=this.machine, repo=at.repo, root=at.root, worktree=at.worktree, notes=(note,))
            session.record(told)


def _is_due(state: State, session: Session, environ: Mapping[str, str]) -> bool:
    due = when_due(session, state, environ)
    return due is not None and due <= time.time()


def _is_put_off(row: SessionRow, session: Session, this: Here, environ: Mapping[str, str], database: Database) -> bool:
    """Whether no child is begun now, for usage limits that others met: until the first is over, or because another
    CLI is free, which perhaps another machine has.
    """
    state, now = session.state(), time.time()
    if state.open or state.wanted or state.gate or limited_until(row.provider, environ, now) <= now:
        return False
    names = settings_of(session, environ).candidates(state.phase)
    until = min(max(state.limits.get(name, 0.0), limited_until(name, environ, now)) for name in names)
    if until > now:
        database.postpone(row.project, row.name, until - now, HELD)
        return True
    wanted = copies.row_of(session, this, environ)
    return wanted.provider != row.provider and database.put(wanted)


def _await_earlier(turn: Turn, session: Session) -> None:
    """Until the process of an iteration has ended that outlived the machine's last start: it goes on by itself."""
    while (pid := FILES.holder(session.dir)) is not None:
        with suppress(ProcessLookupError), ExitWatch(pid) as earlier:
            if not _ends_before(earlier, turn.stop.now_fd):
                earlier.send(signal.SIGTERM)
                earlier.wait(_LONG_SECONDS)


def _halt(session: Session) -> None:
    """A person stopped the session while no child was at work."""
    with locked(session, FILES):
        if session.state().open is None and session.state().condition is not Condition.DONE:
            session.record(Halted(condition=Condition.STOPPED, reason="stopped by a person"))
            session.record(Rested(overview=gates.file_hash(session.dir / overview.FILE_NAME) or ""))


def _iterate(turn: Turn, session: Session, environ: Mapping[str, str], warm: Warm | None) -> None:
    """One iteration, whatever becomes of its process. Raises SessionError where it dies again and again."""
    how = How(no_wait=True, once=True, allow_sleep=True, shown=turn.project.shown)
    for ends in range(1, rules.ABNORMAL_ENDS + 1):
        process = spawn(session, how, without_address(environ), warm)
        _wait(turn, process.pid)
        match rules.after_end(process.wait(), ends, asked=turn.stop.now, lost=bool(turn.lost)):
            case AfterEnd.AGAIN:
                continue
            case AfterEnd.FAILED:
                code = process.returncode
                raise SessionError(f"the worker of {session.name} ended with {code}; see {session.logs / LOG}")
            case _:
                session.forget()
                return


def _wait(turn: Turn, pid: int) -> None:
    """Until the process has ended; what is asked of the turn meanwhile is handed on."""
    with suppress(ProcessLookupError), ExitWatch(pid) as process:
        for descriptor, number in ((turn.stop.finish_fd, signal.SIGUSR1), (turn.stop.now_fd, signal.SIGTERM)):
            if _ends_before(process, descriptor):
                return
            if number == signal.SIGTERM or turn.stop.by_person:
                process.send(number)
        process.wait(_LONG_SECONDS)


def _ends_before(process: ExitWatch, descriptor: int) -> bool:
    """Whether the process ends before the descriptor is readable; waits for one of them."""
    while not process.wait(_LONG_SECONDS, descriptor):
        if Clock().wait([descriptor], 0):
            return False
    return True
