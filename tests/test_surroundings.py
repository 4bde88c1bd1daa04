"""What lies beside a session in its repository, read from files: refs, hooks, configuration."""

import os
from pathlib import Path

import pytest
from kit import git, make_repo

from samoloop.config.loading import load
from samoloop.config.settings_files import settings_files
from samoloop.git import drivers, surroundings


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "repo")


def test_loose_and_packed_refs_are_read_as_git_reads_them(repo: Path):
    for name in ("a", "b/c", "d"):
        git(repo, "branch", name)
    git(repo, "tag", "-a", "-m", "One", "v1")
    git(repo, "pack-refs", "--all")
    git(repo, "commit", "--quiet", "--allow-empty", "-m", "Second")
    git(repo, "branch", "--force", "a")
    git(repo, "update-ref", "refs/samoloop/sessions/x", "HEAD")
    listed = git(repo, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags")
    assert surroundings.refs(repo / ".git") == dict(line.split() for line in listed.splitlines())
    assert surroundings.head(repo / ".git") == "refs/heads/trunk"


def test_packing_moves_nothing(repo: Path):
    git(repo, "branch", "a")
    before = surroundings.refs(repo / ".git")
    git(repo, "pack-refs", "--all")
    assert surroundings.refs(repo / ".git") == before


def test_what_is_no_ref_is_in_nobody_s_way(repo: Path):
    refs = repo / ".git" / "refs" / "heads"
    os.mkfifo(refs / "pipe")
    (refs / "link").symlink_to("/etc/passwd")
    (refs / "trunk.lock").touch()
    found = surroundings.refs(repo / ".git")
    assert "refs/heads/trunk" in found and "refs/heads/trunk.lock" not in found
    assert found["refs/heads/pipe"] == found["refs/heads/link"] == ""


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("[core]\n\tbare = false\n\teditor = vi\n", ["core.bare", "core.editor"]),
        ('[remote "o/x"]\nurl = u ; a comment\n', ["remote.o/x.url"]),
        ('[alias]\nst = "!a \\\nb"\n# no = key\n', ["alias.st"]),
        ('[a] b = 1\n[c "d"] e\n', ["a.b", "c.d.e"]),
        ('[a "x\\"y]"]\nk\n', ['a.x\\"y].k']),
        ("no section = 1\n[broken\n", [".no"]),
    ],
)
def test_the_keys_of_a_configuration(tmp_path: Path, text: str, keys: list[str]):
    file = tmp_path / "config"
    file.write_text(text)
    assert list(surroundings.configuration([file, tmp_path / "none"])) == [f"{key} in {file}" for key in keys]


def test_another_value_shows_and_no_value_is_kept(tmp_path: Path):
    file = tmp_path / "config"
    file.write_text("[http]\nextraHeader = token\n")
    before = surroundings.configuration([file])
    file.write_text("[http]\nextraHeader = token\nextraHeader = other\n")
    assert before != surroundings.configuration([file])
    assert "token" not in str(before)


def test_samples_are_no_hooks_and_a_hook_that_is_written_again_is_another(repo: Path):
    hooks = repo / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    (hooks / "pre-commit.sample").touch()
    (hooks / "pre-push").write_text("one")
    before = surroundings.hooks(repo / ".git")
    (hooks / "pre-push").write_text("two")
    assert list(before) == ["pre-push"] and before != surroundings.hooks(repo / ".git")


def test_git_is_asked_again_only_where_its_configuration_changed(repo: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")  # a machine may have filters of its own
    asked = []

    def ask() -> bytes:
        asked.append(1)
        done = git(repo, *drivers.LISTED) if len(asked) > 1 else ""
        return done.encode()

    common = repo / ".git"
    assert drivers.unknown(common, ask) == {} and not asked  # nobody said what is to be believed
    drivers.believe(common, {})
    assert [drivers.unknown(common, ask) for _ in range(3)] == [{}] * 3 and len(asked) == 1
    git(repo, "worktree", "add", "--quiet", str(repo / "linked"), "-b", "linked")
    assert drivers.unknown(common / "worktrees" / "linked", ask) == {} and len(asked) == 1
    git(repo, "config", "filter.x.clean", "prog")
    assert drivers.unknown(common, ask) == {"filter.x.clean": "prog"}
    drivers.believe(common, {"filter.x.clean": "prog"})
    assert drivers.unknown(common, ask) == {} and len(asked) == 2
    git(repo, "config", "include.path", "more")
    assert [drivers.unknown(common, ask) for _ in range(2)] == [{}] * 2 and len(asked) == 4


def test_worktrees_in_the_folder_of_settings_are_no_settings(repo: Path):
    for name in ("worktrees/a", "old/b"):
        (repo / ".samoloop" / name).mkdir(parents=True)
        (repo / ".samoloop" / name / ".git").write_text("gitdir: elsewhere")
        (repo / ".samoloop" / name / "code").touch()
    (repo / ".samoloop" / "phases").mkdir()
    (repo / ".samoloop" / "phases" / "x.md").touch()
    (repo / ".samoloop.yaml").touch()
    config = load(repo, {"HOME": str(repo)})
    assert list(settings_files(config)) == [".samoloop.yaml", ".samoloop/phases/x.md"]
