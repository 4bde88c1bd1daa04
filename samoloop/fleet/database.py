"""The fleet's database as a machine or a command uses it: rows put and read, wishes, limits, and what is told of them.

Each call is one transaction and safe to repeat, so a connection that is lost in the middle of it costs only time. A
`Database` may be called from several threads. All times that are compared are the database's own, so no machine's
clock matters.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Self, TypeVar

import psycopg
from psycopg.rows import DictRow, dict_row

from samoloop.base.errors import LockHeld, UsageError
from samoloop.base.values import frozen
from samoloop.fleet import address, affinity, jobs, schema
from samoloop.fleet.rows import MachineRow, SessionRow, lock, of_table, to_table
from samoloop.fleet.rules import beat_seconds
from samoloop.fleet.schema import Connection

Answer = TypeVar("Answer")
_FORGET_MACHINES = "7 days"
_SESSIONS = """
SELECT s.*, extract(epoch FROM s.due - now())::float8 AS due_in, extract(epoch FROM now() - s.at)::float8 AS seconds,
    EXISTS (SELECT 1 FROM procrastinate_jobs j WHERE j.lock = s.project || '/' || s.name AND j.status = 'doing')
        AS at_work
FROM samoloop_sessions s
"""
_PUT = """
INSERT INTO samoloop_sessions AS s (project, name, parcel, number, machine, title, phase, iteration, condition, reason,
    provider, tags, format, due)
VALUES (%(project)s, %(name)s, %(parcel)s, %(number)s, %(machine)s, %(title)s, %(phase)s, %(iteration)s, %(condition)s,
    %(reason)s, %(provider)s, %(tags)s, %(format)s, now() + make_interval(secs => %(due_in)s))
ON CONFLICT (project, name) DO UPDATE SET (parcel, number, machine, title, phase, iteration, condition, reason,
    provider, tags, format, due, at, begun) = (EXCLUDED.parcel, EXCLUDED.number, CASE WHEN EXISTS (
        SELECT 1 FROM procrastinate_jobs j WHERE j.lock = s.project || '/' || s.name AND j.status = 'doing')
    THEN s.machine ELSE EXCLUDED.machine END, EXCLUDED.title, EXCLUDED.phase, EXCLUDED.iteration, EXCLUDED.condition,
    EXCLUDED.reason, EXCLUDED.provider, EXCLUDED.tags, EXCLUDED.format, EXCLUDED.due, now(),
    CASE WHEN s.begun = %(by)s THEN '' ELSE s.begun END)
WHERE s.number <= EXCLUDED.number
RETURNING due
"""
_KEY = "hashtextextended(%(lock)s, 0)"  # of the advisory lock that a command holds on a session
_BEGIN = f"""
UPDATE samoloop_sessions s SET machine = %(machine)s, begun = %(machine)s, at = now()
FROM (SELECT begun FROM samoloop_sessions WHERE project = %(project)s AND name = %(name)s FOR UPDATE) before
WHERE s.project = %(project)s AND s.name = %(name)s AND (SELECT pg_try_advisory_xact_lock({_KEY}))
RETURNING s.*, before.begun AS left_by, extract(epoch FROM due - now())::float8 AS due_in
"""
_POSTPONE = """
UPDATE samoloop_sessions SET due = now() + make_interval(secs => %(seconds)s), reason = %(reason)s, begun = ''
WHERE project = %(project)s AND name = %(name)s
RETURNING *, extract(epoch FROM due - now())::float8 AS due_in
"""
HELD = "its CLIs have met a usage limit"  # why a session is postponed that has met none itself
_HURRY = """
UPDATE samoloop_sessions SET due = now(), reason = ''
WHERE provider = %(provider)s AND reason = %(held)s
RETURNING *, extract(epoch FROM due - now())::float8 AS due_in
"""
_HOLDER = f"""
SELECT a.application_name AS who FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND (l.classid::bigint << 32) | l.objid::bigint = {_KEY}
"""
_MOST_TOLD = 100  # names that are kept; of the announcements twenty travel
_TELL = """
UPDATE samoloop_sessions s SET told = known.names[greatest(1, cardinality(known.names) - %(most)s + 1):]
FROM (
    SELECT told || ARRAY(SELECT item FROM unnest(%(items)s::text[]) AS item WHERE item <> ALL (told)) AS names
    FROM samoloop_sessions WHERE project = %(project)s AND name = %(name)s FOR UPDATE
) known
WHERE s.project = %(project)s AND s.name = %(name)s
"""
_ENTER = """
INSERT INTO samoloop_machines AS m (name, id, host, version, format, projects, providers, tags, slots, running,
    phone, draining)
VALUES (%(name)s, %(id)s, %(host)s, %(version)s, %(format)s, %(projects)s, %(providers)s, %(tags)s, %(slots)s,
    %(running)s, %(phone)s, %(draining)s)
