"""Which project a command is in."""

import subprocess
from pathlib import Path

import pytest
from kit import make_repo, samoloop

from samoloop.config import loading
from samoloop.config.project import find_root, sessions_folder, user_file


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


# --- where the sessions are -------------------------------------------------------------------------------------------


def folder_of(root: Path, text: str | bytes, own: str = "") -> Path:
    (root / ".samoloop.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    environ = {"HOME": str(root / "home")}
    user_file(environ).parent.mkdir(parents=True, exist_ok=True)
    user_file(environ).write_text(own)
    return sessions_folder(root, environ)


@pytest.mark.parametrize(
    ("text", "own", "expected"),
    [
        ("", "", "_sessions"),
        ("# sessions: other\n", "", "_sessions"),
        ("sessions: work\n", "sessions: mine\n", "work"),
        ("{provider: codex, 'sessions': work}", "", "work"),
        ("provider: codex\n", "sessions: mine\n", "mine"),
        ("sessions: [work]\n", "", "_sessions"),
        ("sessions: work\ncolour: red\nlimits: 7\n", "", "work"),
        ("limits: [\nsessions: 'my work'  # words\n", "", "my work"),
        ("sessions: ~nobody-of-this-name/x\n", "", "_sessions"),
        ("sessions: \n", "", "_sessions"),
        (b"sessions: \xff\n", "", "_sessions"),
        ('sessions: "a\\0b"', "", "_sessions"),
        ("provider: '" + "x" * 1_100_000 + "'\nsessions: work\n", "", "_sessions"),
    ],
)
def test_the_sessions_are_found_whatever_else_the_settings_say(
    tmp_path: Path, text: str | bytes, own: str, expected: str
) -> None:
    assert folder_of(tmp_path, text, own) == tmp_path / expected


def test_settings_that_are_right_say_the_same_to_both_readers(tmp_path: Path) -> None:
    for text in ("sessions: work\n", "sessions: ~/s\n", "sessions: /tmp/s\n", "commit: false\n"):
        found = folder_of(tmp_path, text, "sessions: mine\n")
        assert found == loading.load(tmp_path, {"HOME": str(tmp_path / "home")}).sessions_dir
    (tmp_path / ".samoloop.yaml").unlink()
    (tmp_path / ".samocode").write_text("SESSIONS=old\n")
    assert sessions_folder(tmp_path, {"HOME": "/nowhere"}) == tmp_path / "old"


def test_broken_settings_stop_nobody_from_looking_answering_and_stopping(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo")
    (repo / ".samoloop.yaml").write_text("sessions: work\nprovider: demo\n")
    assert samoloop(repo, "run", "Add a greeting", "--session", "greet", "--no-wait").returncode == 3
    (repo / ".samoloop.yaml").write_text("sessions: work\nprovider: [\n")
    for command in (["list"], ["status", "greet"], ["questions", "greet"], ["stop", "greet"], ["tell", "greet", "Hi"]):
        done = samoloop(repo, *command)
        assert (done.returncode, done.stderr) == (0, ""), command
    assert "greet" in samoloop(repo, "list").stdout
    assert samoloop(repo, "answer", "greet", "--suggested").returncode == 0
    refused = samoloop(repo, "resume", "greet")
    assert refused.returncode == 2 and ".samoloop.yaml" in refused.stderr
