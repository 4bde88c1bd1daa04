"""Habits that come from the predecessor: its settings above the repository, its environment, its options."""

from pathlib import Path

import pytest
from kit import GOOD_CHILD, samoloop, scripted_project

from samoloop.config import samocode
from samoloop.core.session import all_sessions


def test_the_layout_with_the_settings_above_the_repository_works_from_both_folders(tmp_path: Path) -> None:
    root = scripted_project(tmp_path, GOOD_CHILD)
    settings = (root / ".samoloop.yaml").read_text()
    (root / ".samoloop.yaml").unlink()
    (tmp_path / "config/samoloop").mkdir(parents=True)
    (tmp_path / "config/samoloop/config.yaml").write_text(settings)
    (tmp_path / ".samocode").write_text(
        f"MAIN_REPO={root}\nWORKTREES={tmp_path}/worktrees/\nSESSIONS={tmp_path}/_sessions/\n"
    )
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "GIT_BRANCH_PREFIX": "me"}
    done = samoloop(tmp_path, "run", "Add a feature", "--session", "a", "--no-wait", env=env)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "GIT_BRANCH_PREFIX is not read: here it is `branch_prefix: NAME/`" in done.stdout
    (session,) = all_sessions(tmp_path / "_sessions")
    assert session.worktree == tmp_path / "worktrees" / session.name and session.worktree.is_dir()
    assert session.state().created.root == root
    for folder in (tmp_path, root, session.worktree):
        assert "waits for" in samoloop(folder, "status", "a", env=env).stdout, folder


@pytest.mark.parametrize("option", samocode.OPTIONS)
def test_an_option_of_the_predecessor_is_answered_by_the_new_word(tmp_path: Path, option: str) -> None:
    done = samoloop(tmp_path, "run", option, "x")
    assert done.returncode == 2
    assert f"there is no {option} here: {samocode.OPTIONS[option]}" in done.stderr
