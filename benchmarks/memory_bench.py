"""What a flood of output costs the worker, what it holds while a child runs, and how fast the commands start."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from measure import Row, cpu_seconds, median, program, project, resident_kb, timed

from samoloop.core.session import Session, all_sessions

LINES = "yes 'a line of output that a busy tool might print, again and again, without an end' | head -c 1000000000"
ONE_LINE = "head -c 1000000000 /dev/zero | tr '\\0' 'x'"
SIGNAL = 'printf \'{"status": "blocked", "reason": "bench"}\' > "$SAMOLOOP_SIGNAL"'


def running(folder: Path, body: str) -> tuple["subprocess.Popen[bytes]", Session]:
    """A real worker with this child."""
    root = project(folder)
    child = program(folder / "child.sh", f"cat > /dev/null\n{body}")
    settings = {"provider": "flood", "providers": {"flood": {"command": [str(child)]}}}
    (root / ".samoloop.yaml").write_text(json.dumps(settings))
    environ = dict(os.environ)
    process = subprocess.Popen(
        [sys.executable, "-m", "samoloop", "run", "Flood", "--no-wait"],
        cwd=root,
        env=environ,
        stdout=subprocess.DEVNULL,
    )
    while not (sessions := all_sessions(root / "_sessions")) or not list(sessions[0].logs.glob("*.pid")):
        time.sleep(0.01)
    return process, sessions[0]


def flood(folder: Path, what: str, name: str) -> list[Row]:
    """A child that waits until the worker has settled, then prints 1 GB."""
    go, done = folder / "go", folder / "done"
    body = (
        f"until [ -e {go} ]; do sleep 0.05; done\ndate +%s.%N\n{what}\ndate +%s.%N >&2\ntouch {done}\nsleep 1\n{SIGNAL}"
    )
    process, session = running(folder, body)
    time.sleep(1.5)
    memory, cpu = resident_kb(process.pid), cpu_seconds(process.pid)
    begin = time.perf_counter()
    go.touch()
    peak = memory
    while not done.exists():
        peak = max(peak, resident_kb(process.pid))
        time.sleep(0.02)
    spent = time.perf_counter() - begin
    time.sleep(0.6)
    used = cpu_seconds(process.pid) - cpu
    process.wait()
    grown = (peak - memory) / 1024
    begin = time.perf_counter()
    with (folder / "plain").open("wb") as plain:
        subprocess.run(["sh", "-c", what], stdout=plain, check=True)
    alone = time.perf_counter() - begin
    for path in (folder / "plain", *session.logs.glob("*.jsonl")):
        path.unlink()
    return [
        Row(f"worker's memory while a child prints {name}", f"+{grown:.1f} MB", "< 5 MB", grown < 5),
        Row("  its CPU time for that", f"{used:.2f} s", "< 0.2 s", used < 0.2),
        Row("  the child's time, against printing to a file alone", f"{spent / alone:.2f} ×"),
    ]


def resident(folder: Path) -> list[Row]:
    process, _ = running(folder, f"sleep 3\n{SIGNAL}")
    time.sleep(1.5)
    held = resident_kb(process.pid) / 1024
    process.wait()
    return [Row("worker holding a running child, resident", f"{held:.1f} MB", "≤ 35 MB", held <= 35)]


def long_session(folder: Path) -> Path:
    """A project with a session of 1,000 iterations, by its journal."""
    root = project(folder)
    process, session = running(folder / "short", SIGNAL)
    process.wait()
    events = [json.loads(line) for line in session.journal.path.read_text().splitlines()]
    started = next(event for event in events if event["event"] == "started")
    ended = next(event for event in events if event["event"] == "ended")
    lines = [event for event in events[:2]]
    for number in range(1, 1001):
        decision = {"kind": "continue", "phase": "investigation"}
        lines += [{**started, "iteration": number}, {**ended, "iteration": number, "decision": decision}]
    target = root / "_sessions" / session.name
    target.mkdir(parents=True)
    (target / "_logs").mkdir()
    (target / "_history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return root


def commands(folder: Path) -> list[Row]:
    """`--help` and `status` against the floor of importing click, in turns."""
    root = long_session(folder)
    name = next((root / "_sessions").glob("*/_history.jsonl")).parent.name

    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environ["PYTHONPYCACHEPREFIX"] = str(folder / "pycache")  # compiled once, as for an installed package

    def run(*argv: str) -> None:
        subprocess.run([sys.executable, *argv], cwd=root, env=environ, stdout=subprocess.DEVNULL, check=True)

    run("-m", "samoloop", "status", name)

    floors, helps, states = [], [], []
    for _ in range(15):
        floors += timed(lambda: run("-c", "import click"), 1)
        helps += timed(lambda: run("-m", "samoloop", "--help"), 1)
        states += timed(lambda: run("-m", "samoloop", "status", name), 1)
    help_ratio = median([a / b for a, b in zip(helps, floors, strict=True)])
    status_ratio = median([a / b for a, b in zip(states, helps, strict=True)])
    return [
        Row("floor: python -c 'import click'", f"{median(floors):.0f} ms"),
        Row(
            "samoloop --help", f"{median(helps):.0f} ms = {help_ratio:.2f} × floor", "≤ 1.5 × floor", help_ratio <= 1.5
        ),
        Row(
            "samoloop status, 1,000 iterations",
            f"{median(states):.0f} ms = {status_ratio:.2f} × --help",
            "≤ 1.5 × --help",
            status_ratio <= 1.5,
        ),
    ]


def rows(folder: Path) -> list[Row]:
    found = []
    for name, what, words in (("lines", LINES, "1 GB in lines"), ("one", ONE_LINE, "1 GB as one line")):
        (folder / name).mkdir(parents=True)
        found += flood(folder / name, what, words)
    return [*found, *resident(folder / "resident"), *commands(folder / "commands")]
