"""What a fleet asks of its database and of its remote: `python benchmarks fleet`.

Iterations are trivial here, so the figures are those of handing out work alone. Workers are processes of this machine,
and so is Postgres: they share its processors.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
from measure import Row, median, percentile

from samoloop.fleet import jobs
from samoloop.fleet import rows as fleet_rows
from samoloop.fleet.database import Database
from samoloop.fleet.postgres import Postgres
from samoloop.fleet.rows import MachineRow, SessionRow

TESTS = Path(__file__).resolve().parent.parent / "tests"
LEASE = 30.0
SESSIONS, ITERATIONS = 32, 8
WORKERS = (1, 4, 16)
AT_GATES = 1000
ANSWERS = 40
IDLE_SECONDS = 30
REMOTE_SESSIONS, PARCELS = 8, 18  # so many iterations each
MOST_ANSWER_MS = 300.0  # from an answer to the next iteration's begin
CHILD = """
head -c 3000 /dev/urandom | base64 >> notes-$((SAMOLOOP_ITERATION % 10)).md
head -c 1500 /dev/urandom | base64 > "$SAMOLOOP_WORKTREE/code-$((SAMOLOOP_ITERATION % 40)).txt"
signal '{"status": "continue", "phase": "investigation"}'
"""


def rows(folder: Path) -> list[Row]:
    with Postgres(settings=("log_statement=all",)) as server, Database(server.url, "bench", 10) as database:
        database.init()
        found = [*_throughput(server, database), *_gates(server, database), *_answers(server, database)]
        return [*found, *_idle(server), *_remote(folder)]


def _session(name: str, number: int, due_in: float | None = 0.0) -> SessionRow:
    return SessionRow(
        "bench", name, f"{number:040x}", number, "bench", name, "implementation", number, "ready", "", "claude", (), 1,
        due_in,
    )  # fmt: skip


def _throughput(server: Postgres, database: Database) -> Iterator[Row]:
    for workers in WORKERS:
        with _at_work(server.url, workers, last=ITERATIONS + 1):
            asked = _asked(server)
            began = time.perf_counter()
            for number in range(SESSIONS):
                database.put(_session(f"w{workers}-{number}", 1))
            _until(lambda: _count(server.url, "procrastinate_jobs") == 0)
            seconds = time.perf_counter() - began
            statements = (_asked(server) - asked) / (SESSIONS * ITERATIONS)
        yield Row(f"fleet: iterations a second, {workers} workers", f"{SESSIONS * ITERATIONS / seconds:.0f}")
        yield Row(f"fleet: statements an iteration, {workers} workers", f"{statements:.1f}")


def _gates(server: Postgres, database: Database) -> Iterator[Row]:
    began = time.perf_counter()
    for number in range(AT_GATES):
        database.put(_session(f"gate-{number}", 1, due_in=None))
    each = (time.perf_counter() - began) * 1000 / AT_GATES
    before = _connections(server.url)
    yield Row(f"fleet: a session put at a gate, of {AT_GATES}", f"{each:.1f} ms")
    yield Row(
        f"fleet: connections and jobs for {AT_GATES} gates",
        f"{before} and {_count(server.url, 'procrastinate_jobs')}",
    )
    began = time.perf_counter()
    database.sessions()
    yield Row(f"fleet: all {AT_GATES} read", f"{(time.perf_counter() - began) * 1000:.0f} ms")


def _answers(server: Postgres, database: Database) -> Iterator[Row]:
    """At an idle worker, with all those gates: from the row that an answer makes due to the iteration's begin."""
    with _at_work(server.url, 1, last=3) as workers:
        found = []
        for number in range(ANSWERS):
            asked = time.time()
            database.put(_session(f"gate-{number}", 2))
            assert workers[0].stdout
            found.append((float(workers[0].stdout.readline()) - asked) * 1000)
    yield Row(
        "fleet: answer to begin",
        f"median {median(found):.0f} ms, 95 % {percentile(found, 0.95):.0f} ms",
        f"{MOST_ANSWER_MS:.0f} ms",
        median(found) < MOST_ANSWER_MS,
    )


