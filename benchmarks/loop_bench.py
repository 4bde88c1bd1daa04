"""What the loop costs on top of the child: one iteration, the gap between two children, growth over time."""

import json
import os
import subprocess
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from measure import Row, median, program, project, timed

from samoloop.api.asked import How, Order
from samoloop.api.assembly import assembled
from samoloop.api.hand_off import hand_off
from samoloop.api.settings import settings_of
from samoloop.children import wrapper
from samoloop.children.processes import become_subreaper
from samoloop.children.stop import StopRequest
from samoloop.worker import iteration, loop
from samoloop.worker.view import Quiet
from samoloop.worker.worker import Worker

SIGNAL = '{"status": "continue", "phase": "work"}'
TINY = f"printf '{SIGNAL}' > \"$SAMOLOOP_SIGNAL\""
ROUNDS = 60


PHASES = {
    "init": "---\nname: init\nchild: false\n---\n",
    "work": "---\nname: work\nmax_iterations: 1000000\nsignals: [continue, done]\n---\nWork.\n",
}
_OPEN = ExitStack()  # the workers, until the program ends


def lay_out(folder: Path, body: str, *, commit: bool, iterations: int | None = None) -> Path:
    """A project whose one phase never ends, or ends at that many iterations."""
    root = project(folder)
    child = program(folder / "child.sh", body)
    own = root / ".samoloop"
    (own / "workflows").mkdir(parents=True)
    for name, text in PHASES.items():
        (own / f"{name}.md").write_text(text)
    (own / "workflows" / "bench.yaml").write_text("name: bench\nphases: [init, work]\n")
    settings = {
        "provider": "tiny",
        "providers": {"tiny": {"command": [str(child)]}},
        "workflow": "bench",
        "commit": commit,
        **({"ceilings": {"iterations": iterations}} if iterations else {}),
    }
    (root / ".samoloop.yaml").write_text(json.dumps(settings))
    return root


def make_worker(folder: Path, body: str, commit: bool) -> Worker:
    """A worker on a prepared session of such a project."""
    root = lay_out(folder, body, commit=commit)
    environ = {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": "", "XDG_STATE_HOME": ""}
    session = hand_off(Order(root, "Bench"), environ)
    made = _OPEN.enter_context(
        assembled(session, settings_of(session, environ), How(), environ=environ, stop=StopRequest(), view=Quiet())
    )
    become_subreaper()  # as every worker does
    loop.wake_up(made)
    return made


def fsyncs_of(run: Worker) -> int:
    """How many fsyncs an iteration makes that is not the first."""
    iteration.step(run)
    real, count = os.fsync, 0

    def counted(descriptor: int) -> None:
        nonlocal count
        count += 1
        real(descriptor)

    os.fsync = counted
    try:
        iteration.step(run)
    finally:
        os.fsync = real
    return count


def sh_loop(folder: Path, rounds: int, wrapped: bool) -> float:
    """Milliseconds a round of the same child in a bare `sh` loop, under the worker's own wrapper where asked."""
    tiny = program(folder / "child.sh", TINY)
    start = (
        f"sh -c '{wrapper.SCRIPT}' {folder}/log 3 4 {tiny} 3>{folder}/out 4>{folder}/err >{folder}/exit 2>{folder}/pid"
        if wrapped
        else str(tiny)
    )
    script = f"n=0; while [ $n -lt {rounds} ]; do {start}; n=$((n+1)); done"
    begin = time.perf_counter()
    environ = {**os.environ, "SAMOLOOP_SIGNAL": str(folder / "signal")}
    subprocess.run(["sh", "-c", script], env=environ, check=True, stdin=subprocess.DEVNULL)
    return (time.perf_counter() - begin) * 1000 / rounds


def one_fsync(folder: Path) -> float:
    """Milliseconds to append a line to a file and fsync it."""
    descriptor = os.open(folder / "synced", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def append() -> None:
        os.write(descriptor, b"x" * 400)
        os.fsync(descriptor)

    times = timed(append, 50)
    os.close(descriptor)
    return median(times)


def per_iteration(folder: Path) -> list[Row]:
    """One iteration against the floor, in turns, so that a noisy machine disturbs both alike."""
    run = make_worker(folder / "off", TINY, commit=False)
    kept = make_worker(folder / "on", TINY, commit=True)
    count = fsyncs_of(run)
    ours, floors, bares, commits = [], [], [], []
    for round in range(12):
        place = folder / f"floor{round}"
        place.mkdir()
        floors.append(sh_loop(place, 20, wrapped=True) + count * one_fsync(place))
        bares.append(sh_loop(place, 20, wrapped=False))
        ours.append(median(timed(lambda: iteration.step(run), 20)))
        commits.append(median(timed(lambda: iteration.step(kept), 10)))
    ratio = median([a / b for a, b in zip(ours, floors, strict=True)])
    plain = median([a / b for a, b in zip(ours, bares, strict=True)])
    more = median([a - b for a, b in zip(commits, ours, strict=True)])
    return [
        Row("bare sh loop, a child that only writes its signal", f"{median(bares):.1f} ms"),
        Row(f"floor: the same with our wrapper and {count} fsyncs", f"{median(floors):.1f} ms"),
        Row(
            "one iteration, journal fsynced, commits off",
            f"{median(ours):.1f} ms = {ratio:.2f} × floor, {plain:.1f} × bare",
            "≤ 3 × floor",
            ratio <= 3,
        ),
        Row("commit and checkpoint of a small repository, on top", f"{more:.1f} ms", "≤ 25 ms", more <= 25),
    ]


def gap(folder: Path) -> list[Row]:
    """From the end of one child of 200 ms to the start of the next, by the times of the wrapper's own files."""
    run = make_worker(folder, f"sleep 0.2\n{TINY}", commit=False)
    for _ in range(25):
        iteration.step(run)
    logs = run.session.logs
    ends = [path.stat().st_mtime_ns for path in sorted(logs.glob("*.exit"))]
    starts = [path.stat().st_mtime_ns for path in sorted(logs.glob("*.pid"))]
    gaps = [(start - end) / 1e6 for end, start in zip(ends, starts[1:], strict=False)]
    return [Row("end of a 200 ms child to the start of the next", f"{median(gaps):.1f} ms", "< 6 ms", median(gaps) < 6)]


def growth(folder: Path) -> list[Row]:
    """Iteration 1,000 against iteration 10, measured on two sessions in turns."""
    old = make_worker(folder / "old", TINY, commit=False)
    timed(lambda: iteration.step(old), 960)
    ratios = []
    for round in range(8):
        early = make_worker(folder / f"early{round}", TINY, commit=False)
        first = partial(iteration.step, early)
        timed(first, 5)
        ratios.append(median(timed(lambda: iteration.step(old), 10)) / median(timed(first, 10)))
    return [Row("iteration 1,000 against iteration 10", f"{median(ratios):.2f} ×", "≤ 1.2 ×", median(ratios) <= 1.2)]


def rows(folder: Path) -> list[Row]:
    return [*per_iteration(folder / "one"), *gap(folder / "gap"), *growth(folder / "growth")]
