"""What an iteration takes of the machine, counted in the real command: times differ by the machine, counts do not."""

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "commit", "fsyncs", "processes", "opens"),
    [
        pytest.param("SAME", False, 4, 1, 73, id="commits off"),
        pytest.param("NOTE", True, 8, 3, 108, id="the code as it was"),
        pytest.param("FILE", True, 8, 6, 118, id="one file changed"),
    ],
)
def test_an_iteration_takes_no_more_than_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, commit: bool, fsyncs: int, processes: int, opens: int
):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    whole = __import__("whole_bench")
    used = whole.per_iteration(tmp_path, getattr(whole, body), commit=commit, few=3, many=9)
    sys.modules.pop("whole_bench")
    assert (used.fsyncs, used.processes) == (fsyncs, processes)
    assert used.opens <= opens
    assert used.proc < 20  # its own and its child's; a look at the whole machine takes hundreds


@pytest.mark.slow
def test_a_run_of_one_iteration_takes_no_more_than_it_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """From the command to its first child, and from that to the end."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    whole = __import__("whole_bench")
    _, used = whole.one_run(tmp_path, whole.FILE, 1, commit=True)
    sys.modules.pop("whole_bench")
    assert (used["processes"], used["fsyncs"]) == (23, 50)
