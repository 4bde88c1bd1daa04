"""What happened to a child is a fold over its events."""

import pytest

from samoloop.core.events import Denied, Event, Failure, Result, Started, Text, Tool, Trouble, Usage
from samoloop.core.limits import EndedBy
from samoloop.core.outcome import Collector, Outcome, strongest


def collected(*events: Event) -> Collector:
    collector = Collector()
    for event in events:
        collector.take([event])
    return collector


@pytest.mark.parametrize(
    ("troubles", "expected"),
    [
        ([Trouble.NETWORK, Trouble.USAGE_LIMIT, Trouble.OTHER], Trouble.USAGE_LIMIT),
        ([Trouble.BILLING, Trouble.LOGIN, Trouble.NETWORK], Trouble.LOGIN),
        ([Trouble.OTHER, Trouble.BILLING, Trouble.NETWORK], Trouble.BILLING),
        ([Trouble.OTHER, Trouble.OVERLOAD], Trouble.OVERLOAD),
    ],
)
def test_the_failure_that_says_most_counts(troubles: list[Trouble], expected: Trouble) -> None:
    found = strongest(Failure(trouble, "x") for trouble in troubles)
    assert found is not None
    assert found.trouble is expected


def test_a_failure_that_the_cli_got_over_is_none() -> None:
    assert strongest([Failure(Trouble.USAGE_LIMIT, "x", fatal=False)]) is None
    assert strongest([]) is None


def test_of_two_limits_the_later_is_the_one_to_wait_for() -> None:
    found = strongest([Failure(Trouble.USAGE_LIMIT, "a", resets_at=1), Failure(Trouble.USAGE_LIMIT, "b", resets_at=2)])
    assert found is not None
    assert found.resets_at == 2


def test_a_running_child_is_known_by_its_last_words_and_tool() -> None:
    collector = collected(
        Started("s1"),
        Started(None),
        Text("one"),
        Text("x" * 3000 + "end"),
        Tool("1", "Bash", "make test", running=True),
        Tool("1", "Bash"),
    )
    assert (collector.session_id, collector.last_tool) == ("s1", "Bash make test")
    assert collector.last_text.endswith("end")
    assert len(collector.last_text) == 2000


def test_a_later_result_and_usage_replace_earlier_ones() -> None:
    collector = collected(Usage(1, 2), Result(False, "a"), Usage(10, 20, cost_usd=0.5), Result(True, "b"))
    outcome = collector.outcome(EndedBy.EXIT, 0, 1.5, 100.0)
    assert (outcome.result, outcome.usage) == (Result(True, "b"), Usage(10, 20, cost_usd=0.5))
    assert (outcome.seconds, outcome.at, outcome.exit_code) == (1.5, 100.0, 0)


def test_a_child_that_fails_without_end_costs_no_memory() -> None:
    collector = collected(*[Failure(Trouble.NETWORK, "x")] * 1000, *[Denied("Bash")] * 1000)
    assert len(collector.failures) == 50
    assert len(collector.denied) == 20


@pytest.mark.parametrize(
    ("outcome", "failed"),
    [
        (Outcome(), False),
        (Outcome(result=Result(True)), False),
        (Outcome(exit_code=1), True),
        (Outcome(exit_code=None), True),
        (Outcome(exit_code=-9), True),
        (Outcome(result=Result(False)), True),
        (Outcome(failure=Failure(Trouble.OTHER, "x")), True),
        (Outcome(ended_by=EndedBy.TIME, exit_code=-15), False),
        (Outcome(ended_by=EndedBy.GRACE, exit_code=-15), False),
        (Outcome(denied=(Denied("Bash"),)), False),
    ],
)
def test_the_cli_failed_when_it_says_or_shows_so(outcome: Outcome, failed: bool) -> None:
    assert outcome.cli_failed is failed


def test_the_journal_gets_what_was_out_of_the_ordinary() -> None:
    assert Outcome(seconds=1.23456).to_json() == {"ended_by": "exit", "exit_code": 0, "seconds": 1.235}
    failure = Failure(Trouble.OTHER, "x" * 1000)
    value = Outcome(failure=failure, denied=(Denied("Bash", "rm"),), result=Result(False, "no")).to_json()
    assert len(value["failure"]["message"]) == 500
    assert (value["denied"], value["result_failed"]) == (["Bash: rm"], "no")
