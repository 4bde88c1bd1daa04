"""The child owns its overview, the worker three lines of it."""

import pytest
from arbitrary import PROPERTY, nasty_text
from hypothesis import given
from hypothesis import strategies as st

from samoloop.core.overview import phase_line, skeleton, with_worker_lines

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
