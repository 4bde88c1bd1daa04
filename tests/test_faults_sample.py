"""The fault harness itself: some faults are run through it, and what it looks for it finds. `make faults` has all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc"),
]
HARNESS = Path(__file__).parent / "faults"


def run(tmp_path: Path, *words: str) -> tuple[int, str]:
    command = [sys.executable, str(HARNESS), "--jobs", "1", "--folder", str(tmp_path), *words]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), timeout=50)
    return done.returncode, done.stdout + done.stderr


def test_faults_are_counted_and_survived(tmp_path: Path) -> None:
    code, said = run(tmp_path, "--only", "point/after record gate_opened")
    assert (code, said.strip().splitlines()[-1]) == (0, "violations: 0 of 2 faults"), said
    assert "| after record gate_opened |  |  |  | 1 |  | 1 |  |  |  |  | 2 ok |" in said


def test_a_power_cut_loses_nothing_that_was_recorded(tmp_path: Path) -> None:
    code, said = run(tmp_path, "--only", "power/after record gate_closed")
    assert (code, said.strip().splitlines()[-1]) == (0, "violations: 0 of 2 faults"), said


def test_every_way_to_spoil_a_session_is_seen(tmp_path: Path) -> None:
    code, said = run(tmp_path, "--prove")
    assert (code, said.strip()) == (0, "unseen: 0 of 11 spoiled sessions"), said
