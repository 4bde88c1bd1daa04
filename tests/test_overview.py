"""The child owns its overview, the worker three lines of it."""

from datetime import UTC, datetime

import pytest
from arbitrary import PROPERTY, nasty_text
from hypothesis import given
from hypothesis import strategies as st

from samoloop.core.overview import phase_line, skeleton, with_newest, with_worker_lines

SKELETON = """\
# Add login

## Task
> Add login

## Status
Phase: investigation
Iteration: 0
Blocked: no
Last Action: session created
Next: investigation

## Flow Log

## Files
"""


def worker_lines(text: str, phase: str = "testing", iteration: int = 7, blocked: str = "no") -> str:
    return with_worker_lines(text, phase=phase, iteration=iteration, blocked=blocked)


def test_the_first_overview_has_all_parts() -> None:
    assert skeleton("Add login", "Add login", "investigation") == SKELETON


def test_a_task_is_quoted_so_that_its_headings_are_not_the_overview_s() -> None:
    text = skeleton("Add login", "# Add login\n\n## Status\nPhase: done\n", "investigation")
    assert "> # Add login\n>\n> ## Status\n> Phase: done\n" in text
    assert phase_line(text) == "investigation"


@pytest.mark.parametrize("word", ["x", "é", "登"])
def test_a_long_task_is_cut_and_its_file_named(word: str) -> None:
    text = skeleton("t", word * 10_000, "investigation")
    assert "> …\n> full text: _task.md\n" in text
    assert 2000 <= len(text.encode()) < 2300
    assert "�" not in text


def test_the_worker_s_lines_are_put_right_and_the_child_s_stay() -> None:
    text = SKELETON.replace("Phase: investigation", "**Phase:** done").replace("session created", "wrote a dive")
    assert worker_lines(text) == SKELETON.replace("Phase: investigation", "Phase: testing").replace(
        "Iteration: 0", "Iteration: 7"
    ).replace("session created", "wrote a dive")


@pytest.mark.parametrize(
    "status",
    [
        "## Status\n",
        "## Status\nNext: x\n",
        "## Status\n\n\n- **Phase**: done\n* Iteration: 99\nBLOCKED: maybe\nNext: x\n",
        "## status\nPhase: a\nPhase: b\n",
        "",
    ],
)
def test_whatever_the_child_made_of_them(status: str) -> None:
    text = worker_lines(f"# T\n\n{status}\n## Flow Log\n- 001 x: y\n")
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.lower() == "## status")
    assert lines[start + 1 : start + 4] == ["Phase: testing", "Iteration: 7", "Blocked: no"]
    assert sum(line.lower().startswith(("phase:", "- **phase", "* iteration")) for line in lines) == 1
    assert "- 001 x: y" in lines
    assert ("Next: x" in lines) == ("Next: x" in status)
    assert "\n\n## Flow Log" in text


def test_words_like_the_worker_s_elsewhere_are_left_alone() -> None:
    text = SKELETON + "- Phase: nothing of the worker's\n"
    assert worker_lines(text).endswith("- Phase: nothing of the worker's\n")


@pytest.mark.parametrize(
    ("blocked", "line"),
    [("", "Blocked: no"), ("no\ndatabase", "Blocked: no database"), ("x" * 300, "Blocked: " + "x" * 200)],
)
def test_the_reason_is_one_short_line(blocked: str, line: str) -> None:
    assert line in worker_lines(SKELETON, blocked=blocked).splitlines()


@pytest.mark.parametrize(
    ("line", "phase"),
    [
        ("Phase: planning", "planning"),
        ("**Phase:** `Planning`", "planning"),
        ("- **Phase**: _planning_", "planning"),
        ("phase:planning", "planning"),
        ("Phase:", ""),
        ("Next: planning", None),
    ],
)
def test_a_person_may_decorate_the_phase(line: str, phase: str | None) -> None:
    assert phase_line(f"# T\n\n## Status\n{line}\n\n## Flow Log\nPhase: other\n") == phase


@pytest.mark.parametrize("text", ["", "Phase: planning\n", "# T\n\nPhase: planning\n"])
def test_without_a_status_there_is_no_phase(text: str) -> None:
    assert phase_line(text) is None


@PROPERTY
@given(st.lists(st.sampled_from(SKELETON.splitlines()) | nasty_text()).map("\n".join), st.text(max_size=20))
def test_any_text_gets_the_worker_s_lines_once_and_for_all(text: str, blocked: str) -> None:
    once = worker_lines(text, blocked=blocked)
    assert phase_line(once) == "testing"
    assert worker_lines(once, blocked=blocked) == once


def flow(count: int, start: int = 1) -> str:
    return "".join(f"- {number:03d} work: step {number}\n" for number in range(start, start + count))


NOW = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)


def test_the_newest_lines_of_the_flow_log_stay_with_their_times() -> None:
    text, older = with_newest(SKELETON.replace("## Flow Log\n", f"## Flow Log\n{flow(20)}"), NOW)
    section = text.partition("## Flow Log\n")[2].partition("\n\n## Files")[0].splitlines()
    assert section[0] == "- 006 work: step 6 (11-21 14:05)"
    assert len(section) == 15
    assert older == flow(5).splitlines()
    assert with_newest(text, NOW.replace(hour=15)) == (text, [])


def test_a_time_is_that_at_which_a_line_was_seen_first() -> None:
    text, _ = with_newest(SKELETON.replace("## Flow Log\n", f"## Flow Log\n{flow(1)}"), NOW)
    text, _ = with_newest(text.replace("(11-21 14:05)\n", "(11-21 14:05)\n- 002 work: more\n"), NOW.replace(hour=16))
    assert "step 1 (11-21 14:05)\n- 002 work: more (11-21 16:05)\n\n## Files" in text


def test_an_endless_line_is_cut_and_kept_whole_elsewhere() -> None:
    line = "- 001 work: " + "x" * 5000
    text, older = with_newest(SKELETON.replace("## Flow Log\n", f"## Flow Log\n{line}\n  and {'y' * 900}\n"), NOW)
    assert len(text) < len(SKELETON) + 400
    assert older == [f"{line} and {'y' * 900}"]


def test_of_the_documents_of_rounds_the_newest_are_named() -> None:
    names = [f"- 11-21-09{n:02d}-{kind}-x.md: round {n}" for n in range(5) for kind in ("testing", "review")]
    kept = ["- 11-21-0900-dive-x.md: how it works", "- tests/test_pin.py must not change"]
    text, older = with_newest(SKELETON + "\n".join([*kept, *names]) + "\n", NOW)
    assert text.partition("## Files\n")[2].splitlines() == [*kept, *names[-4:]]
    assert older == names[:-4]


def test_an_overview_without_lists_stays_as_it_is() -> None:
    for text in (SKELETON, "# x\n", "no heading\n"):
        assert with_newest(text, NOW) == (text, [])


@PROPERTY
@given(nasty_text())
def test_whatever_a_child_wrote_no_line_is_lost_and_a_second_look_changes_nothing(nasty: str) -> None:
    text, older = with_newest(f"{SKELETON.partition('## Files')[0]}{nasty}\n\n## Files\n", NOW)
    assert with_newest(text, NOW)[1] == []
    words = set(nasty.split())
    assert words <= set(f"{text} {' '.join(older)}".split()) or "…" in text
