"""A suite that takes long is run at the base while the first children work: whole sessions of the real command."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import kit
import pytest
from lab import PATH, PYTHON, Lab, child

from samoloop.checks import copies
from samoloop.core.decision import Condition

pytestmark = pytest.mark.skipif(not copies.can_be_made(), reason="no bubblewrap that makes copies")

BREAK = "sed -i 's/a + b/a - b/' calc.py"
GROW = "echo 'def one(): return 1' >> calc.py"
# The real command, but for what counts as slow.
COMMAND = (
    "import sys; from samoloop.checks import examining; examining.QUICK_SECONDS = 0.2\n"
    "from samoloop.ui.cli import main; main(sys.argv[1:])"
)
RUN = ("run", "Do it", "--workflow", "exec", "--yes", "--no-wait")
RESUME = ("resume", "--yes", "--no-wait")


@pytest.fixture(autouse=True)
def reach(tmp_path, monkeypatch):
    """A person lets all boxes write where the tests look."""
    (tmp_path / "config" / "samoloop").mkdir(parents=True)
    (tmp_path / "config" / "samoloop" / "config.yaml").write_text(json.dumps({"sandbox": {"write": [str(tmp_path)]}}))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


class Slow:
    """A project whose suite waits for the file `go`, and tells by others who runs it and whether two do."""

    def __init__(self, folder: Path, work: str, **more: object) -> None:
        self.at, self.go, self.two, self.child_at = (folder / name for name in ("at", "go", "two", "child"))
        suite = (
            f"exec 9>{folder}/busy; flock -n 9 || touch {self.two}; "
            f"echo $$ > {self.at}; while [ ! -e {self.go} ]; do sleep 0.02; done; "
            "python3 -m unittest discover -v -s tests"
        )
        settings = {"checks": {"tests": {"command": suite, **more}}}
        self.lab = Lab.of(folder, PYTHON, child(f"touch {self.child_at}; {work}"), settings)
        self.output = folder / "output"
        self.command = folder / "samoloop"
        self.command.write_text(COMMAND)

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        with self.output.open("wb") as output:
            return subprocess.Popen(
                [sys.executable, self.command, *words],
                cwd=self.lab.root,
                env={**os.environ, "PATH": PATH},
                stdout=output,
                stderr=output,
            )

    def run(self, *words: str) -> int:
        return self.start(*words).wait(60)

    @property
    def said(self) -> str:
        return self.output.read_text()

    def is_at_work(self) -> bool:
        """The background's, not the quick look before it."""
        return "while the first children work" in self.said and self.at.exists() and is_alive(self.at)

    @property
    def copies(self) -> list[Path]:
        return list(self.lab.session.worktree.parent.glob(".*-base"))


def is_alive(at: Path) -> bool:
    """Whether a shell of the suite is there; in its box it has another number, so it is found by what it runs."""
    mark = str(at).encode()
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"sh", b"-c"] and mark in words[2]:
            return True
    return False


@pytest.mark.parametrize("mode", ["auto", "off"])
def test_a_slow_suite_meets_the_base_while_the_first_child_changes_the_code(tmp_path, monkeypatch, mode):
    """What the child changes meanwhile the suite does not see, and what it says of the base holds against the child."""
    monkeypatch.setenv("SAMOLOOP_SANDBOX", mode)
    wait = f"until [ -e {tmp_path}/at ]; do sleep 0.02; done"
    slow = Slow(tmp_path, f"{wait}; {BREAK}; touch {tmp_path}/go")
    assert slow.run(*RUN) == 4, slow.said
    runs = [(run.kind, run.outcome, run.where) for run in slow.lab.runs]
    assert runs[:2] == [("base", "passed", "copy"), ("now", "failed", "copy")], slow.said
    assert slow.lab.verdicts[0].veto and "at the base it was green (1 passed)" in slow.lab.verdicts[0].said
    assert [run.kind for run in slow.lab.runs].count("base") == 1
    assert not slow.two.exists() and slow.copies == [] and not is_alive(slow.at)


def test_whoever_leaves_a_phase_waits_for_what_the_base_says(tmp_path):
    slow = Slow(tmp_path, BREAK)
    worker = slow.start(*RUN)
    kit.until(lambda: "is still at work at the base: waiting for it, 30m 00s in all at most" in slow.said)
    slow.go.touch()
    assert worker.wait(60) == 4
    assert [(run.kind, run.outcome) for run in slow.lab.runs][:2] == [("base", "passed"), ("now", "failed")]
    assert not slow.two.exists()


