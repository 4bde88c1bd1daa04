"""What follows from the runs of a check: one table. No false veto comes first."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from samoloop.checks.examining import Examination
from samoloop.checks.judging import Rules, Runs, judge
from samoloop.checks.receipts import Kind, Outcome, Receipt
from samoloop.checks.results import Counted
from samoloop.checks.running import Ran, understand

PASSED, FAILED, UNCOUNTED, UNVERIFIED = Outcome


def run(outcome: Outcome, *failing: str, failed: int | None = None, named: bool = True, exit: int = 1) -> Receipt:
    return Receipt(
        check="tests",
        kind=Kind.NOW,
        tree="t",
        outcome=outcome,
        passed=3 if outcome is PASSED else 0,
        failed=len(failing) if failed is None else failed,
        names={"failed": failing},
        named=named,
        exit=0 if outcome is PASSED else exit,
        said=str(outcome),
    )


GREEN = run(PASSED)
# now, at the base, old tests, new tests -> the verdict
TABLE = {
    "green": (Runs(GREEN), "green"),
    "green, and red before": (Runs(GREEN, run(FAILED, "a")), "green"),
    "red, and green before": (Runs(run(FAILED, "a"), GREEN), "veto"),
    "red without numbers, and green before": (Runs(run(FAILED), GREEN), "veto"),
    "the same test was red before": (Runs(run(FAILED, "a"), run(FAILED, "a", "b")), "red before"),
    "another test was red before": (Runs(run(FAILED, "a", "c"), run(FAILED, "a", "b")), "veto"),
    "red before, and nobody knows which": (
        Runs(run(FAILED, failed=2, named=False), run(FAILED, failed=1, named=False)), "red before",
    ),
    "red now without numbers, red before": (Runs(run(FAILED), run(FAILED, "a")), "red before"),
    "no test ran, and some did before": (Runs(run(UNCOUNTED, exit=5), GREEN), "veto"),
    "no test ran, now and before": (Runs(run(UNCOUNTED, exit=5), run(UNCOUNTED, exit=5)), "uncounted"),
    "tests fail where there were none": (Runs(run(FAILED, "a"), run(UNCOUNTED, exit=5)), "veto"),
    "a lint that was clean": (Runs(run(FAILED), run(UNCOUNTED, exit=0)), "veto"),
    "it broke where nothing ran before": (Runs(run(FAILED), run(UNCOUNTED, exit=5)), "unverified"),
    "it cannot be run, and could before": (Runs(run(UNVERIFIED), GREEN), "veto"),
    "it cannot be run, now and before": (Runs(run(UNVERIFIED), run(UNVERIFIED)), "unverified"),
    "red, and the base is not known": (Runs(run(FAILED, "a"), run(UNVERIFIED)), "unverified"),
    "old tests fail": (Runs(GREEN, GREEN, old_tests=run(FAILED, "a")), "veto"),
    "old tests fail that the plan lists": (Runs(GREEN, GREEN, old_tests=run(FAILED, "listed")), "green"),
    "old tests fail that failed before": (Runs(GREEN, run(FAILED, "a"), old_tests=run(FAILED, "a")), "green"),
    "old tests fail, and nobody knows which failed before": (
        Runs(GREEN, run(FAILED, failed=1, named=False), old_tests=run(FAILED, "a")), "green",
    ),
    "old tests fail without a name": (Runs(GREEN, GREEN, old_tests=run(FAILED, failed=1, named=False)), "veto"),
    "old tests cannot be run": (Runs(GREEN, GREEN, old_tests=run(UNVERIFIED)), "green"),
    "new tests fail on the old code": (Runs(GREEN, GREEN, new_tests=run(FAILED, "new")), "green"),
    "new tests prove nothing": (Runs(GREEN, GREEN, new_tests=GREEN), "veto"),
    "new tests cannot be run on the old code": (Runs(GREEN, GREEN, new_tests=run(UNVERIFIED)), "green"),
    "only what was red before fails on the old code": (
        Runs(GREEN, run(FAILED, "a"), new_tests=run(FAILED, "a")), "veto",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_verdicts(name):
    runs, wanted = TABLE[name]
    found = judge(runs, Rules("veto", new_tests_veto=True, excused=lambda test: test == "listed"))
    assert (found.verdict, found.veto) == (wanted, wanted == "veto")


def test_what_speaks_against_it_elsewhere_is_a_note():
    """A person let the old tests pass; and only where a fault is mended a test has to show it."""
    found = judge(Runs(GREEN, GREEN, run(FAILED, "a"), GREEN), Rules("green", new_tests_veto=False))
    assert found.verdict == "green"
    assert len(found.notes) == 2


def test_where_nobody_approved_it_a_rewritten_test_refuses_nothing_and_is_not_green():
    found = judge(Runs(GREEN, GREEN, run(FAILED, "a")), Rules("old tests rewritten", new_tests_veto=False))
    assert (found.verdict, found.veto, found.notes) == ("old tests rewritten", False, ())
    assert "fail on the new code: a. They were changed or removed, and nobody approved that" in found.said


def test_a_sentence_names_the_tests_but_not_a_thousand():
    old = run(FAILED, *(f"test_{n}" for n in range(1000)))
    found = judge(Runs(GREEN, GREEN, old), Rules("veto", new_tests_veto=False))
    assert "test_1" in found.said and "995 more" in found.said
    assert len(found.said) < 1000


def ran(outcome: Outcome, why: str = "") -> Ran:
    return Ran(outcome, Counted(), None, 0.1, why, Path("log"))


LOST = ran(*understand(None, Counted(), ""))
KILLED = ran(*understand(-9, Counted(), ""))
WELL, BADLY = ran(Outcome.PASSED), ran(Outcome.FAILED)


@pytest.mark.parametrize(
    ("runs", "believed", "flaky"),
    [
        ([WELL], WELL, False),
        ([LOST, WELL], WELL, False),  # something ended it from outside: that says nothing of the tree
        ([LOST, BADLY, BADLY], BADLY, False),
        ([LOST, LOST, WELL], WELL, False),
        ([LOST, LOST, LOST], LOST, False),
        ([KILLED, WELL], WELL, False),
        ([KILLED, KILLED, KILLED, KILLED], KILLED, False),
        ([BADLY, WELL], BADLY, True),
    ],
)
def test_what_was_ended_from_outside_runs_again_and_so_does_what_failed(runs: list[Ran], believed: Ran, flaky: bool):
    left = iter(runs)
    examination = SimpleNamespace(_ran=lambda *_: (next(left), "copy"))
    assert Examination._tried(examination, None, Kind.NOW, None) == (believed, "copy", flaky)  # type: ignore[arg-type]
    assert next(left, None) is None
