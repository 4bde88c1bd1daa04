"""Readable lines of any provider's events, and the one line that says how an iteration ended."""

import os
from pathlib import Path
from typing import Any

import pytest
import recorded

from samoloop import providers
from samoloop.base.printable import one_line, printable
from samoloop.config.keys import BUILT_IN
from samoloop.core.events import Denied, Event, Failure, Result, Started, Text, Tool, Trouble, Usage
from samoloop.core.records import Ended
from samoloop.core.records import Started as Begun
from samoloop.providers.base import Request
from samoloop.ui.terminal.endings import ended_line, follows, oddities
from samoloop.ui.terminal.rendering import Renderer, event_json, head_line, read_line
from samoloop.ui.terminal.words import age, clock_time, count, resumes

FIXTURES = Path(__file__).parent / "fixtures" / "providers"


def rendered(*events: Event) -> list[str]:
    return [line.text for line in Renderer().lines(events)]


@pytest.mark.parametrize(
    ("events", "lines"),
    [
        ([Started("x")], []),
        ([Usage(1, 2)], []),
        ([Text("I look.")], ["I look."]),
        ([Text("  \n ")], []),
        ([Text("two\nlines\n")], ["two\nlines"]),
        ([Tool("1", "Bash", "ls", running=True), Tool("1", "Bash", "ls")], ["▸ Bash ls"]),
        ([Tool("1", "Bash", "ls")], ["▸ Bash ls"]),
        (
            [Tool("1", "Bash", "ls", running=True), Tool("1", "Bash", "ls", ok=False)],
            ["▸ Bash ls", "✗ Bash failed: ls"],
        ),
        ([Denied("Write", "/etc/x")], ["⊘ permission denied: Write /etc/x"]),
        ([Failure(Trouble.OVERLOAD, "529", fatal=False)], ["! overload: 529"]),
        ([Failure(Trouble.LOGIN, "no key")], ["✗ login: no key"]),
        ([Failure(Trouble.USAGE_LIMIT, "soon")], ["✗ usage limit: soon"]),
        ([Failure(Trouble.OTHER, "odd"), Result(False, "odd")], ["✗ odd"]),
        ([Result(False)], ["✗ the run failed"]),
        ([Tool("1", "nonesuch", ok=False)], ["✗ nonesuch failed"]),
        ([Text("Done."), Result(True, "Done.")], ["Done."]),
        ([Text("Hm."), Result(True, "Done.")], ["Hm.", "= Done."]),
        ([Result(False, "no such model")], ["✗ the run failed: no such model"]),
    ],
)
def test_each_event_becomes_the_line_that_a_person_needs(events: list[Event], lines: list[str]) -> None:
    assert rendered(*events) == lines


def test_a_child_cannot_act_on_the_terminal() -> None:
    evil = "\x1b]0;title\x07\x1b[2J\r\x9b31m\u202egnp.exe\x00\ud800"
    events = [Text(evil), Tool("1", evil, evil, running=True), Denied(evil, evil), Failure(Trouble.OTHER, evil)]
    for text in rendered(*events, Result(False, evil)):
        assert not any(ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0 for letter in text.replace("\n", ""))
        assert "\u202e" not in text
        text.encode()


def test_a_huge_message_is_cut_and_says_so() -> None:
    (line,) = rendered(Text("x" * 50_000))
    assert len(line) < 21_000
    assert line.endswith("… and 30,000 characters more")


def test_a_reader_that_chokes_on_a_line_gives_nothing_for_it() -> None:
    class Broken:
        def feed(self, line: bytes) -> list[Event]:
            raise KeyError("type")

        def finish(self, exit_code: int | None, stderr_tail: str) -> list[Event]:
            return []

    assert read_line(Broken(), b"{}") == []


@pytest.mark.parametrize("log", sorted(FIXTURES.glob("*/*.jsonl")), ids=lambda log: f"{log.parent.name}-{log.stem}")
def test_every_recorded_run_has_something_to_read(log: Path, tmp_path: Path) -> None:
    request = Request(tmp_path / "p", tmp_path, tmp_path, tmp_path / "001-x", "t")
    reader = providers.get(log.parent.name, None, {"PATH": os.environ["PATH"]}).reader(request)
    events = [event for line in log.read_bytes().splitlines() for event in reader.feed(line)]
    lines = Renderer().lines([*events, *reader.finish(1, "the end of standard error")])
    assert lines
    assert all("\x1b" not in line.text for line in lines)


@pytest.mark.parametrize("name", BUILT_IN)
def test_noise_in_any_log_is_survived(name: str, tmp_path: Path) -> None:
    request = Request(tmp_path / "p", tmp_path, tmp_path, tmp_path / "001-x", "t")
    reader = providers.get(name, None, {"PATH": os.environ["PATH"]}).reader(request)
    noise = [b"\xff\xfe\x00", b'{"type": 3}', b"[1]", b"{", b"", b'{"type": "assistant", "message": []}', b"\x1b[31m"]
    for line in noise:
        for text in Renderer().lines(read_line(reader, line)):
            assert "\x1b" not in text.text


