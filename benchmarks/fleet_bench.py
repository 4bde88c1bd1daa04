"""What a fleet asks of its database and of its remote: `python benchmarks fleet`.

Iterations are trivial here, so the figures are those of handing out work alone. Workers are processes of this machine,
and so is Postgres: they share its processors.
"""

import asyncio
import itertools
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import psycopg
from measure import GIT, Row, median, percentile, timed

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
REMOTE_SESSIONS, PARCELS = 25, 20  # so many iterations each
HOPS = 15  # answers on one machine that another goes on with
OVERHEAD = 20  # iterations, each on another machine than the one before
MOST_ANSWER_MS = 300.0  # from an answer to the next iteration's begin, and to the next child on another machine
CHILD = """
head -c 3000 /dev/urandom | base64 >> notes-$((SAMOLOOP_ITERATION % 10)).md
head -c 1500 /dev/urandom | base64 > "$SAMOLOOP_WORKTREE/code-$((SAMOLOOP_ITERATION % 40)).txt"
signal '{"status": "continue", "phase": "investigation"}'
"""
ASKS = """
[ -z "$SAMOLOOP_ITERATION" ] || date +%s.%N >> "$(dirname "$0")/times"
case $SAMOLOOP_PHASE in
investigation) echo x > 11-21-0900-dive-x.md; next requirements;;
*) sleep 0.3; rm -f _qa.md; ask "Question $SAMOLOOP_ITERATION?";;
esac
"""  # a child looks at the clock first, and waits until somebody has seen what was placed
# Steps on the way to it, as the database's log tells them.
_STEPS = re.compile(
    r"^(\d+\.\d+) LOG:  [^:]+: \s*(INSERT INTO samoloop_sessions|SELECT id, status, task_name|"
    r"UPDATE samoloop_sessions s SET machine)",
    re.M,
)


def rows(folder: Path) -> list[Row]:
    sys.path[:0] = [str(TESTS), str(TESTS / "fleet")]
    with Postgres(settings=("log_statement=all",)) as server, Database(server.url, "bench", 10) as database:
        database.init()
        found = [*_throughput(server, database), *_gates(server, database), *_answers(server, database)]
        found += _idle(server)
    return [*found, *_hops(folder / "hops"), *_overhead(folder / "overhead"), *_remote(folder / "remote")]


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
    """At idle workers, with all those gates: from the row that an answer makes due to the iteration's begin."""
    gates = itertools.count()
    for workers in WORKERS:
        with _at_work(server.url, workers, last=3) as started:
            said = [one.stdout for one in started if one.stdout]
            found = []
            for _ in range(ANSWERS):
                asked = time.time()
                database.put(_session(f"gate-{next(gates)}", 2))
                [first, *_], _, _ = select.select(said, [], [], 60)
                found.append((float(first.readline()) - asked) * 1000)
        yield Row(
            f"fleet: answer to begin, {workers} workers",
            f"median {median(found):.0f} ms, 95 % {percentile(found, 0.95):.0f} ms",
            f"{MOST_ANSWER_MS:.0f} ms",
            median(found) < MOST_ANSWER_MS,
        )


