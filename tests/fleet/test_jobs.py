"""Jobs as machines get them, with real workers of Procrastinate."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import psycopg
import pytest
from fleet_rows import machine, session
from procrastinate.jobs import Status
from procrastinate.manager import JobManager
from procrastinate.psycopg_connector import PsycopgConnector

from samoloop.fleet import jobs, rows
from samoloop.fleet.database import Database
from samoloop.fleet.news import news
from samoloop.fleet.postgres import Postgres
from samoloop.fleet.rows import MachineRow
from samoloop.fleet.rules import pinned

LEASE = 3.0


class Machine:
    """A worker, and what its jobs do: wait to be let go, and put the row of the next iteration."""

    def __init__(self, url: str, name: str, last: int, lease: float = LEASE, slots: int = 4) -> None:
        self.name, self.url, self._last, self._lease, self._slots = name, url, last, lease, slots
        self.database = Database(url, name, patience_seconds=20)
        self.begun: list[tuple[str, int, int]] = []  # session, job, worker
        self.done = 0
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def iterate(self, project: str, name: str, *, job: int, worker: int) -> None:
        row = await asyncio.to_thread(self.database.begin, project, name, self.name)
        assert row is not None
        self.begun.append((name, job, worker))
        await self.go_on.wait()
        if await asyncio.to_thread(self.database.is_mine, job, worker):
            due = None if row.number + 1 >= self._last else 0.0
            await asyncio.to_thread(self.database.put, session(name, row.number + 1, due_in=due, machine=self.name))
            self.done += 1

    async def work(self) -> None:
        app = jobs.app(self.url, self.name, self.iterate, self._lease)
        async with app.open_async():
            await app.run_worker_async(**jobs.options(rows.queues(self.row()), self._slots, self._lease))

    def row(self) -> MachineRow:
        return machine(self.name, slots=self._slots, tags=(pinned(self.name),))


@asynccontextmanager
async def at_work(one: Machine) -> AsyncIterator[Machine]:
    one.task = asyncio.create_task(one.work())
    try:
        yield one
    finally:
        await end(one)
        one.database.close()


async def end(one: Machine) -> None:
    """Let its iterations end, and then it."""
    one.go_on.set()
    one.task.cancel()
    await asyncio.gather(one.task, return_exceptions=True)


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def left(url: str) -> int:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone()[0]


def test_iterations_follow_each_other_without_a_poll_and_leave_no_job(database, url):
    async def run() -> float:
        async with at_work(Machine(url, "ann", last=8)) as ann:
            database.put(session(number=1))
            began = time.monotonic()
            await until(lambda: ann.done == 7)
            await until(lambda: left(url) == 0)
            return time.monotonic() - began

    assert asyncio.run(run()) < 5  # one poll
    assert database.session("p1", "auth").number == 8


def test_what_is_told_while_a_worker_asks_for_a_job_makes_it_ask_again(url, database, monkeypatch):
    """Procrastinate forgets it; the job would be found by a poll."""
    asked = []
    fetch = JobManager.fetch_job

    async def fetch_and_count(self, **given):
        asked.append(given)
        return await fetch(self, **given)

    monkeypatch.setattr(JobManager, "fetch_job", fetch_and_count)
    queue = rows.queue_of(session())

    async def run() -> None:
        with psycopg.connect(url, autocommit=True) as other, psycopg.connect(url) as locking:

            def tell() -> None:
                payload = '{"type": "job_inserted", "job_id": 1}'
                other.execute("SELECT pg_notify(%s, %s)", (f"procrastinate_queue_v1#{queue}", payload))

            def waiting() -> int:
                where = "wait_event_type = 'Lock' AND query LIKE '%fetch_job%'"
                return other.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {where}").fetchone()[0]

            told = []
            listen = PsycopgConnector._loop_notify

            async def loop_notify(self, on_notification, connection, **more):
                async def on(**given):
                    await on_notification(**given)
                    told.append(given)

                await listen(self, on_notification=on, connection=connection, **more)

            monkeypatch.setattr(PsycopgConnector, "_loop_notify", loop_notify)
            async with at_work(Machine(url, "ann", last=2)):
                await until(lambda: len(asked) >= 2)  # at its start, and when it listens
                try:
                    locking.execute("LOCK TABLE procrastinate_jobs")
                    tell()
                    await until(lambda: waiting() == 1)
                    tell()
                    await until(lambda: len(told) >= 2)
                    before = len(asked)
                finally:
                    locking.rollback()
                began = time.monotonic()
                await until(lambda: len(asked) > before)
                assert time.monotonic() - began < 4  # a poll would come after 5 s

    asyncio.run(run())


def test_one_iteration_of_a_session_at_a_time_on_all_machines(database, url):
    async def run() -> None:
        async with at_work(Machine(url, "ann", last=3)) as ann, at_work(Machine(url, "bob", last=3)) as bob:
            ann.go_on.clear(), bob.go_on.clear()
            database.put(session(number=1))
            await until(lambda: len(ann.begun) + len(bob.begun) == 1)
            database.put(session(number=1))  # somebody says it again
            database.put(session("other", 1))
            await until(lambda: len(ann.begun) + len(bob.begun) == 2)
            assert sorted(name for name, _, _ in ann.begun + bob.begun) == ["auth", "other"]
            assert [row.at_work for row in database.sessions()] == [True, True]

    asyncio.run(run())


def test_a_machine_gets_no_job_that_it_cannot_do(database, url):
    async def run() -> None:
        async with at_work(Machine(url, "ann", last=2)) as ann:
            database.put(session("gemini", provider="gemini"))
            database.put(session("newer", format=2))
            database.put(session("tagged", tags=("gpu",)))
            database.put(session("mine"))
            await until(lambda: ann.done == 1)
            assert [name for name, _, _ in ann.begun] == ["mine"]
            assert {row.name for row in database.sessions() if row.due_in is not None} == {"gemini", "newer", "tagged"}

    asyncio.run(run())


def test_a_session_goes_on_where_it_was_and_elsewhere_when_that_one_is_gone(database, url):
    async def run() -> None:
        async with at_work(Machine(url, "ann", last=9, lease=30)) as ann, at_work(Machine(url, "bob", last=20)) as bob:
            for one in (ann, bob):
                database.enter(one.row(), 30)
            database.put(session(machine="ann"))
            await until(lambda: ann.done == 8)
            assert bob.done == 0
            ann.task.cancel()
            await asyncio.wait([ann.task])
            database.put(session(number=10, machine="ann"))  # it was heard of just now
            assert [queue for (queue,) in waiting(url)] == [rows.own_queue(session(), "ann")]
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("UPDATE procrastinate_jobs SET scheduled_at = now() - interval '6 seconds'")
            database.sweep(30)
            await until(lambda: bob.done == 10)

    asyncio.run(run())


def waiting(url: str) -> list[tuple[str]]:
    """The queues of the jobs that nobody has begun."""
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT queue_name FROM procrastinate_jobs WHERE status = 'todo'").fetchall()


@pytest.mark.parametrize(
    ("there", "row"),
    [
        ({"draining": True}, {}),
        ({"slots": 1}, {}),  # it is at another one
        ({"providers": ("codex",)}, {}),
        ({}, {"machine": "cid"}),
        ({}, {"due_in": 60.0}),
        ({}, {"tags": ("@bob",)}),
    ],
)
def test_a_session_waits_for_no_machine_that_has_no_room_for_it(database, url, there, row):
    database.enter(machine("ann", **{"tags": ("@ann",), **there}), 30)
    database.put(session("other", provider="other"))
    begin_all(url)
    database.put(session(**row))
    assert waiting(url) == [(rows.queue_of(session(**row)),)]


def test_a_session_does_not_pass_another_that_waits_for_the_same_machine(database, url):
    database.enter(machine("ann", tags=("@ann",)), 30)
    database.put(session("first", machine="cid"))
    database.put(session("second"))
    general = rows.queue_of(session())
    assert waiting(url) == [(general,), (general,)]
    begin_all(url)
    database.put(session("third"))
    assert waiting(url) == [(rows.own_queue(session(), "ann"),)]


def test_a_machine_that_was_not_heard_of_lately_is_not_waited_for(database, url):
    database.enter(machine("ann", tags=("@ann",)), 30)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE samoloop_machines SET seen = now() - interval '20 seconds'")
    database.put(session())
    assert waiting(url) == [(rows.queue_of(session()),)]


def test_an_act_during_an_iteration_does_not_change_who_is_at_work(database, url):
    database.put(session(machine="ann"))
    begin_all(url)
    database.put(session(number=2, machine="bob"))
    assert database.session("p1", "auth").machine == "ann"


def begin_all(url: str) -> None:
    """Some worker has all jobs."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE procrastinate_jobs SET status = 'doing', queueing_lock = NULL")


