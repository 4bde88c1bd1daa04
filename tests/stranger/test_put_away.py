"""Put away: what is over is hidden, and of it only what can go without a loss is removed. Whole commands, real git."""

import json
from pathlib import Path

import pytest
from kit import GOOD_CHILD, git, samoloop, scripted_project

pytestmark = pytest.mark.slow


def said(root: Path, *words: str, code: int = 0) -> str:
    done = samoloop(root, *words)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def done(root: Path, name: str, *words: str) -> Path:
    """A session that is done; its worktree."""
    said(root, "run", f"Do {name}", "--session", name, "--yes", *words)
    return Path(json.loads(said(root, "status", name, "--json"))["worktree"])


def test_only_what_can_go_without_a_loss_goes_and_why_is_said_of_the_rest(tmp_path: Path):
    root = scripted_project(tmp_path, GOOD_CHILD)
    merged, unmerged, dirty = (done(root, name) for name in ("merged", "unmerged", "dirty"))
    said(root, "run", "Ask", "--session", "asks", "--no-wait", code=3)
    git(root, "merge", "--quiet", "--no-edit", "samoloop/merged")
    git(root, "merge", "--quiet", "--no-edit", "-s", "ours", "samoloop/dirty")
    (dirty / "mine.txt").write_text("not committed\n")
    git(root, "branch", "samoloop/of-nobody")
    listed = said(root, "clean")
    can_go, _, stays = listed.partition("stays\n")
    assert "merged: worktree" in can_go and "branch samoloop/merged; its commits are in trunk" in can_go
    assert "unmerged: samoloop/unmerged has commits that are in no other branch" in stays
    assert f"dirty: uncommitted in {dirty}: 1 file" in stays
    assert "asks: it is not finished (waiting in requirements)" in stays
    assert "samoloop/of-nobody: no session here has it" in stays
    assert merged.is_dir(), "nothing goes before --yes"
    removed = said(root, "clean", "--yes")
    assert "Removed of" in removed and "the branch samoloop/merged (it was at" in removed
    assert not merged.exists() and unmerged.is_dir() and dirty.is_dir()
    branches = git(root, "branch", "--format=%(refname:short)").split()
    assert branches == ["samoloop/asks", "samoloop/dirty", "samoloop/of-nobody", "samoloop/unmerged", "trunk"]
    assert "merged: " not in said(root, "clean").replace("unmerged: ", "")
    assert "-merged " not in said(root, "list")
    said(root, "diff", "merged")


def test_what_a_remote_has_goes_when_the_session_is_archived(tmp_path: Path):
    root = scripted_project(tmp_path, GOOD_CHILD)
    git(tmp_path, "init", "--quiet", "--bare", "there.git")
    git(root, "remote", "add", "origin", str(tmp_path / "there.git"))
    worktree = done(root, "a", "--finish", "push")
    assert "neither archived nor merged; its commits are in origin/samoloop/a alone" in said(root, "clean")
    said(root, "archive", "a")
    assert not worktree.exists()
    status = said(root, "status", "a")
    assert str(worktree) not in status and "none: it was archived" in status
    assert json.loads(said(root, "status", "a", "--json"))["worktree"] is None
    assert "the branch samoloop/a" in said(root, "clean", "--yes")
    assert git(root, "branch", "--format=%(refname:short)") == "trunk"


def test_a_branch_of_the_persons_is_never_removed(tmp_path: Path):
    root = scripted_project(tmp_path, GOOD_CHILD)
    git(root, "branch", "mine")
    worktree = done(root, "a", "--branch", "mine")
    git(root, "merge", "--quiet", "--no-edit", "mine")
    assert "the branch is yours" in said(root, "clean")
    said(root, "clean", "--yes")
    assert not worktree.exists() and git(root, "rev-parse", "mine")


def test_a_session_in_place_is_put_away_too(tmp_path: Path):
    root = scripted_project(tmp_path, GOOD_CHILD)
    said(root, "run", "x", "--session", "a", "--in-place", "--yes")
    assert "is put away" in said(root, "archive", "a")
    assert "1 archived" in said(root, "list") or "but archived ones" in said(root, "list")
    assert (root / "feature.txt").exists()


def test_status_outside_of_a_project_shows_all_of_them_what_waits_for_you_first(tmp_path: Path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        root = scripted_project(tmp_path / name, GOOD_CHILD)
        if name == "one":
            said(root, "run", "x", "--session", "asks", "--no-wait", code=3)
        else:
            done(root, "ends")
    (tmp_path / "nowhere").mkdir()
    text = said(tmp_path / "nowhere", "status")
    assert text.index("asks") < text.index("ends")
    rows = json.loads(said(tmp_path / "nowhere", "status", "--json"))
    assert [row["session"].split("-")[-1] for row in rows] == ["asks", "ends"]
    assert {Path(row["root"]).parent.name for row in rows} == {"one", "two"}
