"""`fleet work`: one machine of a fleet, from its start to its end.

It takes jobs while it has room, says that it lives, hears what the others tell, keeps its copies of sessions as new as
the remote, and gives on what people do on them. Whatever it does may be cut off anywhere: the parcels on the remote are
the truth, and the database's rows say what is due.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import procrastinate
from procrastinate import exceptions

from samoloop import __version__
from samoloop.api.detach import warm_process
from samoloop.base.errors import SamoloopError, sentence
from samoloop.children.stop import StopRequest
from samoloop.core.records import FORMAT
from samoloop.core.session import Session
from samoloop.fleet import copies, iteration, jobs, log_parts, rows, rules
from samoloop.fleet.address import DatabaseError, DatabaseGone, growing_waits, may_come
from samoloop.fleet.copy_watch import CopyWatch
from samoloop.fleet.database import Database
from samoloop.fleet.here import Here, Project, without_address
from samoloop.fleet.iteration import STOP_NOW, Turn
from samoloop.fleet.limits import Limits
from samoloop.fleet.news import News, news
from samoloop.fleet.phone import Phone
from samoloop.fleet.rows import ARCHIVED, MachineRow
from samoloop.fleet.transport import RemoteGone
from samoloop.queue.reminders import LOOK_SECONDS, Reminders

Answer = TypeVar("Answer")
_LOOK_LEASES = 2  # between two looks at what the remotes have
_MORE_THREADS = 8  # beside one for each iteration: copies, and the database


@dataclass
class Machine:
    """What runs on this machine for the fleet."""

    this: Here
    projects: Mapping[str, Project]
    providers: tuple[str, ...]
    tags: tuple[str, ...]
    slots: int
    environ: Mapping[str, str]
    say: Callable[[str], None]
    stop: StopRequest
    telegram: Mapping[str, Any] | None = None  # the person's section for their phone; None: they have none here
    turns: dict[int, Turn] = field(default_factory=dict)  # by the number of the job
    draining: bool = False
    _failures: dict[str, int] = field(default_factory=dict)  # in a row, of a session here
    _at_copies: dict[Path, asyncio.Lock] = field(default_factory=dict)
    _passed_over: set[Path] = field(default_factory=set)  # copies of which there was news during a turn here
    _tried: dict[tuple[Path, Callable[..., list[str]]], object] = field(default_factory=dict)  # who came last
    _said: set[str] = field(default_factory=set)
    _held: set[int] = field(default_factory=set)  # jobs that the database believed to be here at the last look
    _soons: "set[asyncio.Task[None]]" = field(default_factory=set)
    _seeing: "asyncio.Task[None] | None" = None  # to the phone
    _worker: "asyncio.Task[None] | None" = None
    _ends: asyncio.Event = field(default_factory=asyncio.Event)
    _is_away: bool = False  # the database, as far as a person was told
    _looked: float = field(default_factory=time.monotonic)  # at the remotes

    # --- its life -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until a person ends it or drains it. Raises DatabaseError for a database that cannot be used."""
        for name in ("procrastinate", "psycopg"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what goes wrong is said here
        self._phone = Phone(self.this.machine, self.telegram, self.environ)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_unless_the_database_is_away)
        loop.set_default_executor(ThreadPoolExecutor(self.slots + _MORE_THREADS))
        loop.add_reader(self.stop.finish_fd, self._asked_to_finish)
        loop.add_reader(self.stop.now_fd, self._asked_to_end_now)
        lease = self.this.lease_seconds
        with (
            Database(self.this.database, self.this.machine, lease) as self._database,
            Database(self.this.database, self.this.machine) as self._pulse,
            ThreadPoolExecutor(1) as self._thread,
        ):
            try:
                while not self.draining:
                    await self._come_in()
                    with suppress(exceptions.ConnectorException):  # it has gone before all was begun
                        await self._work()
            finally:
                with suppress(SamoloopError):
                    await self._note_reached()
                    await self._beside(self._pulse.leave, self.this.machine, self.this.id)

    async def _beside(self, ask: Callable[..., Answer], *given: Any) -> Answer:
        """What the pulse says, in a thread of its own: copies that wait for a silent remote do not hold it up."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, ask, *given)

    async def _come_in(self) -> None:
        """Be one of the machines; a database that is not there yet, as where all start at once, is waited for."""
        waits = growing_waits()
        while not self.draining:
            try:
                await self._beside(self._pulse.check)
                await self._enter()
                self._say_of_database(None)
                return
            except DatabaseGone as error:
                if not await _aside(may_come, self.this.database):
                    await self._beside(self._pulse.check)  # it may have come just now
                self._say_of_database(error)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ends.wait(), next(waits))

    def _say_of_database(self, error: DatabaseGone | None) -> None:
        """Once that it is away, and once that it is back."""
        if error and not self._is_away:
            self.say(f"{sentence(error)}; it is asked again until it answers")
        if self._is_away and not error:
            self.say("The fleet's database answers again.")
        self._is_away = error is not None

    async def _work(self) -> None:
        if self.draining:
            return  # a person ended it before there was a database
        app = jobs.app(self.this.database, self.this.machine, self._iterate, self.this.lease_seconds)
        roots = [project.sessions for project in self.projects.values()]
        self._warm = warm_process(without_address(self.environ))
        self._limits = Limits(self.this, self.environ)
        beside_them = self._limits.folder, lambda: self._soon(self._share_limits())
        watch = CopyWatch(
            roots, self.environ, self._changed_here, beside_them, lambda: self._soon(self._note_reached())
        )
        async with app.open_async():
            self.say(self._greeting())
            with watch:
                beside = [asyncio.create_task(each) for each in (self._beat(), self._hear(), self._remind())]
                try:
                    await self._take_jobs(app, beside)
                finally:
                    for task in (*beside, *self._soons):
                        task.cancel()
                    await asyncio.gather(*beside, *self._soons, return_exceptions=True)
                    if self._warm:
                        self._warm.close()

    async def _take_jobs(self, app: procrastinate.App, beside: "list[asyncio.Task[None]]") -> None:
        """Until drained; the worker is started again where the database was away for so long that it gave up."""
        lease = self.this.lease_seconds
        options = jobs.options(rows.queues(self.row()), self.slots, lease)
        while not self.draining:
            self._worker = asyncio.create_task(app.run_worker_async(**options))
            await asyncio.wait([self._worker, *beside], return_when=asyncio.FIRST_COMPLETED)
            for task in beside:
                if task.done():
                    self._drain()
                    await asyncio.wait([self._worker])
                    task.result()
            with suppress(asyncio.CancelledError, exceptions.ConnectorException):
                await self._worker
            if not self.draining:
                await asyncio.sleep(1.0)

    def _greeting(self) -> str:
        roots = ", ".join(str(project.root) for project in self.projects.values())
        clis = ", ".join(self.providers) or "no CLI"
        return f"{self.this.machine} takes sessions of {roots}: {self.slots} at once, by {clis}."

    def row(self) -> MachineRow:
        return MachineRow(
            name=self.this.machine,
            id=self.this.id,
            host=socket.gethostname(),
            version=__version__,
            format=FORMAT,
            projects=tuple(self.projects),
            providers=self.providers,
            tags=(*self.tags, rules.pinned(self.this.machine)),
            slots=self.slots,
            running=len(self.turns),
            phone=self.telegram is not None,
            draining=self.draining,
        )

    async def _enter(self) -> None:
        await self._beside(self._pulse.enter, self.row(), self.this.lease_seconds)

    def _asked_to_finish(self) -> None:
        asyncio.get_running_loop().remove_reader(self.stop.finish_fd)
        if self.turns and not self.stop.now:
            self.say("Finishing the running iterations; Ctrl-C again ends the children.")
        self._drain()

    def _asked_to_end_now(self) -> None:
        asyncio.get_running_loop().remove_reader(self.stop.now_fd)
        for turn in self.turns.values():
            turn.stop.ask_now()
        self._drain()

    def _drain(self) -> None:
        """Take nothing new, and end when what runs is handed over."""
        if self._worker and not self.draining:
            self._worker.cancel()  # once: a second time would leave its jobs where they are
            self._soon(self._tell_draining())
        self.draining = True
        self._ends.set()

    async def _tell_draining(self) -> None:
        """Nothing is to wait for this machine any more."""
        await self._beside(self._pulse.drain, self.this.machine)

    # --- jobs ---------------------------------------------------------------------------------------------------------

    async def _iterate(self, project: str, name: str, *, job: int, worker: int) -> None:
        """A job: one turn of this machine with a session."""
        known = self.projects.get(project)
        if known is None:
            return
        turn = self.turns[job] = Turn(known, name, job, worker, self.say)
        try:
            async with self._alone_at(turn.folder):
                await _aside(iteration.take, turn, self.this, self.environ, self._database, self._warm)
            self._failures.pop(name, None)
            self._soon(self._show(known, name))
            self._soon(self._give_logs(turn.folder))
        except Exception as error:  # whatever is wrong with one session, the others go on
            if not turn.lost:
                await self._leave_alone(turn, error)
        finally:
            del self.turns[job]
        if turn.lost:
            self.say(f"{name}: its turn here is over, {turn.lost}")
        if turn.lost or turn.folder in self._passed_over:
            self._passed_over.discard(turn.folder)
            self._soon(self._renew(known, name, ""))
        self._soon(self._give_on(turn.folder))

    async def _give_logs(self, folder: Path) -> None:
        """The newest part of the logs goes to the remote when nobody waits for that."""
        if said := await _aside(log_parts.give, Session(folder)):
            self.say_once(said)

    async def _leave_alone(self, turn: Turn, error: Exception) -> None:
        failures = self._failures[turn.name] = self._failures.get(turn.name, 0) + 1
        seconds, why = rules.pause(failures), sentence(error)
        self.say_once(f"{turn.name}: could not go on here, and is tried again: {why}")
        with suppress(SamoloopError):
            await _aside(self._database.postpone, turn.project.id, turn.name, seconds, f"{self.this.machine}: {why}")

    def _alone_at(self, folder: Path) -> asyncio.Lock:
        """Iterations, renewals and acts of one session follow each other on this machine."""
        return self._at_copies.setdefault(folder, asyncio.Lock())

    # --- the database -------------------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        """Say that this machine lives, see which turns it still has, and sweep where it is its turn to."""
        lease, heard = self.this.lease_seconds, time.monotonic()
        while True:
            try:
                await self._one_beat()
                heard = time.monotonic()
                self._say_of_database(None)
            except DatabaseGone as error:
                self._say_of_database(error)
                if time.monotonic() - heard > lease:
                    for turn in self.turns.values():
                        turn.lose("because the database was away for too long")
            await asyncio.sleep(rules.beat_seconds(lease))

    async def _one_beat(self) -> None:
        lease = self.this.lease_seconds
        beat = await self._beside(self._pulse.beat, self.this.machine, self.this.id, len(self.turns), lease)
        if not beat.known:
            await self._enter()
        if beat.draining:
            self._drain()
        begins = self._phone.turn(beat.phone == self.this.machine)
        if begins or self._seeing is None or self._seeing.done():
            self._seeing = self._soon(self._see_to_phone(beat.phone, begins))
        for turn in list(self.turns.values()):
            if not await self._beside(self._pulse.is_mine, turn.job, turn.worker):
                turn.lose("because it was not heard of for too long")
        if beat.sweeps and time.monotonic() - self._looked > _LOOK_LEASES * lease:
            self._looked = time.monotonic()
            self._soon(self._look_at_remotes())
        lost = await self._forgotten()
        if beat.sweeps or lost:
            for freed in await self._beside(self._pulse.sweep, lease, beat.steady, lost):
                self.say(f"{freed.partition('/')[2]}: the machine at work on it was not heard of any more")

    async def _forgotten(self) -> set[int]:
        worker = next((turn.worker for turn in self.turns.values()), None)
        if worker is None:
            return set()
        held = await self._beside(self._pulse.held, worker)
        found = rows.forgotten(held, self._held, self.turns)
        self._held = held
        return found

    async def _hear(self) -> None:
        """What the others tell, for ever."""
        async for told in news(self.this.database, self.this.machine):
            try:
                await self._heard(told)
            except DatabaseError as error:
                self._say_what(error)

    async def _heard(self, told: News) -> None:
        if told.missed:
            await self._look_at_all()
        elif told.name and told.project in self.projects:
            self._wished(told)
            self._soon(self._renew(self.projects[told.project], told.name, told.parcel))
        elif told.login == self.this.login:
            self._soon(self._share_limits())
        elif told.machine == self.this.machine and told.draining and not self.draining:
            self.say("Asked to take nothing new.")
            self._drain()

    def _wished(self, told: News) -> None:
        folder = self.projects[told.project].sessions / told.name
        turn = next((turn for turn in self.turns.values() if turn.folder == folder), None)
        if turn and told.wish:
            turn.stop.by_person = True
            turn.stop.ask_to_finish()
            if told.wish == STOP_NOW:
                turn.stop.ask_now()

    async def _look_at_all(self) -> None:
        """Nobody knows what was told meanwhile: each copy is compared with its row, and what people did is given on."""
        self._soon(self._share_limits())
        for project in self.projects.values():
            known = await _aside(self._database.sessions, project.id)
            for row in known:
                if row.condition != ARCHIVED or copies.mark_of(project.sessions / row.name):
                    self._soon(self._renew(project, row.name, row.parcel))
            for folder in await _aside(copies.here, project):
                if any(row.name == folder.name for row in known):
                    self._soon(self._give_on(folder))
                else:  # it may have been taken home while nobody was here
                    self._soon(self._renew(project, folder.name, ""))
        self._soon(self._look_at_remotes())

    async def _look_at_remotes(self) -> None:
        """What somebody gave to a remote, and could tell nobody, is told."""
        for project in self.projects.values():
            known = await _aside(self._database.sessions, project.id)
            for name in await _aside(copies.untold, project, known):
                self._soon(self._tell(project, name))

    async def _tell(self, project: Project, name: str) -> None:
        folder = project.sessions / name
        if not self._is_at(folder):
            async with self._alone_at(folder):
                for said in await _aside(copies.tell, project, name, self.this, self.environ, self._database):
                    self.say(said)

    async def _remind(self) -> None:
        """Of what was announced here and still waits, for ever."""
        reminders = Reminders(without_address(self.environ), fleets_alone=True)
        while True:
            await _aside(reminders.look, time.time())
            await asyncio.sleep(LOOK_SECONDS)

    async def _share_limits(self) -> None:
        for said in await _aside(self._limits.share, self._database):
            self.say(f"{said}.")

    # --- the phone ----------------------------------------------------------------------------------------------------

    async def _see_to_phone(self, first: str, begins: bool) -> None:
        """Be the fleet's phone where it is this machine's turn, and let the database know what reached the person."""
        if self.telegram is not None and first not in ("", self.this.machine):
            self.say_once(f"{first} is the fleet's phone: this machine's is silent, until {first} is gone.")
        if begins:
            self.say("This machine is the fleet's phone now.")
            for project in self.projects.values():
                for folder in await _aside(lambda project=project: list(copies.here(project))):
                    self._soon(self._show(project, folder.name))
        if self._phone.is_ours:
            await self._note_reached()
            if said := await _aside(self._phone.look):
                self.say(said)

    async def _show(self, project: Project, name: str) -> None:
        """What a session announced, wherever it ran, to the phone here."""
        folder = project.sessions / name
        if not self._phone.is_ours or not copies.mark_of(folder):
            return
        async with self._alone_at(folder):
            row = await _aside(self._database.session, project.id, name)
            over = await _aside(self._phone.show, Session(folder), row.told) if row else []
            if over:
                await _aside(self._database.tell, project.id, name, over)

    async def _note_reached(self) -> None:
        for folder, names in await _aside(self._phone.reached):
            if mark := copies.mark_of(folder):
                await _aside(self._database.tell, mark.project, folder.name, names)
                self._phone.is_known(folder, names)

    # --- copies -------------------------------------------------------------------------------------------------------

    async def _renew(self, project: Project, name: str, oid: str) -> None:
        """Make the copy as new as the remote, so that people can look at it and answer here."""
        folder = project.sessions / name
        mark = copies.mark_of(folder)
        if self._is_at(folder):
            self._passed_over.add(folder)
            return
        if mark and mark.parcel == oid:
            return
        await self._until_done(folder, copies.follow, project, name, self.this, self.environ)
        await self._show(project, name)

    def _is_at(self, folder: Path) -> bool:
        return any(turn.folder == folder for turn in self.turns.values())

    def _changed_here(self, folder: Path) -> None:
        """A person did something on a copy, or a worker did."""
        if not self._is_at(folder):
            self._soon(self._give_on(folder))

    async def _give_on(self, folder: Path) -> None:
        """What a person did on this copy goes to the remote, and the session goes on where it can."""
        await self._until_done(folder, copies.give_on, Session(folder), self.this, self.environ, self._database)

    async def _until_done(self, folder: Path, work: Callable[..., list[str]], *given: Any) -> None:
        """Do it for a copy, and say what it says. It is tried again, by who came last: soon while the remote is away,
        and more and more seldom where something else is in the way, such as a full disk."""
        waits, failures = growing_waits(), 0
        mine = self._tried[folder, work] = object()
        while self._tried.get((folder, work)) is mine:
            try:
                async with self._alone_at(folder):
                    for said in await _aside(work, *given):
                        self.say(said)
                if self._tried.get((folder, work)) is mine:
                    del self._tried[folder, work]
            except (SamoloopError, OSError) as error:
                self._say_what(error)
                failures += not isinstance(error, RemoteGone)
                await asyncio.sleep(next(waits) if isinstance(error, RemoteGone) else rules.pause(failures))

    def _soon(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        async def tried() -> None:
            try:
                await work
            except (SamoloopError, OSError) as error:
                self._say_what(error)

        task = asyncio.create_task(tried())
        self._soons.add(task)
        task.add_done_callback(self._soons.discard)
        return task

    def _say_what(self, error: Exception) -> None:
        if not isinstance(error, DatabaseGone):  # the next beat says that, and what was to be done is done again then
            self.say_once(sentence(error))

    def say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self.say(text)


def _unless_the_database_is_away(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Procrastinate leaves jobs of which it cannot write down the end to nobody: the sweep sees to them."""
    if not isinstance(context.get("exception"), exceptions.ConnectorException):
        loop.default_exception_handler(context)


async def _aside(work: Callable[..., Answer], *given: Any) -> Answer:
    """What the work comes to, in a thread."""
    return await asyncio.to_thread(work, *given)