def test_the_session_of_a_machine_that_died_is_begun_by_another(database, url):
    """Its worker's heartbeats end; its late end of the job ends nothing."""

    async def run() -> None:
        async with at_work(Machine(url, "ann", last=2, slots=1)) as ann:
            ann.go_on.clear()
            database.put(session())
            await until(lambda: len(ann.begun) == 1)
            _, job, worker = ann.begun[0]
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'")
                assert database.sweep(LEASE, steady=False) == []  # nobody was heard of: it may have been the database
                async with at_work(Machine(url, "bob", last=2)) as bob:
                    bob.go_on.clear()
                    await until(lambda: bool(database.sweep(LEASE)))
                    assert not database.is_mine(job, worker)
                    await until(lambda: len(bob.begun) == 1)
                    await end(ann)
                    assert (ann.done, database.is_mine(*bob.begun[0][1:])) == (0, True)
                    bob.go_on.set()
                    await until(lambda: bob.done == 1)

    asyncio.run(run())


def test_jobs_go_on_while_the_database_is_started_anew(server_of_its_own):
    server = server_of_its_own
    with Database(server.url, "test", patience_seconds=20) as database:
        database.init()

        async def run() -> None:
            async with at_work(Machine(server.url, "ann", last=4, lease=20)) as ann:
                ann.go_on.clear()
                database.put(session())
                await until(lambda: len(ann.begun) == 1)
                server.kill()
                ann.go_on.set()  # its iteration ends while there is no database
                await asyncio.to_thread(server.start)
                await until(lambda: ann.done == 3)
                await until(lambda: left(server.url) == 0)
                assert len(ann.begun) == 3

        asyncio.run(run())


