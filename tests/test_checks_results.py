"""What a run came to, by JUnit files and by the summaries of the known runners: tables."""

import errno
from pathlib import Path

import pytest

from samoloop.base.errors import ProviderError
from samoloop.checks.receipts import Outcome
from samoloop.checks.results import Counted, from_junit, from_output, unable
from samoloop.checks.running import not_run, understand

# What a runner prints -> passed, failed, skipped, the names of the failed ones.
SUMMARIES = {
    "pytest": (
        "..F.\nFAILED tests/test_a.py::test_b - assert 1\n== 1 failed, 3 passed, 2 skipped in 0.12s ==\n",
        (3, 1, 2, ("tests/test_a.py::test_b",)),
    ),
    "pytest -q": ("3 passed in 0.01s\n", (3, 0, 0, ())),
    "pytest, a broken module": ("ERROR tests/test_a.py\n=== 1 error in 0.1s ===\n", (0, 1, 0, ("tests/test_a.py",))),
    "pytest, nothing": ("===== no tests ran in 0.00s =====\n", (0, 0, 0, ())),
    "unittest": (
        "FAIL: test_b (t.T.test_b)\n------\nRan 3 tests in 0.1s\n\nFAILED (failures=1, skipped=1)\n",
        (1, 1, 1, ("test_b (t.T.test_b)",)),
    ),
    "unittest, green": ("Ran 2 tests in 0.000s\n\nOK\n", (2, 0, 0, ())),
    "unittest, nothing": ("Ran 0 tests in 0.000s\n\nNO TESTS RAN\n", (0, 0, 0, ())),
    "jest": ("Tests:       1 failed, 2 passed, 3 total\n", (2, 1, 0, ())),
    "jest, green": ("\x1b[1mTests:\x1b[22m       \x1b[32m5 passed\x1b[39m, 5 total\n", (5, 0, 0, ())),
    "vitest": (" Tests  1 failed | 2 passed | 1 skipped (4)\n", (2, 1, 1, ())),
    "mocha": ("\n  2 passing (5ms)\n  1 pending\n  1 failing\n", (2, 1, 1, ())),
    "node": ("✖ adds (0.5ms)\nℹ tests 2\nℹ pass 1\nℹ fail 1\nℹ cancelled 0\nℹ skipped 0\n", (1, 1, 0, ("adds",))),
    "node, TAP": ("TAP version 13\nnot ok 1 - adds\n1..1\n# pass 0\n# fail 1\n", (0, 1, 0, ("adds",))),
    "TAP": ("1..3\nok 1 - a\nnot ok 2 - b\nok 3 - c # SKIP no\n", (1, 1, 1, ("b",))),
    "ava": ("  3 tests passed\n  1 test failed\n", (3, 1, 0, ())),
    "cargo": (
        "test a::b ... FAILED\ntest result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured\n"
        "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured\n",
        (3, 1, 1, ("a::b",)),
    ),
    "go": ("--- PASS: TestA (0.00s)\n    --- PASS: TestA/x (0.00s)\n--- FAIL: TestB (0.0s)\n", (2, 1, 0, ("TestB",))),
    "go, broken": ("FAIL\texample.org/a [build failed]\n", (0, 1, 0, ("example.org/a",))),
    "maven": ("[ERROR] Tests run: 4, Failures: 1, Errors: 1, Skipped: 1\n", (1, 2, 1, ())),
    ".NET": ("Failed!  - Failed:     1, Passed:     3, Skipped:     1, Total:     5\n", (3, 1, 1, ())),
    "minitest": ("5 runs, 6 assertions, 1 failures, 1 errors, 1 skips\n", (2, 2, 1, ())),
    "rspec": ("4 examples, 1 failure, 1 pending\nrspec ./spec/a_spec.rb:3 # x\n", (2, 1, 1, ("./spec/a_spec.rb:3",))),
    "phpunit": ("OK (3 tests, 4 assertions)\n", (3, 0, 0, ())),
    "phpunit, red": ("Tests: 5, Assertions: 6, Errors: 1, Failures: 1, Skipped: 1.\n", (2, 2, 1, ())),
    "exunit": ("1 doctest, 3 tests, 1 failure, 1 skipped\n", (2, 1, 1, ())),
    "ctest": ("80% tests passed, 1 tests failed out of 5\n", (4, 1, 0, ())),
}  # fmt: skip


