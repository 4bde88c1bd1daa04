"""The person's checkout is found from anywhere inside, and given branches and worktrees without being changed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from git_scene import Scene, begin, git, isolate, new_repository, picture, write

from samoloop.base.errors import GitError
from samoloop.base.files import make_ignored_folder
from samoloop.git.checkout import main_checkout
from samoloop.git.included import copy_included
from samoloop.git.repo import Repo
from samoloop.git.worktree import Worktree


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch, tmp_path / "home")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return new_repository(tmp_path / "project")


def test_the_main_checkout_is_found_from_below_and_from_linked_worktrees(project: Path, tmp_path: Path) -> None:
    git(project, "worktree", "add", "--quiet", str(tmp_path / "linked"))
    (tmp_path / "linked/deep").mkdir()
    for start in (project, project / "docs", project / ".git", tmp_path / "linked", tmp_path / "linked/deep"):
        assert Repo.find(start) == Repo(project, project / ".git")
        assert main_checkout(start) == project


def test_the_main_checkout_is_found_from_a_worktree_whose_git_file_is_gone(tmp_path: Path) -> None:
    scene = begin(tmp_path)
    (scene.root / ".git").unlink()
    assert Repo.find(scene.root).root == scene.repo.root


def test_a_submodule_is_a_main_checkout_of_its_own(project: Path, tmp_path: Path) -> None:
    git(project, "submodule", "--quiet", "add", str(new_repository(tmp_path / "library")), "lib")
    found = Repo.find(project / "lib")
    assert (found.root, found.git_dir) == (project / "lib", project / ".git/modules/lib")
    worktree = found.add_worktree(tmp_path / "w", "samoloop/x", found.resolve("HEAD"))
    assert worktree.state().clean


def test_a_separate_git_folder(project: Path, tmp_path: Path) -> None:
    git(project, "init", "--quiet", f"--separate-git-dir={tmp_path / 'away'}")
    assert Repo.find(project / "docs") == Repo(project, tmp_path / "away")


def test_no_repository_names_the_flag_that_works_without_one(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="--in-place"):
        Repo.find(tmp_path)
    assert main_checkout(tmp_path) is None


def test_no_commit_says_how_to_make_the_first(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "fresh")
    with pytest.raises(GitError, match="git add --all && git commit"):
        Repo.find(tmp_path / "fresh")


def test_a_bare_repository_is_refused(project: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", str(project), "bare.git")
    with pytest.raises(GitError, match="bare"):
        Repo.find(tmp_path / "bare.git")
    git(tmp_path / "bare.git", "worktree", "add", "--quiet", str(tmp_path / "linked"))
    with pytest.raises(GitError, match="bare"):
        Repo.find(tmp_path / "linked")


def test_a_revision_is_resolved_or_named(project: Path) -> None:
    git(project, "tag", "-m", "annotated", "v1")
    tip = git(project, "rev-parse", "HEAD")
    repo = Repo.find(project)
    assert [repo.resolve(name) for name in ("HEAD", "trunk", "v1", tip[:8])] == [tip] * 4
    for wrong in ("nonsense", "--all", "", "HEAD:app.py"):
        with pytest.raises(GitError, match="is no commit"):
            repo.resolve(wrong)


def test_the_line_on_the_base_names_branch_and_uncommitted_work(project: Path) -> None:
    repo = Repo.find(project)
    base = repo.resolve("HEAD")
    assert repo.head_line(base) == f"from {base[:7]} (Start, trunk)"
    write(project, "one.py", "1\n")
    assert repo.head_line(base) == f"from {base[:7]} (Start, trunk); 1 uncommitted file is not in it"
    write(project, "app.py", "2\n")
    git(project, "checkout", "--quiet", "--detach")
    assert repo.head_line(base) == f"from {base[:7]} (Start, detached HEAD); 2 uncommitted files are not in it"
    git(project, "commit", "--quiet", "--all", "-m", "Next")
    assert repo.head_line(base) == f"from {base[:7]} (Start); 1 uncommitted file is not in it"


def test_the_line_on_the_base_leaves_the_persons_index_alone(tmp_path: Path) -> None:
    scene = begin(tmp_path)
    os.utime(scene.repo.root / "docs/guide.md")
    before = picture(scene.repo.root)
    scene.repo.head_line(scene.base)
    assert picture(scene.repo.root) == before


@pytest.mark.parametrize(
    ("branches", "expected"),
    [
        ([], "samoloop/auth"),
        (["samoloop/auth"], "samoloop/auth-2"),
        (["samoloop/auth", "samoloop/auth-2"], "samoloop/auth-3"),
        (["samoloop/auth/deeper"], "samoloop/auth-2"),
        (["samoloop/Auth"], "samoloop/auth-2"),
        (["samoloop"], "samoloop-auth"),
        (["samoloop", "samoloop-auth"], "samoloop-auth-2"),
    ],
)
def test_a_branch_name_that_is_free(project: Path, branches: list[str], expected: str) -> None:
    for name in branches:
        git(project, "branch", name)
    repo = Repo.find(project)
    name = repo.new_branch_name("samoloop/", "auth")
    assert name == expected
    git(project, "branch", name)


def test_a_branch_name_that_git_forbids_is_refused(project: Path) -> None:
    for slug in ("a..b", "a b", "x.lock", "~"):
        with pytest.raises(GitError, match="allows no branch"):
            Repo.find(project).new_branch_name("samoloop/", slug)


@pytest.mark.parametrize("name", ["plain", "with space", 'quo"te', "new\nline", "żółw", "-dash", "a'b"])
def test_paths_of_every_kind(tmp_path: Path, name: str) -> None:
    root = new_repository(tmp_path / name)
    repo = Repo.find(root)
    base = repo.resolve("HEAD")
    worktree = repo.add_worktree(root / ".samoloop/worktrees" / name, "samoloop/x", base)
    assert worktree.root.is_dir()
    assert worktree.state().clean
    assert Repo.find(worktree.root) == repo
    assert worktree.open(repo.git_dir, worktree.root, "samoloop/x") == worktree


def test_a_worktree_from_a_detached_head_and_a_branch_called_anything(project: Path) -> None:
    git(project, "branch", "-m", "trunk", "ünusual/näme")
    git(project, "checkout", "--quiet", "--detach")
    repo = Repo.find(project)
    worktree = repo.add_worktree(project / ".samoloop/worktrees/x", "samoloop/x", repo.resolve("HEAD"))
    assert worktree.state().branch == "samoloop/x"


def test_adding_a_worktree_twice_returns_it(tmp_path: Path) -> None:
    scene = begin(tmp_path)
    write(scene.root, "one.py", "1\n")
    again = scene.repo.add_worktree(scene.root, "samoloop/auth", scene.base)
    assert again == scene.worktree
    assert (scene.root / "one.py").exists()


def test_a_worktree_that_a_crash_left_half_made_is_made_anew(tmp_path: Path) -> None:
    scene = begin(tmp_path)
    (scene.worktree.git_dir / "locked").write_text("initializing")
    (scene.root / "app.py").unlink()
    again = scene.repo.add_worktree(scene.root, "samoloop/auth", scene.base)
    assert (scene.root / "app.py").exists()
    assert again.state().clean


def test_a_branch_left_by_a_crash_is_used_and_a_foreign_one_is_not(project: Path) -> None:
    repo = Repo.find(project)
    base = repo.resolve("HEAD")
    git(project, "branch", "samoloop/x")
    assert repo.add_worktree(project / ".samoloop/worktrees/x", "samoloop/x", base).state().head == base
    git(project, "branch", "samoloop/y")
    git(project, "commit", "--quiet", "--allow-empty", "-m", "Next")
    with pytest.raises(GitError, match="samoloop/y is already there"):
        repo.add_worktree(project / ".samoloop/worktrees/y", "samoloop/y", repo.resolve("HEAD"))


def test_a_folder_that_is_in_the_way_is_refused(project: Path) -> None:
    repo = Repo.find(project)
    write(project, ".samoloop/worktrees/x/mine.txt", "mine\n")
    with pytest.raises(GitError, match="already exists"):
        repo.add_worktree(project / ".samoloop/worktrees/x", "samoloop/x", repo.resolve("HEAD"))
    assert (project / ".samoloop/worktrees/x/mine.txt").read_text() == "mine\n"


def test_a_lock_that_a_killed_git_left_on_a_new_branch_is_in_nobodys_way(project: Path) -> None:
    repo = Repo.find(project)
    lock = project / ".git/refs/heads/samoloop/x.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    repo.make_branch("samoloop/x", repo.resolve("HEAD"))
    assert git(project, "rev-parse", "samoloop/x") == repo.resolve("HEAD") and not lock.exists()
    with pytest.raises(GitError):
        repo.make_branch("samoloop/x", repo.resolve("HEAD"))  # taken is taken


def _gone(scene: Scene, what: str) -> None:
    if what in ("folder", "both"):
        shutil.rmtree(scene.root)
    if what in ("record", "both"):
        (scene.root / ".git").unlink(missing_ok=True)
        git(scene.repo.root, "worktree", "prune", "--expire=now")
        assert not scene.worktree.git_dir.exists()


@pytest.mark.parametrize("what", ["folder", "both"])
def test_a_worktree_whose_folder_is_gone_comes_back_with_its_snapshot(tmp_path: Path, what: str) -> None:
    scene = begin(tmp_path)
    write(scene.root, "one.py", "1\n")
    scene.iterate(1)
    write(scene.root, "half.py", "uncommitted\n")
    write(scene.root, "app.py", "uncommitted\n")
    snapshot = scene.worktree.snapshot()
    _gone(scene, what)
    note = scene.repo.recreate_worktree(scene.root, "samoloop/auth", snapshot.commit, snapshot.head)
    worktree = Worktree.open(scene.repo.git_dir, scene.root, "samoloop/auth")
    assert "was gone" in note
    assert worktree.snapshot().tree == snapshot.tree
    assert worktree.state().head == snapshot.head
    assert scene.child("status", "--porcelain") == "M app.py\n?? half.py"


def test_a_worktree_that_git_forgot_keeps_its_content(tmp_path: Path) -> None:
    scene = begin(tmp_path)
    write(scene.root, "one.py", "1\n")
    scene.iterate(1)
    write(scene.root, "half.py", "uncommitted\n")
    _gone(scene, "record")
    note = scene.repo.remember_worktree(scene.root, "samoloop/auth", scene.base)
    worktree = Worktree.open(scene.repo.git_dir, scene.root, "samoloop/auth")
    assert "knows it again" in note
    assert scene.child("status", "--porcelain") == "?? half.py"
    assert worktree == scene.worktree
    assert sorted(scene.root.parent.iterdir()) == [scene.root.parent / ".gitignore", scene.root]


def test_a_worktree_whose_branch_is_gone_too_comes_back_at_its_last_commit(tmp_path: Path) -> None:
    scene = begin(tmp_path)
    write(scene.root, "one.py", "1\n")
    scene.iterate(1)
    _gone(scene, "both")
    git(scene.repo.root, "branch", "-D", "samoloop/auth")
    scene.repo.recreate_worktree(scene.root, "samoloop/auth", scene.base, scene.base)
    assert scene.branch_tip() == scene.base
    assert (scene.root / "one.py").exists()


def test_a_worktree_whose_making_was_killed_is_cleared_and_a_whole_one_is_not(tmp_path: Path) -> None:
    scene = begin(tmp_path)
    scene.repo.clear_half_made(scene.root)
    assert (scene.root / "app.py").exists()
    write(scene.worktree.git_dir, "locked", "initializing\n")
    scene.repo.clear_half_made(scene.root)
    assert not scene.root.exists() and not scene.worktree.git_dir.exists()


def test_a_branch_ahead_of_the_snapshot_wins(tmp_path: Path) -> None:
    """The child committed, then removed its folder: the commit is newer than the checkpoint."""
    scene = begin(tmp_path)
    write(scene.root, "one.py", "1\n")
    scene.child("add", ".")
    scene.child("commit", "--quiet", "-m", "Newer")
    _gone(scene, "folder")
    scene.repo.recreate_worktree(scene.root, "samoloop/auth", scene.base, scene.base)
    assert (scene.root / "one.py").exists()


def test_ignored_files_that_are_asked_for_are_copied(tmp_path: Path) -> None:
    root = new_repository(tmp_path / "project")
    write(root, ".gitignore", ".env\nnode_modules/\n*.key\n")
    git(root, "commit", "--quiet", "--all", "-m", "Ignore")
    write(root, ".worktreeinclude", ".env\nnode_modules/\n*.key\n!not-this.key\nloose.txt\n")
    write(root, ".env", "SECRET=1\n").chmod(0o600)
    write(root, "node_modules/a b/index.js", "js\n")
    write(root, "deep/er.key", "key\n")
    write(root, "not-this.key", "key\n")
    write(root, "loose.txt", "untracked, not ignored\n")
    (root / "node_modules/link").symlink_to("a b/index.js")
    repo = Repo.find(root)
    make_ignored_folder(root / ".samoloop/worktrees")
    worktree = repo.add_worktree(root / ".samoloop/worktrees/x", "samoloop/x", repo.resolve("HEAD"))
    included = copy_included(repo, worktree)
    assert sorted(included.copied) == [".env", "deep/er.key", "node_modules/a b/index.js", "node_modules/link"]
    assert included.left == ["loose.txt"]
    assert (worktree.root / ".env").stat().st_mode & 0o777 == 0o600
    assert (worktree.root / "node_modules/link").is_symlink()
    assert worktree.state().clean
    assert copy_included(repo, worktree) == included


def test_what_a_crash_cut_short_is_copied_again_and_other_sessions_are_not(tmp_path: Path) -> None:
    root = new_repository(tmp_path / "project")
    repo = Repo.find(root)
    for folder in (".samoloop/worktrees", "kept"):
        make_ignored_folder(root / folder)
    write(root, ".worktreeinclude", "*\n")
    write(root, "build/data", "long enough to be cut\n")
    write(root, "kept/26-11-21-other/_history.jsonl", "another session\n")
    write(root, ".samoloop/worktrees/y/build/data", "another worktree\n")
    worktree = repo.add_worktree(root / ".samoloop/worktrees/x", "samoloop/x", repo.resolve("HEAD"))
    write(worktree.root, "build/data", "long")
    write(worktree.root, "build/.data.samoloop", "lo")
    included = copy_included(repo, worktree, [root / "kept"])
    assert included.copied == ["build/data"]
    assert [path.name for path in (worktree.root / "build").iterdir()] == ["data"]
    assert (worktree.root / "build/data").read_text() == "long enough to be cut\n"
    assert not (worktree.root / "kept").exists() and not (worktree.root / ".samoloop").exists()


def test_a_secret_that_only_an_uncommitted_ignore_file_covers_is_not_copied(tmp_path: Path) -> None:
    """In the worktree nothing would ignore it, and the worker would commit it."""
    root = new_repository(tmp_path / "project")
    write(root, ".gitignore", ".env\n")
    write(root, ".worktreeinclude", ".env\n")
    write(root, ".env", "SECRET=1\n")
    repo = Repo.find(root)
    worktree = repo.add_worktree(tmp_path / "w", "samoloop/x", repo.resolve("HEAD"))
    included = copy_included(repo, worktree)
    assert (included.copied, included.left) == ([], [".env"])
    assert not (worktree.root / ".env").exists()


def test_no_list_of_files_copies_nothing(project: Path, tmp_path: Path) -> None:
    repo = Repo.find(project)
    worktree = repo.add_worktree(tmp_path / "w", "samoloop/x", repo.resolve("HEAD"))
    assert copy_included(repo, worktree).copied == []


def test_importing_git_needs_no_heavy_module() -> None:
    code = (
        "import sys, samoloop.git.repo, samoloop.git.restore; print({'yaml', 'telegram', 'asyncio'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