ON CONFLICT (name) DO UPDATE SET (id, host, version, format, projects, providers, tags, slots, running, phone,
    draining, seen) = (EXCLUDED.id, EXCLUDED.host, EXCLUDED.version, EXCLUDED.format, EXCLUDED.projects,
    EXCLUDED.providers, EXCLUDED.tags, EXCLUDED.slots, EXCLUDED.running, EXCLUDED.phone, EXCLUDED.draining, now())
WHERE m.id = EXCLUDED.id OR m.seen < now() - make_interval(secs => %(lease)s)
RETURNING name
"""
# Whose turn it is to sweep: one machine's, once in so long. After a time in which nobody could, such as while the
# database was away, live machines get a lease to be heard of again before any is taken for dead.
_BEAT = """
WITH beat AS (
    UPDATE samoloop_machines SET seen = now(), running = %(running)s
    WHERE name = %(name)s AND id = %(id)s RETURNING draining
), turn AS (
    UPDATE samoloop_fleet SET swept = now(), steady_since = CASE
        WHEN swept < now() - make_interval(secs => %(lease)s) THEN now() ELSE steady_since END
    WHERE swept < now() - make_interval(secs => %(turn)s)
    RETURNING steady_since < now() - make_interval(secs => %(lease)s) AS steady
)
SELECT (SELECT draining FROM beat) AS draining, (SELECT steady FROM turn) AS steady,
    (SELECT min(name) FROM samoloop_machines WHERE phone AND seen > now() - make_interval(secs => %(lease)s)) AS phone
