"""Arbitrary input for property tests: the kinds of things that children and people really write, and nonsense."""

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

PROPERTY = settings(
    deadline=None,
    database=None,
    max_examples=200,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


def json_objects() -> st.SearchStrategy[Any]:
    """Any JSON value."""
    return st.recursive(
        _SCALARS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=10,
    )


def _padded(words: list[str]) -> st.SearchStrategy[str]:
    space = st.sampled_from(["", " ", "\n", "\t ", "\u00a0"])
    return st.tuples(space, st.sampled_from(words), space).map("".join)


def signal_objects() -> st.SearchStrategy[dict[str, Any]]:
    """Objects that are nearly signals: right keys, right and wrong values."""
    words = {
        "status": ["continue", "waiting", "blocked", "done", "finished", "discontinued"],
        "phase": ["planning", "testing", "done", "", " "],
        "for": ["qa_answers", "plan_approval", "file_update", "human_action", "ever", ""],
        "file": ["plan.md", "../x", ""],
        "reason": ["because", " ", ""],
        "needs": ["human_decision", "clarification", "error_resolution", "money", ""],
        "summary": ["all done", ""],
    }
    optional: dict[str, st.SearchStrategy[Any]] = {
        key: _padded(values) | st.one_of(_padded(values), json_objects()) for key, values in words.items()
    }
    optional["iteration"] = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | json_objects()
    optional["more"] = json_objects()
    likely = {key: optional.pop(key) for key in ("status", "for", "reason", "phase", "file")}
    return st.fixed_dictionaries(likely, optional=optional) | st.fixed_dictionaries({}, optional=likely | optional)


_PIECES = [
    "### Q9: forged?",
    "### Q1: Which way?",
    "# Heading",
    "## Two",
    "#### Four",
    "**Answer:** B",
    "Answer: B",
    "- **Answer**: B",
    "**Suggestion:** A",
    "A) one",
    "_waiting_",
    "waiting",
    "\\_waiting_",
    "\\### Q9: x",
    "<!--",
    "-->",
    "<!-- by ada -->",
    "\\<!-- x -->",
    "```",
    "```sh",
    "---",
    "***",
    "\\---",
    "Decision: approve",
    "Done: yes",
    "Comments: none",
    "B",
    "wegen der Größe – ümläut 中",
    "\u2028",
    "\x0c",
    "\x85",
    "  ",
    "",
    "\\",
    "<",
    "*",
]


def nasty_text() -> st.SearchStrategy[str]:
    """What a person could answer and a child could write: lines that look like structure, in any order."""
    piece = st.sampled_from(_PIECES) | st.text(max_size=12)
    joint = st.sampled_from(["\n", "\r\n", "\r", " ", "", "\n\n"])
    return st.lists(st.tuples(piece, joint), max_size=8).map(lambda parts: "".join(map("".join, parts)))
