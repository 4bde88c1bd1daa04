"""In place a session lies in the person's own repository: ordinary git commands of a child leave it alone."""

import json
from pathlib import Path

import pytest
from kit import GOOD_CHILD, git, samoloop, scripted_project

ORDINARY = ["git add -A && git commit -qm work", "git clean -fdq", "git stash -uq"]


@pytest.mark.parametrize("words", ORDINARY)
def test_git_neither_commits_nor_cleans_nor_stashes_a_session(tmp_path: Path, words: str) -> None:
    child = f"""if [ $SAMOLOOP_PHASE = implementation ]; then
(cd "$SAMOLOOP_WORKTREE"; export GIT_CONFIG_COUNT=2 GIT_CONFIG_KEY_0=user.name GIT_CONFIG_VALUE_0=a
GIT_CONFIG_KEY_1=user.email GIT_CONFIG_VALUE_1=a@b.c; export GIT_CONFIG_KEY_1 GIT_CONFIG_VALUE_1
echo made > made.txt; {words} || touch {tmp_path}/failed)
fi
{GOOD_CHILD}"""
    root = scripted_project(tmp_path, child)
    said = samoloop(root, "run", "Task", "--session", "a", "--yes", "--in-place")
    assert said.returncode == 0, said.stdout + said.stderr
    assert not (tmp_path / "failed").exists()
    [row] = json.loads(samoloop(root, "list", "--json").stdout)
    assert row["condition"] == "done" and (Path(row["folder"]) / "_report.md").exists()
    assert "_sessions" not in git(root, "log", "--all", "--name-only", "--format=")
    assert "_sessions" not in git(root, "status", "--porcelain")


def test_rewind_names_what_it_removes_and_keeps_what_a_person_made_since(tmp_path: Path) -> None:
    root = scripted_project(tmp_path, GOOD_CHILD)
    assert samoloop(root, "run", "Task", "--session", "a", "--yes", "--in-place").returncode == 0
    (root / "mine.txt").write_text("mine\n")
    said = samoloop(root, "rewind", "a", "2")
    assert said.returncode == 0, said.stderr
    assert "removed, because they were not there then (1): feature.txt" in said.stdout
    assert "kept, because they were made since the last iteration (1): mine.txt" in said.stdout
    assert (root / "mine.txt").read_text() == "mine\n" and not (root / "feature.txt").exists()


def test_a_file_of_a_person_s_in_the_way_is_moved_and_named(tmp_path: Path) -> None:
    """The child makes `note`, and removes it later; the person makes another one of that name."""
    child = (
        'case $SAMOLOOP_PHASE in investigation) echo theirs > "$SAMOLOOP_WORKTREE/note";; '
        'planning) rm -f "$SAMOLOOP_WORKTREE/note";; esac\n' + GOOD_CHILD
    )
    root = scripted_project(tmp_path, child)
    assert samoloop(root, "run", "Task", "--session", "a", "--yes", "--in-place").returncode == 0
    (root / "note").write_text("mine\n")
    said = samoloop(root, "rewind", "a", "1")
    [line] = [line for line in said.stdout.splitlines() if line.startswith("moved out of the way: ")]
    assert Path(line.partition(": ")[2]).read_text() == "mine\n"
    assert (root / "note").read_text() == "theirs\n"
