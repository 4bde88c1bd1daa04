"""When a child has to be ended: times and sightings in, a verdict out, no process anywhere."""

import pytest

from samoloop.children.watch import Watch
from samoloop.core.events import Event, Result, Text, Tool
from samoloop.core.limits import EndedBy, Limits

RUNNING = Tool("a", "bash", running=True)
FINISHED = Tool("a", "bash")


def limits(**changes: float | None) -> Limits:
    known: dict[str, float | None] = {
        "total": 1000.0,
        "silence": 100.0,
        "first_byte": None,
        "grace": 60.0,
        "terminate": 10.0,
    }
    return Limits(**{**known, **changes})  # type: ignore[arg-type]


def look(watch: Watch, now: float, *events: Event, written: bool = True, cpu: float = 0.0) -> EndedBy | None:
    """One look, as the worker takes it."""
    watch.saw(now, output=True, written=written, events=events)
    if watch.wants_cpu(now):
        watch.saw_cpu(now, cpu)
    return watch.limit(now)


def quiet(watch: Watch, now: float, cpu: float = 0.0) -> EndedBy | None:
    return look(watch, now, written=False, cpu=cpu)


def test_total_counts_from_the_start_whatever_the_child_does():
    watch = Watch(limits(), started=0, now=0)
    assert look(watch, 999.9) is None
    assert look(watch, 1000) is EndedBy.TIME


def test_an_adopted_child_started_before_it_was_seen():
    watch = Watch(limits(), started=-950, now=0)
    assert look(watch, 49) is None
    assert look(watch, 50) is EndedBy.TIME


def test_first_byte_counts_until_there_is_output():
    watch = Watch(limits(first_byte=20.0), started=0, now=0)
    watch.saw(20, output=False, written=True, events=[])  # standard error only
    assert watch.limit(20) is EndedBy.FIRST_BYTE
    assert look(watch, 20) is None


def test_silence_counts_from_the_last_output():
    watch = Watch(limits(), started=0, now=0)
    look(watch, 50)
    assert [quiet(watch, now) for now in (75, 100, 149)] == [None] * 3
    assert quiet(watch, 150) is EndedBy.SILENCE


def test_without_a_limit_silence_may_last():
    watch = Watch(limits(silence=None), started=0, now=0)
    assert quiet(watch, 999) is None
    assert not watch.wants_cpu(999)


def test_a_running_tool_may_be_silent():
    watch = Watch(limits(), started=0, now=0)
    look(watch, 1, RUNNING)
    assert [quiet(watch, now) for now in (100, 300, 500)] == [None] * 3
    look(watch, 501, FINISHED)
    assert quiet(watch, 600) is None
    assert quiet(watch, 601) is EndedBy.SILENCE


def test_one_of_two_tools_is_enough():
    watch = Watch(limits(), started=0, now=0)
    look(watch, 1, RUNNING, Tool("b", "bash", running=True), FINISHED)
    assert quiet(watch, 500) is None


@pytest.mark.parametrize("event", [FINISHED, Result(True)])
def test_a_tool_is_over_by_its_own_word_or_with_the_run(event: Event):
    watch = Watch(limits(), started=0, now=0)
    look(watch, 1, RUNNING)
    look(watch, 2, event)
    assert quiet(watch, 102) is EndedBy.SILENCE


def test_computing_is_no_silence():
    watch = Watch(limits(), started=0, now=0)
    assert [quiet(watch, now, cpu=now * 0.5) for now in range(25, 1000, 25)] == [None] * 39


def test_silence_counts_again_after_the_computing():
    watch = Watch(limits(), started=0, now=0)
    for now in range(25, 300, 25):
        quiet(watch, now, cpu=min(now, 200.0))
    assert quiet(watch, 299, cpu=200.0) is None
    assert quiet(watch, 300, cpu=200.0) is EndedBy.SILENCE


def test_an_idle_event_loop_is_silence():
    watch = Watch(limits(), started=0, now=0)
    verdicts = [quiet(watch, now, cpu=now * 0.005) for now in (25, 50, 75, 100)]
    assert verdicts == [None, None, None, EndedBy.SILENCE]


def test_a_process_that_ended_is_no_silence():
    """The sum falls when one of several processes is gone."""
    watch = Watch(limits(), started=0, now=0)
    verdicts = [quiet(watch, now, cpu=cpu) for now, cpu in ((25, 9.0), (50, 9.0), (75, 3.0), (100, 3.0))]
    assert verdicts == [None] * 4
    assert quiet(watch, 175, cpu=3.0) is EndedBy.SILENCE


def test_looking_at_the_processor_time_is_rare():
    watch = Watch(limits(), started=0, now=0)
    wanted = 0
    for quarter_second in range(1, 400):
        now = quarter_second / 4
        watch.saw(now, output=True, written=False, events=[])
        if watch.wants_cpu(now):
            wanted += 1
            watch.saw_cpu(now, 0.0)
    assert wanted == 3


def test_grace_needs_a_result_and_quiet():
    watch = Watch(limits(), started=0, now=0)
    look(watch, 10, Text("done?"))
    assert not watch.may_be_done(80)
    look(watch, 80, Result(True))
    assert not watch.may_be_done(139)
    assert watch.may_be_done(140)
    look(watch, 141)  # it goes on talking
    assert not watch.may_be_done(141)
    assert watch.may_be_done(201)


def test_without_a_grace_it_is_never_over_early():
    watch = Watch(limits(grace=None), started=0, now=0)
    look(watch, 1, Result(True))
    assert not watch.may_be_done(900)


class TestPause:
    def test_a_child_that_writes_is_looked_at_more_often(self):
        watch = Watch(limits(silence=None), started=0, now=0)
        look(watch, 0)
        assert watch.pause_seconds(0) == 0.25
        pauses = []
        for now in range(5):
            quiet(watch, now)
            pauses.append(watch.pause_seconds(now))
        assert pauses == [0.5, 1.0, 1.0, 1.0, 1.0]
        look(watch, 5)
        assert watch.pause_seconds(5) == 0.25

    def test_never_past_a_limit(self):
        watch = Watch(limits(total=10.0, silence=None), started=0, now=0)
        assert watch.pause_seconds(9.9) == pytest.approx(0.1)

    def test_never_past_the_grace(self):
        watch = Watch(limits(silence=None, grace=1.1), started=0, now=0)
        look(watch, 0, Result(True))
        quiet(watch, 1)
        assert watch.pause_seconds(1) == pytest.approx(0.1)

    def test_never_none_at_all_while_something_is_overdue(self):
        """Else the worker would spin: for example while a lingering child's signal is missing."""
        watch = Watch(limits(silence=None, grace=1.0), started=0, now=0)
        look(watch, 0, Result(True))
        quiet(watch, 5)
        assert watch.pause_seconds(5) >= 0.25
