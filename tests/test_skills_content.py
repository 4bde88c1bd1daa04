"""The shipped skills follow the open standard's limits and speak the same language as the phase prompts."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
SKILLS = ROOT / "skills"
PROMPTS = ROOT / "phase_prompts"
FOLDERS = sorted(path for path in SKILLS.iterdir() if path.is_dir())
EACH = pytest.mark.parametrize("folder", FOLDERS, ids=[folder.name for folder in FOLDERS])

PROMISED = {
    "dive",
    "task",
    "create-plan",
    "do",
    "do2",
    "dop",
    "dop2",
    "cleanup",
    "multi-review",
    "testing",
    "summary",
    "session-start",
    "session-continue",
    "session-archive",
    "session-sync",
    "samoloop-run",
    "debug",
    "address-review",
    "pr",
    "write-workflow",
    "ask-another",
}
OTHER = "ask-another/references/another-cli.md"
NEEDS_PERSON = {"session-start", "session-continue", "session-archive", "session-sync", "samoloop-run"}
# Skills that write a document, and the kind in its name.
DOCUMENTS = {
    "dive": "dive",
    "task": "requirements",
    "create-plan": "plan",
    "testing": "testing",
    "multi-review": "review",
    "cleanup": "review",
    "summary": "summary",
    "do2": "result",
    "dop2": "result",
}
# The document of a phase has the shape that its skill teaches.
SHAPES = {
    "investigation": "dive",
    "requirements": "task",
    "planning": "create-plan",
    "testing": "testing",
    "quality": "multi-review",
    "done": "summary",
}
ONLY_SOMETIMES = {"## Changes asked for", "## To do"}


def split(folder: Path) -> tuple[dict[str, Any], str]:
    """Front matter and body of a skill."""
    opening, front, body = (folder / "SKILL.md").read_text(encoding="utf-8").split("---\n", 2)
    assert opening == ""
    return yaml.safe_load(front), body


def headings(text: str) -> set[str]:
    """Headings inside the fenced Markdown templates, placeholders left out."""
    blocks = re.findall(r"```markdown\n(.*?)```", text, re.DOTALL)
    lines = (line.strip() for block in blocks for line in block.splitlines())
    return {line for line in lines if line.startswith("## ") and "<" not in line}


def test_every_promised_skill_is_there_and_no_other() -> None:
    assert {folder.name for folder in FOLDERS} == PROMISED


@EACH
def test_front_matter_is_name_and_description_by_the_standard(folder: Path) -> None:
    front, _ = split(folder)
    assert set(front) == {"name", "description"} | ({"metadata"} if folder.name in NEEDS_PERSON else set())
    assert front["name"] == folder.name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", front["name"])
    assert len(front["name"]) <= 64
    assert 0 < len(front["description"]) <= 1024
    assert "\n" not in front["description"].strip()
    assert "<" not in front["description"]


@EACH
def test_a_description_says_when_to_use_the_skill(folder: Path) -> None:
    assert re.search(r"\bUse \w+", split(folder)[0]["description"])


def test_all_descriptions_together_fit_what_the_clis_preload() -> None:
    assert sum(len(split(folder)[0]["description"]) for folder in FOLDERS) <= 6000


@EACH
def test_a_body_is_short_and_says_goal_and_end(folder: Path) -> None:
    body = split(folder)[1]
    assert len(body.splitlines()) < 200
    assert "**Goal:**" in body
    assert re.search(r"^## (Done when|Stop and ask)$", body, re.MULTILINE)


@EACH
def test_files_that_a_skill_points_at_exist_and_none_lies_unused(folder: Path) -> None:
    body = split(folder)[1]
    named = set(re.findall(r"\]\(([^)#:]+)\)", body))
    assert {name for name in named if not (folder / name).is_file()} == set()
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert there - {"SKILL.md"} == named


@EACH
def test_skills_named_in_a_skill_exist(folder: Path) -> None:
    text = split(folder)[1]
    named = set(re.findall(r"the `([a-z0-9-]+)` skill", text)) | set(re.findall(r"\(`([a-z0-9-]+)` skill\)", text))
    assert named <= PROMISED


@EACH
def test_a_skill_leaves_no_substitution_to_the_cli_that_reads_it(folder: Path) -> None:
    """`$1`, `$ARGUMENTS`, `!`command`` are expanded by some CLIs, `$(...)` is refused by one, `{{...}}` is ours."""
    for path in folder.rglob("*.md"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\$\d|\$ARGUMENTS|!`|\$\(|\{\{", text), path.name


@pytest.mark.parametrize(("name", "kind"), DOCUMENTS.items())
def test_a_skill_that_writes_names_its_document_in_and_outside_a_session(name: str, kind: str) -> None:
    body = split(SKILLS / name)[1]
    assert f"`<MM-DD-HHMM>-{kind}-<slug>.md`" in body
    assert "SAMOLOOP_SESSION_DIR" in body
    assert "lsewhere" in body or "else " in body


@EACH
def test_a_skill_knows_that_it_may_run_inside_a_session(folder: Path) -> None:
    assert "SAMOLOOP_SESSION_DIR" in split(folder)[1]


@EACH
def test_a_skill_writes_no_signal(folder: Path) -> None:
    """Signals belong to the phase prompts; a skill used outside a session must not leave one."""
    assert '"status"' not in (folder / "SKILL.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("phase", "skill"), SHAPES.items())
def test_the_document_of_a_phase_has_the_shape_of_its_skill(phase: str, skill: str) -> None:
    prompt = (PROMPTS / f"{phase}.md").read_text(encoding="utf-8")
    wanted = headings(prompt) - ONLY_SOMETIMES
    assert wanted
    assert wanted <= headings(split(SKILLS / skill)[1])


def test_the_questions_have_one_shape() -> None:
    shape = re.compile(r"```markdown\n(# Questions\n.*?)```", re.DOTALL)
    in_prompt = shape.search((PROMPTS / "requirements.md").read_text(encoding="utf-8"))
    in_skill = shape.search((SKILLS / "task" / "SKILL.md").read_text(encoding="utf-8"))
    assert in_prompt and in_skill
    assert in_prompt[1] == in_skill[1]


def test_the_four_that_carry_out_a_change_share_one_text() -> None:
    texts = {(SKILLS / name / "references" / "carry-out.md").read_bytes() for name in ("do", "do2", "dop", "dop2")}
    assert len(texts) == 1


def test_only_who_was_asked_to_sends_code_to_another_vendor() -> None:
    ways = {(SKILLS / name).read_bytes() for name in ("multi-review/references/second-opinion.md", OTHER)}
    assert len(ways) == 1
    assert "only where the person asked for it" in split(SKILLS / "multi-review")[1]
    assert "another CLI" not in (PROMPTS / "review.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["dive", "do", "testing", "summary", "task"])
def test_no_description_waits_for_what_everybody_says(name: str) -> None:
    said = split(SKILLS / name)[0]["description"]
    assert not re.search(r"explain|add or change something|claims to be finished|where things stand", said)


def git(folder: Path, *words: str) -> str:
    person = ["-c", "user.name=Maria", "-c", "user.email=maria@localhost"]
    return subprocess.run(["git", *person, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


def test_two_solutions_in_copies_leave_the_worktree_alone_until_one_is_applied(tmp_path: Path) -> None:
    main, worktree, copies = tmp_path / "main", tmp_path / "worktree", tmp_path / "copies"
    main.mkdir()
    copies.mkdir()
    git(main, "init", "-q")
    (main / "price.py").write_text("price = 1\n", encoding="utf-8")
    git(main, "add", "-A")
    git(main, "commit", "-q", "-m", "start")
    git(main, "worktree", "add", "-q", "-b", "work", str(worktree))
    before = git(worktree, "log", "--oneline")
    body = (SKILLS / "do2" / "references" / "carry-out.md").read_text(encoding="utf-8")
    copy, save = re.findall(r"```sh\n(.*?)```", body, re.DOTALL)

    def sh(text: str) -> None:
        lines = text.replace("T/", f"{copies}/")
        subprocess.run(["sh", "-ec", lines], cwd=worktree, check=True, env=os.environ, capture_output=True)

    sh(copy)
    (copies / "minimal" / "price.py").write_text("price = 2\n", encoding="utf-8")
    (copies / "minimal" / "new.py").write_text("new = True\n", encoding="utf-8")
    sh(save)
    assert git(worktree, "status", "--short") == ""
    assert git(worktree, "log", "--oneline") == before
    git(worktree, "apply", str(copies / "minimal.patch"))
    assert (worktree / "price.py").read_text(encoding="utf-8") == "price = 2\n"
    assert (worktree / "new.py").exists()