@pytest.mark.parametrize("runner", SUMMARIES)
def test_summaries(runner):
    text, (passed, failed, skipped, names) = SUMMARIES[runner]
    found = from_output(text)
    assert found is not None
    assert (found.passed, found.failed, found.skipped) == (passed, failed, skipped)
    assert found.failing == names


@pytest.mark.parametrize("text", ["", "all good\n", "5 passed\n", "I ran 42 tests and all passed", "ok\n", "PASS\n"])
def test_words_that_no_runner_prints_count_nothing(text):
    assert from_output(text) is None


JUNIT = (
    b'<testsuites><testsuite tests="4"><testcase classname="t" name="a"/><testcase classname="t" name="b">'
    b'<failure message="x"/></testcase><testcase classname="t" name="c"><skipped/></testcase>'
    b'<testcase classname="t" name="d"><error/></testcase></testsuite></testsuites>'
)


def test_junit():
    assert from_junit([JUNIT]) == Counted(1, 2, 1, ("t::b", "t::d"), ("t::c",))
    assert from_junit([JUNIT, JUNIT]) == Counted(2, 4, 2, ("t::b", "t::d"), ("t::c",))


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<testsuite",
        b"no xml",
        b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><testsuite><testcase name="&b;"/></testsuite>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><testsuite><testcase name="x"/></testsuite>',
        b'<?xml version="1.0" encoding="nonsense"?><testsuite/>',
    ],
)
def test_what_is_no_junit_is_not_read(document):
    assert from_junit([document]) is None


def test_names_are_bounded():
    case = b'<testcase name="%s"><failure/></testcase>'
    found = from_junit([b"<t>" + b"".join(case % (b"x" * 10_000 + b"%d" % n) for n in range(3)) + b"</t>"])
    assert found is not None and found.failed == 3
    assert all(len(name) <= 200 for name in found.failing)
    assert not found.named, "three that look the same are not told apart"


OUTCOMES = {
    "green": (0, Counted(2), "", Outcome.PASSED),
    "nothing was counted": (0, Counted(), "all good", Outcome.UNCOUNTED),
    "all were skipped": (0, Counted(0, 0, 3), "", Outcome.UNCOUNTED),
    "red": (1, Counted(1, 1), "", Outcome.FAILED),
    "0 in spite of a failure": (0, Counted(1, 1), "", Outcome.FAILED),
    "red without numbers": (2, Counted(), "boom", Outcome.FAILED),
    "a missing program": (127, Counted(), "", Outcome.UNVERIFIED),
    "a missing module": (1, Counted(), "/usr/bin/python3: No module named pytest", Outcome.UNVERIFIED),
    "a missing program behind npm": (1, Counted(), "sh: 1: jest: not found", Outcome.UNVERIFIED),
    "no network": (1, Counted(), "dial tcp: lookup proxy.golang.org: no such host", Outcome.UNVERIFIED),
    "pytest without tests": (5, Counted(), "no tests ran in 0.00s", Outcome.UNCOUNTED),
    "a test that complains of a missing program": (1, Counted(1, 1), "sh: 1: jest: not found", Outcome.FAILED),
    "nobody knows": (None, Counted(), "", Outcome.UNVERIFIED),
    "killed": (-9, Counted(), "", Outcome.FAILED),  # by its own tests, perhaps
    "killed after some tests": (-9, Counted(3), "", Outcome.FAILED),
}  # fmt: skip


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcomes(name):
    code, counted, text, wanted = OUTCOMES[name]
    assert understand(code, counted, text)[0] is wanted


def test_a_failure_of_the_machine_is_none_of_the_check(tmp_path: Path) -> None:
    """No child could mend a full disk, so none is asked to: the worker fails, and goes on when it is resumed."""
    missing = FileNotFoundError(errno.ENOENT, "No such file or directory", "folder")
    assert not_run(missing, tmp_path / "x").outcome is Outcome.UNVERIFIED
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match="No space"):
        not_run(full, tmp_path / "x")
    wrapped = ProviderError("no shell")
    wrapped.__cause__ = BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")  # no process more
    with pytest.raises(ProviderError):
        not_run(wrapped, tmp_path / "x")


def test_why_it_could_not_be_run_is_one_short_line():
    assert unable(1, "a\nsh: 1: jest: not found\nb") == "sh: 1: jest: not found"
    assert unable(1, "assert 1 == 2") == ""
    assert len(unable(1, "bwrap: " + "x" * 10_000)) <= 200
