"""What a whole `samoloop run` costs, from outside: per iteration, until its first child, and many at once."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from loop_bench import TINY, lay_out
from measure import Row, cpu_seconds, median, program, resident_kb

from samoloop.api.asked import Order
from samoloop.api.hand_off import hand_off
from samoloop.base import proc
from samoloop.core.session import Session, all_sessions

INSTRUCTED = (3, 8)  # iterations of two runs under valgrind
FEW, MANY = 10, 110  # iterations of two runs: what they differ by is that of 100 iterations
ROUNDS = 5
SESSIONS = 50
WAITED_SECONDS = 20.0
WATCHED = Path(__file__).with_name("watched.py")
ENDS = (0, 3, 4)  # exit codes of a run that came as far as it should: here to its ceiling of iterations

SAME = TINY
NOTE = f'echo $$ > "$SAMOLOOP_SESSION_DIR/note.md"\n{TINY}'  # the code is as it was
FILE = f'echo $$ > "$SAMOLOOP_WORKTREE/hello.txt"\n{TINY}'


@dataclass(frozen=True)
class Used:
    """What one iteration takes, in milliseconds and counts."""

    wall_ms: float
    cpu_ms: float
    fsyncs: float
    processes: float
    opens: float
    proc: float


def one_run(folder: Path, body: str, iterations: int, *, commit: bool) -> tuple[float, dict[str, float]]:
    """Milliseconds of a whole run, and what its worker counted."""
    root = lay_out(folder, body, commit=commit, iterations=iterations)
    command = [sys.executable, str(WATCHED), str(folder / "counts.json"), "run", "Bench", "--no-wait"]
    begin = time.perf_counter()
    environ = {**os.environ, "HOME": str(folder)}
    done = subprocess.run(command, cwd=root, env=environ, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    spent = (time.perf_counter() - begin) * 1000
    if done.returncode not in ENDS or f"{iterations:03d} work" not in done.stdout:
        raise RuntimeError(f"the run ended with {done.returncode}: {done.stdout}{done.stderr}")
    return spent, json.loads((folder / "counts.json").read_text())


def per_iteration(folder: Path, body: str, *, commit: bool, few: int = FEW, many: int = MANY) -> Used:
    """What an iteration adds to a run."""
    short, small = one_run(folder / "few", body, few, commit=commit)
    long, large = one_run(folder / "many", body, many, commit=commit)
    more = many - few
    counted = (
        (large.get(name, 0) - small.get(name, 0)) / more for name in ("cpu_ms", "fsyncs", "processes", "opens", "proc")
    )
    return Used((long - short) / more, *counted)


def instructions(folder: Path, body: str, *, commit: bool) -> float | None:
    """Millions of instructions of the worker in an iteration, the kernel's not among them; None without valgrind."""
    if not shutil.which("valgrind"):
        return None
    counted = []
    for iterations in INSTRUCTED:
        place = folder / str(iterations)
        root = lay_out(place, body, commit=commit, iterations=iterations)
        tool = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
        command = [*tool, sys.executable, str(WATCHED), str(place / "counts.json"), "run", "Bench", "--no-wait"]
        environ = {**os.environ, "HOME": str(place), "PYTHONHASHSEED": "0", "SAMOLOOP_BENCH_NO_PIDFD": "1"}
        done = subprocess.run(command, cwd=root, env=environ, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        found = re.findall(r"I\s+refs:\s+([\d,]+)", done.stderr)
        if f"{iterations:03d} work" not in done.stdout or not found:
            raise RuntimeError(f"valgrind ended with {done.returncode}: {done.stdout}{done.stderr[-2000:]}")
        counted.append(int(found[-1].replace(",", "")))
    return (counted[1] - counted[0]) / (INSTRUCTED[1] - INSTRUCTED[0]) / 1e6


def instructed(folder: Path) -> list[Row]:
    """The figure that does not depend on the machine's other work."""
    found = []
    for name, what, body, commit in (("off", "commits off", SAME, False), ("file", "one file changed", FILE, True)):
        count = instructions(folder / name, body, commit=commit)
        figure = "not measured: there is no valgrind" if count is None else f"{count:.1f} million"
        found.append(Row(f"instructions of the worker in an iteration; {what}", figure))
    return found


def bare(folder: Path, body: str, rounds: int) -> float:
    """Milliseconds to start the child and wait for it, and nothing else."""
    folder.mkdir(parents=True)
    child = str(program(folder / "child.sh", body))
    names = {"SAMOLOOP_SIGNAL": "signal", "SAMOLOOP_SESSION_DIR": ".", "SAMOLOOP_WORKTREE": "."}
    environ = {**os.environ, **{name: str(folder / where) for name, where in names.items()}}
    begin = time.perf_counter()
    for _ in range(rounds):
        os.waitpid(os.posix_spawn(child, [child], environ), 0)
    return (time.perf_counter() - begin) * 1000 / rounds


def bash_loop(folder: Path, body: str, rounds: int) -> float:
    """Milliseconds a round of the loop that people write: prompt in, output into a log, a look at the signal."""
    folder.mkdir(parents=True)
    child = program(folder / "child.sh", body)
    (folder / "prompt.md").write_text("Go on.\n")
    script = (
        f"n=0; while [ $n -lt {rounds} ]; do {child} < prompt.md >> log 2>&1; "
        "read -r said < signal; case $said in *done*) break;; esac; n=$((n+1)); done"
    )
    environ = {**os.environ, "SAMOLOOP_SIGNAL": str(folder / "signal")}
    begin = time.perf_counter()
    subprocess.run(["bash", "-c", script], cwd=folder, env=environ, check=True, stdin=subprocess.DEVNULL)
    return (time.perf_counter() - begin) * 1000 / rounds


def iterations(folder: Path) -> list[Row]:
    kinds = {"off": (SAME, False), "nothing": (NOTE, True), "file": (FILE, True)}
    used: dict[str, list[Used]] = {name: [] for name in kinds}
    bares: dict[str, list[float]] = {name: [] for name in kinds}
    loops = []
    for round in range(ROUNDS):
        for name, (body, commit) in kinds.items():
            place = folder / f"{round}-{name}"
            bares[name].append(bare(place / "bare", body, MANY - FEW))
            used[name].append(per_iteration(place, body, commit=commit))
        loops.append(bash_loop(folder / f"{round}-bash", SAME, MANY - FEW) - bares["off"][-1])
    over = {name: median([a.wall_ms - b for a, b in zip(used[name], bares[name], strict=True)]) for name in kinds}
    loop = median(loops)
    ratio = over["off"] / loop
    cpu = {name: median([one.cpu_ms for one in used[name]]) for name in kinds}
    found = [
        Row("bare child, started and waited for", f"{median(bares['off']):.1f} ms"),
        Row("a bash loop around it, on top", f"{loop:.1f} ms"),
        Row(
            "a whole iteration, on top of the bare child",
            f"{over['off']:.1f} ms = {ratio:.1f} × bash loop",
            "≤ 2.7 × bash loop",
            ratio <= 2.7,
        ),
    ]
    words = {"nothing": "commit and checkpoint, the code as it was", "file": "commit and checkpoint, one file changed"}
    for name, most in (("nothing", 4), ("file", 10)):
        more = over[name] - over["off"]
        found.append(Row(f"  {words[name]}, on top of that", f"{more:.1f} ms", f"≤ {most} ms", more <= most))
    for name, what, most in (("off", "", 1.8), ("file", ", with commit and checkpoint", 6)):
        found.append(
            Row(
                f"CPU time of the worker in an iteration{what}",
                f"{cpu[name]:.1f} ms",
                f"≤ {most} ms",
                cpu[name] <= most,
            )
        )
    for name, what in (("off", "commits off"), ("nothing", "the code as it was"), ("file", "one file changed")):
        one = used[name][-1]
        figures = f"{one.fsyncs:.0f} and git's own, {one.processes:.0f}, {one.opens:.0f}, {one.proc:.0f}"
        found.append(Row(f"syncs, processes, opened files, of them in /proc; {what}", figures))
    return found


def first_child(folder: Path) -> list[Row]:
    """From the command to its first child's start."""
    times = []
    for round in range(ROUNDS):
        root = lay_out(folder / str(round), SAME, commit=False, iterations=1)
        begin = time.time()
        subprocess.run(
            [sys.executable, "-m", "samoloop", "run", "Bench", "--no-wait"], cwd=root, capture_output=True, check=False
        )
        pid = next(all_sessions(root / "_sessions")[0].logs.glob("*.pid"))
        times.append((pid.stat().st_mtime - begin) * 1000)
    taken = median(times)
    return [Row("from the command to its first child", f"{taken:.0f} ms", "≤ 150 ms", taken <= 150)]


def proportional_kb(pid: int) -> int:
    """Memory of a process in kB, of what it shares with others its share: the sum over processes is what they take."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise ValueError(f"no Pss for {pid}")


def held(pids: Sequence[int]) -> tuple[float, float]:
    """MB of processes together: proportional, and resident, which counts what they share as often as there are."""
    return sum(map(proportional_kb, pids)) / 1024, sum(map(resident_kb, pids)) / 1024


def bare_pythons() -> float:
    """MB that as many Python processes take which have loaded nothing."""
    command = [sys.executable, "-c", "print(flush=True); input()"]
    with ExitStack() as open_ones:
        pipe = subprocess.PIPE
        all_of_them = [
            open_ones.enter_context(subprocess.Popen(command, stdin=pipe, stdout=pipe)) for _ in range(SESSIONS)
        ]
        for process in all_of_them:
            assert process.stdout
            process.stdout.readline()
        memory, _ = held([process.pid for process in all_of_them])
        for process in all_of_them:
            process.communicate(b"\n")
    return memory


def at_once(folder: Path) -> list[Row]:
    """Many workers under one `up` that each hold a child which does nothing."""
    root = lay_out(folder, "exec sleep 600", commit=False, iterations=1)
    os.environ.update(HOME=str(folder), XDG_CONFIG_HOME="", XDG_STATE_HOME="")
    for number in range(SESSIONS):
        hand_off(Order(root, "Bench", name=f"s{number}"), os.environ)
    sessions = all_sessions(root / "_sessions")
    command = [sys.executable, "-m", "samoloop", "up", "--jobs", str(SESSIONS)]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL) as up:
        try:
            while not all(list(session.logs.glob("*.pid")) for session in sessions):
                time.sleep(0.1)
            time.sleep(1)
            workers = [_worker_of(session) for session in sessions]
            below = proc.read(f"/proc/{up.pid}/task/{up.pid}/children").split()
            memory, resident = held([up.pid, *map(int, below)])
            taken = median([_start_ms(*pair) for pair in zip(workers, sessions, strict=True)])
            begun = median([cpu_seconds(worker) * 1000 for worker in workers])
            before = sum(map(cpu_seconds, workers))
            time.sleep(WAITED_SECONDS)
            cpu = (sum(map(cpu_seconds, workers)) - before) * 3600 / WAITED_SECONDS / SESSIONS
        finally:
            for _ in range(2):  # the second ends the children
                up.send_signal(signal.SIGINT)
                time.sleep(1)
    return [
        Row(f"floor: {SESSIONS} Python processes that have loaded nothing", f"{bare_pythons():.0f} MB"),
        Row(
            f"{SESSIONS} sessions at once under `up`, memory beyond their children",
            f"{memory:.0f} MB",
            "≤ 400 MB",
            memory <= 400,
        ),
        Row("  the same resident, what they share counted each time", f"{resident:.0f} MB"),
        Row("  from a worker's start to its first child; CPU time of that", f"{taken:.0f} ms; {begun:.0f} ms"),
        Row("  CPU time of each worker in an hour of waiting for its child", f"{cpu:.1f} s"),
    ]


def _worker_of(session: Session) -> int:
    return int((session.control / "_lock").read_text())


def _start_ms(worker: int, session: Session) -> float:
    """From a worker's start to that of its first child, to 10 ms."""
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    started = booted + proc.started_ticks(worker) / os.sysconf("SC_CLK_TCK")
    return (next(session.logs.glob("*.pid")).stat().st_mtime - started) * 1000


def rows(folder: Path) -> list[Row]:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "pycache")  # compiled once, as for an installed package
    return [
        *iterations(folder / "iterations"),
        *instructed(folder / "instructions"),
        *first_child(folder / "first"),
        *at_once(folder / "many"),
    ]
