"""What `doctor` finds, on real folders and with programs that stand in for the CLIs."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from kit import git, make_repo, samoloop

from samoloop.api.doctor import Level, examine, file_system
from samoloop.config import loading
from samoloop.config.keys import KNOWN

CLAUDE = """#!/bin/sh
case "$*" in
*--version*) echo "2.1.197 (Claude Code)";;
*"auth status"*) echo '{"loggedIn": LOGGED_IN}';;
esac
"""


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "repo")


def settings(repo: Path, text: str) -> None:
    (repo / loading.FILE_NAME).write_text(text)


def claude(folder: Path, logged_in: str) -> dict[str, str]:
    """An environment with a Claude Code that only tells its version and whether it is logged in."""
    folder.mkdir()
    program = folder / "claude"
    program.write_text(CLAUDE.replace("LOGGED_IN", logged_in))
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def levels(root: Path | None, environ: dict[str, str] | None = None) -> dict[str, Level]:
    return {finding.area: finding.level for finding in examine(root, environ or dict(os.environ))}


def finding(root: Path | None, area: str, environ: dict[str, str] | None = None) -> tuple[Level, str]:
    found = [one for one in examine(root, environ or dict(os.environ)) if one.area == area]
    return found[0].level, f"{found[0].text} {found[0].advice}"


def test_a_sound_project_ends_with_0_and_says_so(repo: Path) -> None:
    settings(repo, "provider: demo\n")
    git(repo, "config", "user.name", "Ada")
    git(repo, "config", "user.email", "ada@example.org")
    done = samoloop(repo, "doctor")
    assert done.returncode == 0, done.stdout
    assert "commits as Ada <ada@example.org>" in done.stdout
    assert "A session can start." in done.stdout
    assert "\x1b" not in done.stdout


def test_json_holds_every_finding(repo: Path) -> None:
    settings(repo, "provider: demo\n")
    done = samoloop(repo, "doctor", "--json")
    found: list[dict[str, Any]] = json.loads(done.stdout)
    assert {"python", "git", "repository", "settings", "workflow", "sessions", "demo"} <= {one["area"] for one in found}
    assert all(set(one) == {"area", "level", "text", "advice"} for one in found)


def test_the_scripted_child_needs_no_program_and_no_login(repo: Path) -> None:
    level, words = finding(repo, "demo", {**os.environ, "PATH": "/nowhere"})
    assert level is Level.OK
    assert "comes with samoloop" in words and "login" not in words


def test_a_cli_that_is_needed_and_missing_is_a_problem_with_the_way_to_get_it(repo: Path) -> None:
    settings(
        repo, "provider: demo\nproviders: {mine: {command: [no-such-program]}}\nphases: {testing: {provider: mine}}\n"
    )
    level, words = finding(repo, "mine")
    assert level is Level.PROBLEM
    assert "no-such-program" in words
    assert samoloop(repo, "doctor").returncode == 2


def test_a_cli_that_is_not_needed_may_be_missing(repo: Path) -> None:
    settings(repo, "provider: demo\nproviders: {mine: {command: [no-such-program]}}\n")
    found = [one for one in examine(repo, dict(os.environ)) if "mine" in one.text]
    assert [one.level for one in found] == [Level.NOTE]


def test_a_login_that_the_cli_denies_is_a_problem_only_where_the_cli_is_needed(repo: Path, tmp_path: Path) -> None:
    environ = claude(tmp_path / "bin", "false")
    settings(repo, "provider: claude\n")
    level, words = finding(repo, "claude", environ)
    assert level is Level.PROBLEM
    assert "claude auth login" in words
    settings(repo, "provider: demo\n")
    assert finding(repo, "claude", environ)[0] is Level.NOTE


def test_a_cli_that_is_logged_in_is_fine(repo: Path, tmp_path: Path) -> None:
    settings(repo, "provider: claude\n")
    level, words = finding(repo, "claude", claude(tmp_path / "bin", "true"))
    assert level is Level.OK
    assert "2.1.197" in words and "logged in" in words


def test_every_problem_of_the_settings_is_shown_and_the_rest_is_still_looked_at(repo: Path) -> None:
    settings(repo, "provider: nobody\ncolour: red\ncommit: maybe\n")
    found = [one.text for one in examine(repo, dict(os.environ)) if one.area == "settings"]
    assert len(found) == 3
    assert any("colour" in text for text in found)
    assert levels(repo)["workflow"] is Level.OK


def test_an_unknown_workflow_and_a_phase_that_it_lacks_are_named(repo: Path) -> None:
    settings(repo, "provider: demo\nworkflow: dreaming\n")
    assert finding(repo, "workflow")[0] is Level.PROBLEM
    settings(repo, "provider: demo\nphases: {audit: {model: x}}\n")
    found = [one for one in examine(repo, dict(os.environ)) if one.area == "workflow"]
    assert [one.level for one in found] == [Level.OK, Level.WARNING]
    assert "audit" in found[1].text


def test_a_sessions_folder_that_cannot_be_made_is_a_problem(repo: Path) -> None:
    settings(repo, "provider: demo\nsessions: hello.txt/sessions\n")
    level, words = finding(repo, "sessions")
    assert level is Level.PROBLEM
    assert "hello.txt/sessions" in words


def test_a_repository_without_commits_is_a_problem_and_no_repository_is_none(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "--quiet")
    assert finding(empty, "repository")[0] is Level.PROBLEM
    plain = tmp_path / "plain"
    (plain / "_sessions").mkdir(parents=True)
    assert finding(plain, "repository")[0] is Level.NOTE
    assert finding(None, "repository")[0] is Level.WARNING


def test_git_without_an_identity_is_said_with_the_command_that_sets_one(repo: Path) -> None:
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    level, words = finding(repo, "git", environ)
    assert level is Level.WARNING
    assert "git config --global user.name" in words


def test_without_git_the_rest_is_still_looked_at(repo: Path) -> None:
    assert finding(repo, "git", {**os.environ, "PATH": "/nowhere"})[0] is Level.PROBLEM


def test_the_programs_of_servers_that_were_let_in_are_looked_for(repo: Path) -> None:
    settings(repo, "mcp: [project]\n")
    assert finding(repo, "mcp")[0] is Level.PROBLEM  # there is no .mcp.json, and the rest is still looked at
    (repo / ".mcp.json").write_text('{"mcpServers": {"a": {"command": "git"}, "b": {"command": "no-such"}}}')
    found = [(one.level, one.text.partition(":")[0]) for one in examine(repo, dict(os.environ)) if one.area == "mcp"]
    assert found == [(Level.OK, "a"), (Level.WARNING, "b")]


def test_those_that_are_known_and_not_installed_share_a_line(repo: Path) -> None:
    (others,) = [one for one in examine(repo, {**os.environ, "PATH": os.defpath}) if one.area == "others"]
    assert all(name in others.text for name in KNOWN if name not in ("claude", "demo"))


def test_telegram_is_a_note_where_it_is_off_and_its_token_is_never_shown(repo: Path) -> None:
    assert finding(repo, "telegram")[0] is Level.NOTE
    token = "7000000001:AAE-a-token-that-must-never-be-shown_0"
    mine = repo.parent / "config" / "samoloop" / "config.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("telegram: {base_url: 'http://127.0.0.1:1/bot'}\n")  # where nobody answers
    environ = {**os.environ, "TELEGRAM_BOT_TOKEN": token, "TELEGRAM_CHAT_ID": "42"}
    environ |= {"XDG_CONFIG_HOME": str(repo.parent / "config"), "XDG_STATE_HOME": str(repo.parent / "state")}
    found = examine(repo, environ)
    assert [one.level for one in found if one.area == "telegram"] == [Level.WARNING, Level.OK]
    assert token not in str(found)
    assert finding(repo, "telegram", {**environ, "TELEGRAM_CHAT_ID": "you"})[0] is Level.PROBLEM


def test_the_restrained_mode_is_said(repo: Path) -> None:
    settings(repo, "provider: demo\npermissions: edits\n")
    assert finding(repo, "sandbox")[0] is Level.OK


def test_the_file_system_of_a_folder_yet_to_be_made_is_that_of_its_parent(tmp_path: Path) -> None:
    assert file_system(tmp_path / "a" / "b") == file_system(tmp_path)
    if Path("/proc/self/mounts").exists():
        assert file_system(Path("/proc")) == "proc"