"""
_STALLED = """
DELETE FROM procrastinate_jobs j USING (
    SELECT d.id FROM procrastinate_jobs d LEFT JOIN procrastinate_workers w ON w.id = d.worker_id
    WHERE d.status = 'doing' AND d.task_name = %(task)s
        AND (w.id IS NULL OR w.last_heartbeat < now() - make_interval(secs => %(lease)s))
) dead
WHERE j.id = dead.id AND j.status = 'doing'
RETURNING j.lock
"""
_DUE_WITHOUT_JOB = f"""{_SESSIONS}
WHERE s.due IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM procrastinate_jobs j WHERE j.lock = s.project || '/' || s.name AND j.status IN ('todo', 'doing'))
"""
_LIMIT = """
INSERT INTO samoloop_limits AS l (login, provider, until, message)
VALUES (%(login)s, %(provider)s, now() + make_interval(secs => %(seconds)s), %(message)s)
ON CONFLICT (login, provider) DO UPDATE SET until = EXCLUDED.until, message = EXCLUDED.message
WHERE l.until < EXCLUDED.until - interval '1 second'
"""


@frozen
class Beat:
    """What a machine hears when it says that it lives."""

    known: bool  # False: its row is gone or another's; it has to enter again
    draining: bool
    sweeps: bool  # it is this machine's turn to look for what is stuck
    steady: bool  # and those that were not heard of are dead
    phone: str = ""  # the machine whose phone is the fleet's; empty: none has one


class Database:
    """Rows of machines, sessions and limits. Raises DatabaseError, or DatabaseGone where trying again may help."""

    def __init__(self, url: str, machine: str, patience_seconds: float = 0.0) -> None:
        self._url, self._machine, self._patience_seconds = url, machine, patience_seconds
        self._parameters = address.parameters(url, f"samoloop {machine}")
        self._open: Connection | None = None
        self._one_at_a_time = threading.RLock()
        self._closing = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection; who waits for another one waits no longer."""
        self._closing.set()
        with self._one_at_a_time:
            self._drop()

    # --- the tables ---------------------------------------------------------------------------------------------------

    def init(self) -> None:
        """Make the tables, or bring them up to date."""
        self._ask(schema.make)

    def check(self) -> None:
        """Raise DatabaseError where it is no fleet's, or that of another version."""
        self._ask(schema.check)

    # --- sessions -----------------------------------------------------------------------------------------------------

    def put(self, row: SessionRow) -> bool:
        """Write where a session stands, with the job that follows from it. False: a newer parcel is known already."""

        def work(connection: Connection) -> bool:
            with connection.transaction():
                found = connection.execute(_PUT, {**to_table(row), "by": self._machine}).fetchone()
                if found is None:
                    return False
                jobs.put(connection, row, found["due"], affinity.queue_where_it_was(connection, row))
                return True

        return self._ask(work)

    def begin(self, project: str, name: str, machine: str) -> SessionRow | None:
        """Write down that the machine is at work on a session. None: a command holds it, or it is not the fleet's."""
        given = {"project": project, "name": name, "machine": machine, "lock": lock(project, name)}
        found = self._rows(_BEGIN, given)
        return _session(found[0]) if found else None

    def postpone(self, project: str, name: str, seconds: float, reason: str) -> None:
        """Leave a session alone for a while that could not be gone on with."""
        given = {"project": project, "name": name, "seconds": seconds, "reason": reason}

        def work(connection: Connection) -> None:
            with connection.transaction():
                if found := connection.execute(_POSTPONE, given).fetchone():
                    jobs.put(connection, _session(found), found["due"])

        self._ask(work)

    def session(self, project: str, name: str) -> SessionRow | None:
        found = self._rows(f"{_SESSIONS} WHERE s.project = %s AND s.name = %s", (project, name))
        return _session(found[0]) if found else None

    def sessions(self, project: str | None = None) -> list[SessionRow]:
        """All of a project, or of the fleet; the newest first."""
        where = "" if project is None else "WHERE s.project = %(project)s"
        return [_session(row) for row in self._rows(f"{_SESSIONS} {where} ORDER BY s.at DESC", {"project": project})]

    def forget(self, project: str, name: str) -> None:
        """The session is no longer the fleet's."""

        def work(connection: Connection) -> None:
            with connection.transaction():
                connection.execute("DELETE FROM samoloop_sessions WHERE project = %s AND name = %s", (project, name))
                connection.execute(
                    "DELETE FROM procrastinate_jobs WHERE queueing_lock = %s AND status = 'todo'",
                    (lock(project, name),),
                )

        self._ask(work)

    def wish(self, project: str, name: str, wish: str) -> None:
        """Ask the machine at work on a session for something; empty: it is done."""
        self._rows("UPDATE samoloop_sessions SET wish = %s WHERE project = %s AND name = %s", (wish, project, name))

    def tell(self, project: str, name: str, items: Iterable[str]) -> None:
        """Announcements of a session have reached a person by the fleet's phone, or need not any more."""
        given = {"project": project, "name": name, "items": list(items), "most": _MOST_TOLD}
        self._rows(_TELL, given)

    @contextmanager
    def hold(self, project: str, name: str) -> Iterator[None]:
        """Keep all machines from beginning an iteration of the session. Raises LockHeld where one is at work on it."""
        given = {"lock": lock(project, name)}
        with self._connected() as connection:
            try:
                taken = connection.execute(f"SELECT pg_try_advisory_lock({_KEY}) AS taken", given).fetchone()
                if not taken or not taken["taken"]:
                    holder = connection.execute(_HOLDER, given).fetchone()
                    who = holder["who"].removeprefix("samoloop ") if holder and holder["who"] else "another machine"
                    raise LockHeld(f"{name} is held by a command on {who}: try again when that has ended")
                where = f"{_SESSIONS} WHERE s.project = %s AND s.name = %s"
                found = connection.execute(where, (project, name)).fetchone()
            except psycopg.Error as error:
                raise address.translated(error, self._url) from None
            if found and found["at_work"]:
                raise LockHeld(f"{name} is at work on {found['machine']}: samoloop stop {name}")
            try:
                yield
            finally:
                with suppress(psycopg.Error):  # the server would notice the end of the connection a little later
                    connection.execute(f"SELECT pg_advisory_unlock({_KEY})", given)

    # --- machines -----------------------------------------------------------------------------------------------------

    def enter(self, machine: MachineRow, lease_seconds: float) -> None:
        """Write what a machine has. Raises UsageError where another live one has its name."""
        if self._rows(_ENTER, {**to_table(machine), "lease": lease_seconds}):
            return
        other = next((one for one in self.machines() if one.name == machine.name), None)
        host = f" on host {other.host}" if other else ""
        raise UsageError(
            f"the fleet has another machine that is called {machine.name}{host}: give this one a name of its own, in "
            "`fleet.machine` in your own settings"
        )

    def beat(self, machine: str, identity: str, running: int, lease_seconds: float) -> Beat:
        """Say that a machine lives. Once in `beat_seconds`."""
        given = {
            "name": machine,
            "id": identity,
            "running": running,
            "lease": lease_seconds,
            "turn": 0.9 * beat_seconds(lease_seconds),
        }
        found = self._rows(_BEAT, given)[0]
        draining, steady = found["draining"], found["steady"]
        return Beat(draining is not None, bool(draining), steady is not None, bool(steady), found["phone"] or "")

    def leave(self, machine: str, identity: str) -> None:
        self._rows("DELETE FROM samoloop_machines WHERE name = %s AND id = %s", (machine, identity))

    def machines(self) -> list[MachineRow]:
        seconds = "extract(epoch FROM now() - seen)::float8 AS seconds"
        rows = self._rows(f"SELECT *, {seconds} FROM samoloop_machines ORDER BY name")
        return [of_table(MachineRow, row) for row in rows]

    def drain(self, machine: str, draining: bool = True) -> bool:
        """Ask a machine to take nothing new. False: there is none of that name."""
        sql = "UPDATE samoloop_machines SET draining = %s WHERE name = %s RETURNING name"
        return bool(self._rows(sql, (draining, machine)))

    # --- jobs ---------------------------------------------------------------------------------------------------------

    def is_mine(self, job: int, worker: int) -> bool:
        """Whether a worker still has the job that it was given."""
        sql = "SELECT 1 FROM procrastinate_jobs WHERE id = %s AND worker_id = %s AND status = 'doing'"
        return bool(self._rows(sql, (job, worker)))

    def held(self, worker: int) -> set[int]:
        """The jobs that the database believes a worker to run; see `rows.forgotten`."""
        sql = "SELECT id FROM procrastinate_jobs WHERE worker_id = %s AND status = 'doing'"
        return {row["id"] for row in self._rows(sql, (worker,))}

    def sweep(self, lease_seconds: float, steady: bool = True, lost: set[int] | None = None) -> list[str]:
        """See that each session that is due has a job that somebody takes, and say whose machine had died.

        The job of a worker that was not heard of for a lease is taken from it, as are those that were `lost`; another
        job has another number, so that a worker which comes back cannot end it.
        """

        def work(connection: Connection) -> list[str]:
            freed = []
            if steady:
                dead = connection.execute(_STALLED, {"task": jobs.TASK, "lease": lease_seconds})
                freed = [row["lock"] for row in dead.fetchall()]
                connection.execute(f"DELETE FROM samoloop_machines WHERE seen < now() - interval '{_FORGET_MACHINES}'")
            if lost:
                connection.execute("DELETE FROM procrastinate_jobs WHERE id = ANY(%s)", (sorted(lost),))
            for row in connection.execute(_DUE_WITHOUT_JOB).fetchall():
                with connection.transaction():
                    jobs.put(connection, _session(row), row["due"])
            for session, due in affinity.held_up(connection):
                with connection.transaction():
                    jobs.put(connection, session, due)
            return freed

        return self._ask(work)

    # --- usage limits -------------------------------------------------------------------------------------------------

    def limit(self, login: str, provider: str, seconds: float, message: str) -> None:
        """All machines of the login leave the provider alone for so long; the later end counts."""
        given = {"login": login, "provider": provider, "seconds": seconds, "message": message[:500]}
        self._rows(_LIMIT, given)

    def limits(self, login: str) -> Mapping[str, tuple[float, str]]:
        """For how many seconds more a provider is left alone, and why, by provider."""
        sql = (
            "SELECT provider, extract(epoch FROM until - now())::float8 AS seconds, message FROM samoloop_limits "
            "WHERE login = %s AND until > now()"
        )
        return {row["provider"]: (row["seconds"], row["message"]) for row in self._rows(sql, (login,))}

    def unlimit(self, login: str, provider: str) -> None:
        """A person wants to try now; sessions that were left alone for it are due."""

        def work(connection: Connection) -> None:
            with connection.transaction():
                connection.execute("DELETE FROM samoloop_limits WHERE login = %s AND provider = %s", (login, provider))
                for row in connection.execute(_HURRY, {"provider": provider, "held": HELD}).fetchall():
                    jobs.put(connection, _session(row), row["due"])

        self._ask(work)

    # --- the connection -----------------------------------------------------------------------------------------------

    def _rows(self, sql: str, given: Any = None) -> list[DictRow]:
        def work(connection: Connection) -> list[DictRow]:
            done = connection.execute(sql, given)
            return done.fetchall() if done.description else []

        return self._ask(work)

    def _ask(self, work: Callable[[Connection], Answer]) -> Answer:
        """What the work comes to, on another connection where one is lost, with growing waits for as long as we may."""
        began = time.monotonic()
        waits = address.growing_waits()
        with self._one_at_a_time:
            while True:
                was_open = self._open is not None
                try:
                    if self._open is None:
                        self._open = self._connect()
                    return work(self._open)
                except psycopg.Error as error:
                    if not address.is_gone(error):
                        raise address.translated(error, self._url) from None
                    self._drop()
                    wait = 0.0 if was_open else next(waits)
                    late = wait and time.monotonic() - began + wait > self._patience_seconds
                    if late or self._closing.wait(wait):
                        raise address.translated(error, self._url) from None

    def _connect(self) -> Connection:
        # Behind a pooler a prepared statement may meet another server process; each of ours is short anyway.
        return psycopg.connect(**self._parameters, autocommit=True, row_factory=dict_row, prepare_threshold=None)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A connection of its own."""
        try:
            connection = self._connect()
        except psycopg.Error as error:
            raise address.translated(error, self._url) from None
        with connection:
            yield connection

    def _drop(self) -> None:
        if self._open is not None:
            with suppress(psycopg.Error):
                self._open.close()
            self._open = None


def _session(row: DictRow) -> SessionRow:
    return of_table(SessionRow, row)
