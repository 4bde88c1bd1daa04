"""Which project a command is in."""

import subprocess
from pathlib import Path

import pytest

from samoloop.config.project import find_root


def git(folder: Path, *args: str) -> None:
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *args], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "my repo"
    folder.mkdir()
    git(folder, "init")
    git(folder, "commit", "--allow-empty", "-m", "start")
    return folder


def add_session(folder: Path) -> Path:
    session = folder / "_sessions" / "26-11-21-auth"
    session.mkdir(parents=True)
    (session / "_history.jsonl").touch()
    return session


def test_a_folder_of_a_repository_belongs_to_its_checkout(repo: Path) -> None:
    (repo / "src" / "deep").mkdir(parents=True)
    assert find_root(repo / "src" / "deep") == repo


def test_a_worktree_belongs_to_the_main_checkout_even_with_settings_of_its_own(repo: Path) -> None:
    worktree = repo / ".samoloop" / "worktrees" / "26-11-21-auth"
    git(repo, "worktree", "add", "-b", "samoloop/auth", str(worktree))
    (worktree / ".samoloop.yaml").write_text("provider: demo\n")
    add_session(worktree)
    assert find_root(worktree) == repo


def test_sessions_in_place_inside_a_larger_repository_are_found(repo: Path) -> None:
    session = add_session(repo / "notes")
    assert find_root(session) == repo / "notes"
    assert find_root(repo) == repo


def test_outside_git_the_nearest_folder_with_sessions_or_settings_counts(tmp_path: Path) -> None:
    add_session(tmp_path / "plain")
    (tmp_path / "plain" / "src").mkdir()
    assert find_root(tmp_path / "plain" / "src") == tmp_path / "plain"
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / ".samoloop.yaml").touch()
    assert find_root(tmp_path / "set") == tmp_path / "set"


def test_a_bare_folder_belongs_to_no_project(tmp_path: Path) -> None:
    assert find_root(tmp_path) is None