def test_a_stop_is_heeded_while_one_waits_for_the_base(tmp_path):
    slow = Slow(tmp_path, BREAK)
    worker = slow.start(*RUN)
    kit.until(lambda: "is still at work at the base: waiting for it" in slow.said)
    assert slow.lab.samoloop("stop", "--now").returncode == 0
    worker.wait(60)
    assert slow.lab.state.condition is Condition.STOPPED and not slow.lab.state.failure, slow.said
    assert not is_alive(slow.at) and slow.copies == [] and slow.lab.runs == []


def test_of_two_slow_ones_the_second_runs_after_the_first(tmp_path):
    wait = f"until [ -e {tmp_path}/both ]; do sleep 0.02; done"
    slow = Slow(tmp_path, f"{wait}; {GROW}")
    settings = json.loads((slow.lab.root / ".samoloop.yaml").read_text())
    first = settings["checks"]["tests"]["command"]
    second = f"until [ -e {slow.go} ]; do sleep 0.02; done; {first}; touch {tmp_path}/both"
    settings["checks"]["more"] = {"command": second}
    (slow.lab.root / ".samoloop.yaml").write_text(json.dumps(settings))
    kit.git(slow.lab.root, "commit", "-qam", "Two checks")
    worker = slow.start(*RUN)
    kit.until(lambda: slow.child_at.exists() and slow.is_at_work())
    slow.go.touch()
    assert worker.wait(60) == 0, slow.said
    runs = [(run.check, run.kind, run.outcome) for run in slow.lab.runs]
    assert runs[:2] == [("tests", "base", "passed"), ("more", "base", "passed")], slow.said
    assert not slow.two.exists() and slow.copies == []


def test_one_that_hangs_is_ended_at_its_limit_and_proves_nothing(tmp_path):
    slow = Slow(tmp_path, GROW, limit="1s")
    assert slow.run(*RUN) == 0, slow.said
    base = slow.lab.runs[0]
    assert (base.kind, base.outcome, base.timed_out) == ("base", "unverified", True)
    assert slow.lab.verdicts[-1].verdict == "unverified"
    assert not is_alive(slow.at) and slow.copies == []


def test_a_worker_that_stops_ends_it_and_the_base_is_met_when_that_matters(tmp_path):
    slow = Slow(tmp_path, f"[ -e {tmp_path}/stop ] || {{ touch {tmp_path}/stop; sleep 1000; }}; {BREAK}")
    worker = slow.start(*RUN)
    kit.until(lambda: slow.is_at_work() and (tmp_path / "stop").exists())
    assert slow.lab.samoloop("stop", "--now").returncode == 0
    worker.wait(60)
    assert slow.lab.state.condition is Condition.STOPPED and not slow.lab.state.failure, slow.said
    assert not is_alive(slow.at) and slow.copies == [] and slow.lab.runs == []
    slow.go.touch()
    assert slow.run(*RESUME) == 4, slow.said
    assert [(run.kind, run.outcome) for run in slow.lab.runs][:2] == [("now", "failed"), ("base", "passed")]


def test_one_that_nobody_needs_any_more_is_ended(tmp_path):
    """The child changed nothing, so nothing is checked."""
    slow = Slow(tmp_path, "true")
    assert slow.run(*RUN) == 0, slow.said
    assert slow.lab.state.condition is Condition.DONE
    assert not is_alive(slow.at) and slow.copies == [] and slow.lab.runs == []


@pytest.mark.parametrize("mode", ["auto", "off"])
def test_where_the_worker_is_killed_the_next_one_ends_it_and_there_are_never_two(tmp_path, monkeypatch, mode):
    monkeypatch.setenv("SAMOLOOP_SANDBOX", mode)
    slow = Slow(tmp_path, f"until [ -e {tmp_path}/on ]; do sleep 0.02; done; {BREAK}")
    worker = slow.start(*RUN)
    kit.until(lambda: slow.is_at_work() and slow.child_at.exists())
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    assert is_alive(slow.at) and slow.copies
    (tmp_path / "on").touch()
    worker = slow.start(*RESUME)
    kit.until(lambda: "check tests (now)" in slow.said)
    slow.go.touch()
    assert worker.wait(60) == 4, slow.said
    assert [(run.kind, run.outcome) for run in slow.lab.runs][:2] == [("now", "failed"), ("base", "passed")]
    assert "at the base it was green" in slow.lab.verdicts[0].said
    assert slow.lab.state.totals.iterations >= 1 and not slow.two.exists() and slow.copies == []
    assert not is_alive(slow.at)
