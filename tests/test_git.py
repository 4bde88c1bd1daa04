"""Git is called on a named repository, whatever the environment or the current folder says."""

from pathlib import Path

import pytest
from git_scene import REFS, git, isolate, new_repository

from samoloop.base.errors import GitError
from samoloop.git.calls import Git, environment, is_oid


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch, tmp_path / "home")


def test_inherited_variables_do_not_lead_git_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, other = new_repository(tmp_path / "ours"), new_repository(tmp_path / "other")
    git(other, "commit", "--quiet", "--allow-empty", "-m", "Other")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git/index"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(other / ".git/objects"))
    monkeypatch.setenv("GIT_COMMON_DIR", str(other / ".git"))
    assert Git(ours / ".git", ours).line("log", "-1", "--format=%s") == "Start"


def test_the_persons_identity_and_configuration_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Grace")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/somewhere")
    monkeypatch.setenv("GIT_TRACE", "1")
    kept = {name for name in environment() if name.startswith("GIT_")}
    ours = {"GIT_TERMINAL_PROMPT", "GIT_EDITOR", "GIT_NO_LAZY_FETCH", "GIT_NO_REPLACE_OBJECTS"}
    assert kept == {"GIT_AUTHOR_NAME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"} | ours


def test_a_filter_that_a_child_names_is_told_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = new_repository(tmp_path / "project")
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "123:secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    git(root, "config", "filter.x.clean", f"env > {tmp_path / 'told'}; cat")
    (root / ".gitattributes").write_text("*.txt filter=x\n")
    (root / "a.txt").write_text("x\n")
    Git(root / ".git", root).run("add", "a.txt")
    told = (tmp_path / "told").read_text()
    assert "PATH=" in told and "secret" not in told


def test_a_failure_says_what_git_said_and_where(tmp_path: Path) -> None:
    root = new_repository(tmp_path / "project")
    with pytest.raises(GitError, match=rf"git rev-parse failed in {root}: fatal: .*nothing"):
        Git(root / ".git", root).run("rev-parse", "nothing")


def test_git_missing_or_folder_missing_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = new_repository(tmp_path / "project")
    with pytest.raises(GitError, match="is gone"):
        Git(root / ".git", tmp_path / "nowhere").run("status")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitError, match="install git"):
        Git(root / ".git", root).run("status")


def test_a_ref_is_found_loose_and_packed_and_by_its_full_name(tmp_path: Path) -> None:
    root = new_repository(tmp_path / "project")
    store = Git(root / ".git")
    tip = git(root, "rev-parse", "HEAD")
    git(root, "branch", "samoloop/auth")
    git(root, "update-ref", "refs/samoloop/auth", git(root, "commit-tree", "HEAD^{tree}", "-m", "Another"))
    assert store.ref("refs/heads/samoloop/auth") == tip
    git(root, "pack-refs", "--all")
    assert store.ref("refs/heads/samoloop/auth") == tip
    assert store.ref("refs/heads/none") is None


@pytest.mark.parametrize(
    ("text", "expected"), [("a" * 40, True), ("0" * 64, True), ("a" * 39, False), ("g" * 40, False), ("", False)]
)
def test_what_is_an_object_id(text: str, expected: bool) -> None:
    assert is_oid(text) is expected


@pytest.mark.skipif(REFS == "reftable", reason="git alone knows them")
def test_a_ref_is_found_wherever_it_is_and_no_process_is_asked_for_one_that_there_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = new_repository(tmp_path / "project")
    store, tip = Git(root / ".git"), git(root, "rev-parse", "HEAD").strip()
    for name in ("refs/heads/loose", "refs/samoloop/sessions/a"):
        git(root, "update-ref", name, tip)
    assert [store.ref("refs/heads/loose"), store.ref("refs/samoloop/sessions/a")] == [tip, tip]
    git(root, "pack-refs", "--all")
    assert not (root / ".git/refs/heads/loose").exists()
    assert [store.ref("refs/heads/loose"), store.ref("refs/samoloop/sessions/a")] == [tip, tip]
    git(root, "symbolic-ref", "refs/heads/other", "refs/heads/loose")
    assert store.ref("refs/heads/other") == tip
    with monkeypatch.context() as patched:
        patched.setattr("samoloop.git.calls._PACKED_BYTES", 10)
        assert store.ref("refs/heads/loose") == tip  # too much to be read here
    monkeypatch.setenv("PATH", str(tmp_path))  # no git
    assert store.ref("refs/heads/loos") is None


def test_a_repository_that_is_gone_is_not_one_without_the_ref(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="is gone"):
        Git(tmp_path / "gone/.git").ref("refs/heads/main")
