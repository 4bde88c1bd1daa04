"""Who runs what: one job is one iteration of one session, and Procrastinate hands each job to one machine.

A job is a hint. What is due stands in the session's row, so a job that is lost is made again, and one too many finds
nothing to do. At a gate there is none.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

import procrastinate
import psycopg
from procrastinate import connector, exceptions, jobs, manager, schema, sql
from procrastinate.psycopg_connector import PsycopgConnector
from procrastinate.sync_psycopg_connector import SyncPsycopgConnector
from psycopg import errors

from samoloop.fleet import address
from samoloop.fleet.rows import SessionRow, lock, queue_of

TASK = "samoloop.iterate"
Answer = TypeVar("Answer")
_POLL_SECONDS = 5.0  # a look beside the notifications
_NEVER_SECONDS = 3600.0  # Procrastinate's own way to abort a job is not used
_INSERTED = '{"type": "job_inserted", "job_id": 0}'


class Iterate(Protocol):
    """What a job does: one iteration of the session, begun by the worker of this number."""

    async def __call__(self, project: str, name: str, *, job: int, worker: int) -> None: ...


def app(url: str, machine: str, iterate: Iterate, lease_seconds: float) -> procrastinate.App:
    """Procrastinate with the one task there is. It holds on to its jobs while the database is away for a lease."""
    made = procrastinate.App(
        connector=_Patient(
            lease_seconds,
            conninfo=address.text(url, f"samoloop {machine}"),
            min_size=1,
            max_size=2,
            timeout=10.0,
            configure=_each_statement_by_itself,
        )
    )

    @made.task(name=TASK, pass_context=True)
    async def run(context: procrastinate.JobContext, project: str, name: str) -> None:
        assert context.job.id is not None and context.job.worker_id is not None
        await iterate(project, name, job=context.job.id, worker=context.job.worker_id)

    return made


async def _each_statement_by_itself(connection: "psycopg.AsyncConnection[Any]") -> None:
    """Procrastinate sends one at a time, so a transaction around it is two more ways to the database and back."""
    await connection.set_autocommit(True)


def options(queues: Iterable[str], slots: int, lease_seconds: float) -> dict[str, Any]:
    """How `app(...).run_worker_async` works: it keeps no job that is done, and leaves signals to its owner."""
    return {
        "queues": list(queues),
        "concurrency": slots,
        "fetch_job_polling_interval": _POLL_SECONDS,
        "abort_job_polling_interval": _NEVER_SECONDS,
        "update_heartbeat_interval": lease_seconds / 3,
        "stalled_worker_timeout": lease_seconds,
        "delete_jobs": "always",
        "install_signal_handlers": False,
    }


def put(connection: "psycopg.Connection[Any]", row: SessionRow, due: datetime | None, queue: str = "") -> None:
    """See that the session has the one waiting job that its row asks for, or none. `due` is by the database's clock;
    without a `queue` all can take it that can serve it.
    """
    connection.execute(
        "DELETE FROM procrastinate_jobs WHERE queueing_lock = %s AND status = 'todo'", (lock(row.project, row.name),)
    )
    if due is None:
        return
    job = jobs.Job(
        queue=queue or queue_of(row),
        lock=lock(row.project, row.name),
        queueing_lock=lock(row.project, row.name),
        task_name=TASK,
        task_kwargs={"project": row.project, "name": row.name},
        scheduled_at=due,
    )
    try:
        with connection.transaction():
            manager.JobManager(SyncPsycopgConnector()).defer_job(job, connection=connection)
    except exceptions.AlreadyEnqueued:
        pass  # by somebody else, this very moment
    except exceptions.ConnectorException as error:
        raise error.__cause__ or error from None


def schema_text() -> str:
    """What makes Procrastinate's tables."""
    return schema.SchemaManager.get_schema()


def migrations() -> list[Path]:
    """The steps of its schema so far, in their order; the name of the last one tells the version."""
    return sorted(Path(schema.SchemaManager.get_migrations_path()).glob("*.sql"))


class _Patient(PsycopgConnector):
    """Asks again, with growing waits, while the database is away: a worker that gave up would lose its jobs."""

    def __init__(self, patience_seconds: float, **pool: Any) -> None:
        super().__init__(**pool)
        self._patience_seconds = patience_seconds
        self._on_notification: connector.Notify | None = None
        self._told = False  # of a job, since the last fetch began

    async def execute_query_async(self, query: Any, **arguments: Any) -> None:
        ask = super().execute_query_async
        try:
            await self._patiently(lambda: ask(query, **arguments))
        except exceptions.ConnectorException as error:
            if not isinstance(error.__cause__, errors.RaiseException):
                raise
            # The job is another machine's by now, or its end was written and only the answer lost.

    async def execute_query_one_async(self, query: Any, **arguments: Any) -> dict[str, Any]:
        self._told = False
        ask = super().execute_query_one_async
        found: dict[str, Any] = await self._patiently(lambda: ask(query, **arguments))
        if self._told and query == sql.queries["fetch_job"] and found["id"] is None:
            # The worker forgets what it was told during a fetch, which may have been too early to see it: tell it anew.
            self._again = asyncio.create_task(self._look())
        return found

    async def execute_query_all_async(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        ask = super().execute_query_all_async
        return await self._patiently(lambda: ask(query, **arguments))

    async def listen_notify(self, on_notification: connector.Notify, channels: Iterable[str]) -> None:
        async def told(*, channel: str, payload: str) -> None:
            self._told = True
            await on_notification(channel=channel, payload=payload)

        self._on_notification, names = on_notification, list(channels)
        waits = address.growing_waits()
        while True:
            began = time.monotonic()
            await self._look()  # makes up for what was said while nobody listened
            try:
                await super().listen_notify(told, names)
            except exceptions.ConnectorException as error:
                if not address.is_gone(error.__cause__):
                    raise
            if time.monotonic() - began > address.LONGEST_WAIT:  # it had been there
                waits = address.growing_waits()
            await asyncio.sleep(next(waits))

    async def _look(self) -> None:
        """Have the worker ask for a job."""
        if self._on_notification is not None:
            await self._on_notification(channel="", payload=_INSERTED)

    async def _patiently(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        began = time.monotonic()
        waits = address.growing_waits()
        while True:
            try:
                return await ask()
            except exceptions.ConnectorException as error:
                wait = next(waits)
                if not address.is_gone(error.__cause__) or time.monotonic() - began + wait > self._patience_seconds:
                    raise
            await asyncio.sleep(wait)