def test_json_names_the_kind_and_leaves_out_what_is_unknown() -> None:
    assert event_json(Usage(1, 2)) == {"event": "usage", "input_tokens": 1, "output_tokens": 2}
    assert event_json(Tool("1", "Bash", "ls", running=True))["event"] == "tool"


def test_the_head_line_names_child_and_iteration(tmp_path: Path) -> None:
    session = recorded.make_session(tmp_path)
    recorded.start(session, model="opus")
    recorded.end(session, {"kind": "retry"})
    recorded.start(session, attempt=2)
    started = [record for record in session.journal.read() if isinstance(record, Begun)]
    assert head_line(started[0]).text.startswith("── 001 investigation · claude opus · ")
    assert head_line(started[1]).text.startswith("── 001.2 investigation · claude · ")


NOW = 1_795_258_800.0


def ended(**fields: Any) -> Ended:
    """The record of an iteration."""
    known = {"iteration": 3, "phase": "investigation", "outcome": {"seconds": 12.4}, "usage": {"cost_usd": 0.04}}
    return Ended.from_json(known | fields)


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        ({"kind": "continue", "phase": "requirements"}, "requirements"),
        ({"kind": "continue", "phase": "investigation"}, "investigation again"),
        ({"kind": "repair", "reason": "no _signal.json"}, "investigation again, told: no _signal.json"),
        ({"kind": "retry", "reason": "exit code 1"}, "again: exit code 1"),
        ({"kind": "limited", "not_before": NOW - 5}, "again"),
        ({"kind": "wait", "for": "qa_answers"}, "waits for answers"),
        ({"kind": "wait", "for": "human_action", "reason": "log in"}, "waits for you: log in"),
        ({"kind": "wait", "reason": "network for 2h"}, "waits: network for 2h"),
        ({"kind": "blocked", "reason": "two choices"}, "blocked: two choices"),
        ({"kind": "done", "summary": "all good"}, "done: all good"),
        ({"kind": "done"}, "done"),
    ],
)
def test_what_follows_is_said_in_words(decision: dict[str, Any], words: str) -> None:
    assert follows(ended(decision=decision), NOW) == words


def test_a_later_attempt_is_said_with_its_time() -> None:
    decision = {"kind": "limited", "not_before": NOW + 600, "reason": "the limit is reached"}
    assert follows(ended(decision=decision), NOW) == f"again at {clock_time(NOW + 600, NOW)}: the limit is reached"


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        ({"cost_usd": 0.04}, "0.04 USD"),
        ({"cost_usd": 0.0}, "0.00 USD"),
        ({"cost_usd": 0.001}, "<0.01 USD"),
        ({}, "cost unknown"),
        ({"input_tokens": 12_300, "output_tokens": 950}, "12.3k in, 950 out"),
    ],
)
def test_an_unknown_cost_is_never_shown_as_nothing(usage: dict[str, Any], cost: str) -> None:
    line = ended_line(ended(usage=usage, decision={"kind": "continue", "phase": "requirements"}), NOW)
    assert line == f"003 investigation      12s  {cost}  → requirements"


def test_what_went_wrong_beside_a_signal_is_told() -> None:
    outcome = {
        "seconds": 1,
        "denied": [f"Bash: rm {number}" for number in range(5)],
        "failure": {"trouble": "overload", "message": "529"},
    }
    found = oddities(ended(outcome=outcome, decision={"kind": "continue"}, left=[77]))
    assert found == [
        "permission denied: Bash: rm 0",
        "permission denied: Bash: rm 1",
        "permission denied: Bash: rm 2",
        "and 2 more permissions denied",
        "the CLI reported overload: 529",
        "processes that could not be ended: 77",
    ]


def test_words_for_the_terminal() -> None:
    assert printable("a\tb\r\nc\x1b") == "a\tb\nc␛"
    assert one_line("a\n b\x1b", 10) == "a b␛"
    assert one_line("abcdef", 4) == "abc…"
    assert [count(number) for number in (0, 999, 1000, 999_949, 999_950, 4_100_000)] == [
        "0",
        "999",
        "1.0k",
        "999.9k",
        "1.0M",
        "4.1M",
    ]
    assert resumes(NOW - 1, NOW) == "can go on now"
    assert resumes(NOW + 7800, NOW).endswith(", in 2h 10m")
    assert len(clock_time(NOW + 3 * 86400, NOW)) > 5


@pytest.mark.parametrize(("seconds", "words"), [(-5, "0s"), (40, "40s"), (300, "5m"), (7200, "2h"), (90_000, "1d")])
def test_ages_are_read_at_a_glance(seconds: int, words: str) -> None:
    from datetime import UTC, datetime, timedelta

    now = datetime.now(UTC)
    assert age(now - timedelta(seconds=seconds), now) == words