def test_a_heartbeat_that_is_lost_on_its_way_ends_no_worker(database, url):
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SEQUENCE beats")
        connection.execute(
            "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF nextval('beats') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NEW; END $$"
        )
        connection.execute(
            "CREATE TRIGGER cut AFTER UPDATE ON procrastinate_workers FOR EACH ROW EXECUTE FUNCTION cut()"
        )

        def beats() -> int:
            found = connection.execute("SELECT last_value FROM beats WHERE is_called").fetchone()
            return found[0] if found else 0

        async def run() -> None:
            async with at_work(Machine(url, "ann", last=3, lease=1)) as ann:
                ann.go_on.clear()
                database.put(session())
                await until(lambda: len(ann.begun) == 1)
                await until(lambda: beats() >= 3)
                assert not ann.task.done()
                ann.go_on.set()
                await until(lambda: ann.done == 2)
                assert len({worker for _, _, worker in ann.begun}) == 1

        asyncio.run(run())


def test_the_end_of_a_job_that_is_another_machines_by_now_is_no_fault(database, url):
    async def run() -> None:
        async def nothing(*_: object, **__: object) -> None: ...

        app = jobs.app(url, "ann", nothing, LEASE)
        async with app.open_async():
            await app.job_manager.finish_job_by_id_async(job_id=4711, status=Status.SUCCEEDED, delete_job=True)

    asyncio.run(run())


def test_nothing_is_asked_again_and_again_within_five_seconds():
    said = jobs.options(["q"], 2, lease_seconds=30)
    assert min(value for name, value in said.items() if name.endswith("polling_interval")) >= 5
    assert said["update_heartbeat_interval"] == 10


def test_a_job_whose_fetch_was_never_answered_is_made_again(database, url):
    with psycopg.connect(url, autocommit=True) as connection:
        worker = connection.execute("SELECT procrastinate_register_worker_v1()").fetchone()[0]
        database.put(session())
        queue = rows.queue_of(session())
        connection.execute("SELECT procrastinate_fetch_job_v2(%s::varchar[], %s)", ([queue], worker))
    held = database.held(worker)
    assert len(held) == 1
    lost = rows.forgotten(database.held(worker), held, running=())
    database.sweep(LEASE, steady=False, lost=lost)
    assert (database.held(worker), left(url)) == (set(), 1)


def test_news_come_at_once_and_after_the_database_was_away_it_is_said_that_some_may_be_missed(database, url):
    async def run() -> None:
        told = news(url, "ann")
        assert (await anext(told)).missed
        database.put(session(parcel="abc"))
        found = await anext(told)
        assert (found.project, found.name, found.parcel) == ("p1", "auth", "abc")
        database.wish("p1", "auth", "stop")
        assert (await anext(told)).wish == "stop"
        database.limit("ours", "claude", 60, "weekly")
        assert (await anext(told)).login == "ours"
        database.enter(machine(), LEASE)
        database.drain("ann")
        found = await anext(told)
        assert (found.machine, found.draining) == ("ann", True)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%listens'"
            )
        assert (await anext(told)).missed
        await told.aclose()

    asyncio.run(run())


@pytest.fixture
def server_of_its_own():
    with Postgres() as server:
        yield server