def _hops(folder: Path) -> Iterator[Row]:
    """From a saved answer to the next child on another machine, by the commands that people type."""
    from at_work import hosts, waits
    from kit import until
    from test_people import gate_is_here

    folder.mkdir()
    parts: list[tuple[float, ...]] = []
    with (
        Postgres(settings=("log_statement=all", "log_line_prefix=%n ")) as server,
        hosts(folder, server.url, ASKS, "ann", "ben", lease_seconds=30) as (ann, ben),
    ):
        ann.start("--providers", "demo")  # it looks on
        ben.start()
        ann.say("run", "Ask", "--session", "x", "--fleet")
        times = folder / "times"
        for count in range(2, 2 + HOPS):
            until(lambda: waits(ann, "x") and gate_is_here(ann, "x"))
            answered = ann.stamp_answer("x")
            until(lambda count=count: len(times.read_text().split()) > count)
            began = float(times.read_text().split()[count])
            [mark] = (ben.home / "state" / "samoloop" / "control").glob("*x-*/_fleet")
            said = [(float(at), what) for at, what in _STEPS.findall(server.log.read_text(errors="replace"))]
            given = next(at for at, what in said if at > answered and what.startswith("INSERT"))
            taken = next(at for at, what in said if at > given and what.startswith("SELECT"))
            begun = next(at for at, what in said if at > given and what.startswith("UPDATE"))
            ends = (answered, given, taken, max(begun, mark.stat().st_mtime), began)
            parts.append(tuple((end - begin) * 1000 for begin, end in itertools.pairwise(ends)))
        floor = _git_alone(ann.root, ben.root)
    whole = [sum(each) for each in parts]
    yield Row(
        "fleet: answer to the next child on another machine",
        f"median {median(whole):.0f} ms, 95 % {percentile(whole, 0.95):.0f} ms",
        f"{MOST_ANSWER_MS:.0f} ms",
        median(whole) < MOST_ANSWER_MS,
    )
    named = zip(("pack and push", "hand out", "fetch and place", "start"), zip(*parts, strict=True), strict=True)
    yield Row("fleet: its parts", ", ".join(f"{name} {median(each):.0f} ms" for name, each in named))
    yield Row("fleet: `git push` and `git fetch` of a commit alone", f"{floor:.0f} ms")


def _git_alone(one: Path, other: Path) -> float:
    """What git itself takes to bring a commit from one clone to another, in milliseconds."""

    def bring() -> None:
        made = [*GIT, "commit-tree", "-m", str(time.time()), "HEAD^{tree}"]
        oid = subprocess.run(made, cwd=one, capture_output=True, text=True, check=True).stdout.strip()
        subprocess.run([*GIT, "push", "--quiet", "origin", f"{oid}:refs/bench/x", "--force"], cwd=one, check=True)
        subprocess.run([*GIT, "fetch", "--quiet", "origin", "+refs/bench/x:refs/bench/x"], cwd=other, check=True)

    return median(timed(bring, 10))


def _overhead(folder: Path) -> Iterator[Row]:
    """What an iteration costs beside itself when each is another machine's, with a child that does next to nothing."""
    from machines import make_fleet

    from samoloop.fleet.parcel import Kind

    folder.mkdir()
    one, other = make_fleet(folder, CHILD, ceilings={"iterations": "off"})
    session = one.hand_in()
    took: dict[str, list[float]] = {"iteration": [], "push": [], "fetch": [], "place": []}
    for _ in range(OVERHEAD):
        steps: dict[str, Callable[[], object]] = {
            "iteration": partial(one.iterate, session),
            "push": partial(one.send, session, Kind.ITERATION),
            "fetch": partial(other.fetch, session.name),
            "place": partial(other.place, session.name),  # fetches what is there by now
        }
        for what, step in steps.items():
            took[what] += timed(step, 1)
        one, other, session = other, one, other.session(session.name)
    each = {what: median(found[2:]) for what, found in took.items()}  # the first on each machine makes its worktree
    yield Row("fleet: an iteration, as on one machine", f"{each['iteration']:.0f} ms")
    yield Row("fleet: what is added to it: packed and pushed", f"{each['push']:.0f} ms")
    yield Row(
        "fleet: and where another machine has it next: fetched, placed",
        f"{each['fetch']:.0f} ms, {each['place'] - each['fetch']:.0f} ms",
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
    """Real iterations, each with 4 kB of notes and 2 kB of code that do not compress. The remote packs nothing by
    itself meanwhile, as it would once there are 6,700 loose objects.
    """
    from machines import make_fleet

    from samoloop.fleet.parcel import Kind

    folder.mkdir()
    machine, _ = make_fleet(folder, CHILD, ceilings={"iterations": "off"})
    remote = folder / "remote.git"
    subprocess.run(["git", "-C", str(remote), "config", "gc.auto", "0"], check=True)
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
        f"fleet: the remote after 10,000 iterations, reckoned from these {len(packed)}",
        f"{each * 1e4 / 1e6:.0f} MB; {after * 1e4 / 1e6:.0f} MB after `git gc`",
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