def _idle(server: Postgres) -> Iterator[Row]:
    with _at_work(server.url, 1, last=3):
        before = _asked(server)
        time.sleep(IDLE_SECONDS)
        asked = (_asked(server) - before) / IDLE_SECONDS
        connections = _connections(server.url)
    yield Row("fleet: statements a second, an idle worker", f"{asked:.2f}", "1", asked < 1)
    yield Row("fleet: connections of an idle worker", f"{connections}")


def _remote(folder: Path) -> Iterator[Row]:
    """Real iterations, each with 4 kB of notes and 2 kB of code that do not compress."""
    sys.path.insert(0, str(TESTS))
    sys.path.insert(0, str(TESTS / "fleet"))
    from machines import make_fleet

    from samoloop.fleet.parcel import Kind

    machine, _ = make_fleet(folder, CHILD, ceilings={"iterations": "off"})
    remote = folder / "remote.git"
    sessions = [machine.hand_in(name=f"s{number}") for number in range(REMOTE_SESSIONS)]
    packed, sizes = [], [_size(remote)]
    for session in sessions:
        for _ in range(PARCELS):
            machine.iterate(session)
            began = time.perf_counter()
            machine.send(session, Kind.ITERATION)
            packed.append((time.perf_counter() - began) * 1000)
    sizes.append(_size(remote))
    subprocess.run(["git", "-C", str(remote), "gc", "--quiet", "--prune=now"], check=True)
    sizes.append(_size(remote))
    each, after = ((size - sizes[0]) / len(packed) for size in sizes[1:])
    yield Row("fleet: packed and pushed, an iteration", f"median {median(packed):.0f} ms")
    yield Row("fleet: the remote, an iteration", f"{each / 1024:.1f} kB; {after / 1024:.1f} kB after `git gc`")
    yield Row(
        "fleet: the remote, 10,000 such iterations", f"{each * 1e4 / 1e6:.0f} MB; {after * 1e4 / 1e6:.0f} MB after"
    )


# --- what they share --------------------------------------------------------------------------------------------------


@contextmanager
def _at_work(url: str, workers: int, last: int) -> Iterator["list[subprocess.Popen[str]]"]:
    """Workers of four slots each, which listen."""
    command = [sys.executable, __file__, url]
    started = [
        subprocess.Popen([*command, f"m{number}", str(last)], stdout=subprocess.PIPE, text=True)
        for number in range(workers)
    ]
    try:
        _until(lambda: _count(url, "procrastinate_workers") >= workers)
        yield started
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.communicate()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DELETE FROM procrastinate_workers")


async def _work(url: str, name: str, last: int) -> None:
    machine = MachineRow(name, name, name, "1", 1, ("bench",), ("claude",), (), 4)
    database = Database(url, name, 10)

    async def iterate(project: str, session: str, *, job: int, worker: int) -> None:
        print(time.time(), flush=True)
        row = await asyncio.to_thread(database.begin, project, session, name)
        if row is not None and row.due_in is not None:
            due = 0.0 if row.number + 1 < last else None
            await asyncio.to_thread(database.put, replace(row, number=row.number + 1, due_in=due))

    app = jobs.app(url, name, iterate, LEASE)
    async with app.open_async():
        await app.run_worker_async(**jobs.options(fleet_rows.queues(machine), 4, LEASE))


def _asked(server: Postgres) -> int:
    """Statements so far, but for those that count."""
    lines = server.log.read_text(errors="replace").splitlines()
    said = [line for line in lines if line.startswith(("LOG:  statement:", "LOG:  execute"))]
    return sum("count(*)" not in line for line in said)


def _count(url: str, table: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    return int(found[0]) if found else 0


def _connections(url: str) -> int:
    """But for this benchmark's own two."""
    return _count(url, "pg_stat_activity WHERE datname = current_database()") - 2


def _size(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def _until(holds: object, seconds: float = 300.0) -> None:
    ends = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        if time.monotonic() > ends:
            raise SystemExit("the condition never came true")
        time.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(_work(sys.argv[1], sys.argv[2], int(sys.argv[3])))
