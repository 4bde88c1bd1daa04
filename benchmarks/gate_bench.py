"""From an answer to the next child's start, and what waiting costs."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from measure import Row, cpu_seconds, median, percentile, program, project

from samoloop.core import gates
from samoloop.core.session import Session, all_sessions

ASKS_AGAIN = """
cat > /dev/null
cd "$SAMOLOOP_SESSION_DIR"
case $SAMOLOOP_PHASE in
investigation) echo "What was seen." > 11-21-0900-dive-x.md
   printf '{"status": "continue", "phase": "requirements"}' > s;;
*) printf '### Q%s: Which?\\n**Answer:** _waiting_\\n' "$SAMOLOOP_ITERATION" > _qa.md
   printf '{"status": "waiting", "for": "qa_answers"}' > s;;
esac
mv s _signal.json
"""
ROUNDS = 60
LONGEST_SECONDS = 30.0  # until a gate opens


def start_waiting(folder: Path) -> tuple["subprocess.Popen[bytes]", Session]:
    """A real worker that waits for an answer, again and again."""
    root = project(folder)
    child = program(folder / "child.sh", ASKS_AGAIN)
    (root / ".samoloop").mkdir()
    text = (Path(__file__).parents[1] / "phase_prompts" / "requirements.md").read_text()
    text = text.replace("max_iterations: 10", "max_iterations: 1000")
    (root / ".samoloop" / "requirements.md").write_text(text)
    settings = {
        "provider": "asker",
        "providers": {"asker": {"command": [str(child)]}},
        "ceilings": {"iterations": 1000},
    }
    (root / ".samoloop.yaml").write_text(json.dumps(settings))
    environ = {**os.environ, "HOME": str(folder)}
    process = subprocess.Popen(
        [sys.executable, "-m", "samoloop", "run", "Ask"], cwd=root, env=environ, stdout=subprocess.DEVNULL
    )
    while not (sessions := all_sessions(root / "_sessions")):
        time.sleep(0.02)
    return process, sessions[0]


def open_gate(session: Session, before: str) -> Session:
    """The session as it is once a gate other than `before` is open. Raises TimeoutError where none opens."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline:
        found = Session(session.dir)
        gate = found.state().gate if found.journal.path.exists() else None
        if gate is not None and gate.shown and gate.id != before:
            return found
        time.sleep(0.01)
    raise TimeoutError(f"no gate opened: {found.state().reason}")


def answer_to_child(session: Session, by_editor: bool, before: str) -> tuple[float, str]:
    """Milliseconds from the answer to the start of the next child, by the time of the wrapper's own file."""
    found = open_gate(session, before)
    state = found.state()
    assert state.gate is not None
    time.sleep(0.1)  # the worker has settled into its wait
    following = found.stem(state.iteration + 1, state.phase, 1)
    pid_file = following.with_name(following.name + ".pid")
    path = found.dir / "_qa.md"
    begin = time.time_ns()
    if by_editor:
        path.write_text(path.read_text().replace("_waiting_", "yes"))
    else:
        gates.answer(found.dir, state.gate, {state.gate.questions[0]: "yes"}, "bench")
        begin = path.stat().st_mtime_ns
    while not pid_file.exists():
        time.sleep(0.002)
    return (pid_file.stat().st_mtime_ns - begin) / 1e6, state.gate.id


def rows(folder: Path) -> list[Row]:
    process, session = start_waiting(folder)
    try:
        times, gate = [], ""
        for _ in range(ROUNDS):
            spent, gate = answer_to_child(session, False, gate)
            times.append(spent)
        saves = []
        for _ in range(5):
            spent, gate = answer_to_child(session, True, gate)
            saves.append(spent)
        open_gate(session, gate)
        time.sleep(0.5)
        before = cpu_seconds(process.pid)
        time.sleep(60)
        idle = round(cpu_seconds(process.pid) - before, 3)  # whole ticks
    finally:
        process.terminate()
        process.wait()
    tail = percentile(times, 0.99)
    return [
        Row(
            "answer by command to next child started, median", f"{median(times):.1f} ms", "< 20 ms", median(times) < 20
        ),
        Row("the same, 99 %", f"{tail:.1f} ms", "< 100 ms", tail < 100),
        Row(
            "plain editor save to next child started",
            f"{median(saves):.0f} ms",
            "the quiet second, + 50 ms",
            median(saves) < 1050,
        ),
        Row(
            "CPU time of a waiting worker in a minute", f"{idle * 1000:.0f} ms", "does not show (≤ 20 ms)", idle <= 0.02
        ),
    ]
