"""Nothing that a child writes or leaves keeps a worker or a person's command busy without end."""

import sys
from pathlib import Path

import pytest
from kit import GOOD_CHILD, samoloop, scripted_project

ASKED = "**Answer:** _waiting_\n"
# What a model that repeats itself may write, and what takes long where a pattern is tried at every place of it.
QUESTIONS = {
    "spaces in a title": '"### Q1: a" + " " * 200_000 + "?\\n" + ASKED',
    "underscores in an answer": '"### Q1: a?\\n**Answer:** " + "_" * 200_000 + "x\\n\\n### Q2: b?\\n" + ASKED',
    "comments": '"### Q1: a?\\n**Answer:** " + "<!-- by " * 50_000 + "\\n### Q2: b?\\n" + ASKED',
    "backticks": '"### Q1: a?\\n" + "`" * 200_000 + "\\n" + ASKED',
    "backslashes": '"### Q1: a?\\n**Answer:** " + chr(92) * 200_000 + "x\\n### Q2: b?\\n" + ASKED',
    "headings": '"### Q1:a\\n" * 300_000 + ASKED',
}


def python(code: str) -> str:
    return f"{sys.executable} - <<'END'\n{code}\nEND"


@pytest.mark.parametrize("text", QUESTIONS.values(), ids=QUESTIONS)
def test_questions_of_any_shape_are_read_at_once(tmp_path: Path, text: str):
    asking = python(f"ASKED = {ASKED!r}\nopen('_qa.md', 'w').write({text})")
    waiting = """signal '{"status": "waiting", "for": "qa_answers"}'"""
    child = f"if [ $SAMOLOOP_PHASE = investigation ]; then next requirements; exit; fi\n{asking}\n{waiting}"
    root = scripted_project(tmp_path, child)
    assert samoloop(root, "run", "Task", "--session", "a", "--no-wait").returncode == 3
    assert samoloop(root, "questions", "a").returncode == 0


def test_an_overview_of_any_shape_is_read_at_once(tmp_path: Path):
    spoiled = python("""
lines = ["# x", "## Status", "Phase: a" + " " * 300_000 + "b", *[""] * 300_000, "## Flow Log"]
open("_overview.md", "w").write("\\n".join(lines))
""")
    root = scripted_project(tmp_path, f"if [ $SAMOLOOP_PHASE = investigation ]; then\n{spoiled}\nfi\n{GOOD_CHILD}")
    assert samoloop(root, "run", "Task", "--session", "a", "--yes").returncode == 0
