"""A session's worktree is opened, read and kept as a snapshot without touching the person's checkout."""

import os
import shutil
from pathlib import Path

import pytest
from git_scene import Scene, begin, git, isolate, new_repository, picture, write

from samoloop.base.errors import GitError
from samoloop.git.commit import commit
from samoloop.git.compare import commits_between, diff_stat
from samoloop.git.repo import Repo
from samoloop.git.worktree import Worktree, WorktreeGone


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    isolate(monkeypatch, tmp_path / "home")
    return begin(tmp_path)


def test_opening_finds_what_git_keeps_for_the_folder(scene: Scene) -> None:
    assert Worktree.open(scene.repo.git_dir, scene.root, "samoloop/auth") == scene.worktree


def test_opening_mends_a_deleted_git_file(scene: Scene) -> None:
    (scene.root / ".git").unlink()
    Worktree.open(scene.repo.git_dir, scene.root, "samoloop/auth")
    assert scene.child("rev-parse", "--show-toplevel") == str(scene.root)


@pytest.mark.parametrize("what", ["link", "elsewhere", "garbage", "folder"])
def test_a_replaced_git_file_is_mended_and_named(scene: Scene, what: str, tmp_path: Path) -> None:
    other = new_repository(tmp_path / "other")
    dot_git = scene.root / ".git"
    dot_git.unlink()
    if what == "link":
        dot_git.symlink_to(other / ".git")
    elif what == "folder":
        (dot_git / "objects").mkdir(parents=True)
    else:
        dot_git.write_text(f"gitdir: {other / '.git'}\n" if what == "elsewhere" else "\0")
    assert len(scene.worktree.repair()) == 1
    assert scene.worktree.repair() == []
    assert scene.child("rev-parse", "--abbrev-ref", "HEAD") == "samoloop/auth"
    assert git(other, "status", "--porcelain") == ""


def test_a_folder_that_is_gone_and_a_worktree_that_was_pruned_are_told_apart(scene: Scene) -> None:
    aside = scene.root.with_name("aside")
    scene.root.rename(aside)
    with pytest.raises(WorktreeGone, match="its folder was removed"):
        Worktree.open(scene.repo.git_dir, scene.root, "samoloop/auth")
    git(scene.repo.root, "worktree", "prune", "--expire=now")
    aside.rename(scene.root)
    with pytest.raises(WorktreeGone, match="pruned"):
        Worktree.open(scene.repo.git_dir, scene.root, "samoloop/auth")


def test_a_main_checkout_that_was_moved_takes_its_worktrees_with_it(scene: Scene, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    scene.repo.root.rename(moved)
    root = moved / ".samoloop/worktrees/26-11-21-auth"
    worktree = Worktree.open(moved / ".git", root, "samoloop/auth")
    write(root, "one.py", "1\n")
    assert commit(worktree, "Moved", since=scene.base).oid
    assert git(root, "log", "-1", "--format=%s") == "Moved"


def test_state_tells_staged_unstaged_and_untracked_apart(scene: Scene) -> None:
    write(scene.root, "staged.py", "1\n")
    scene.child("add", "staged.py")
    assert (scene.worktree.state().staged, scene.worktree.state().unstaged) == (True, [])
    write(scene.root, "app.py", "2\n")
    write(scene.root, "new.py", "3\n")
    state = scene.worktree.state()
    assert (state.unstaged, state.changed, state.clean) == (["app.py", "new.py"], 3, False)
    assert (state.branch, state.head, state.operation) == ("samoloop/auth", scene.base, None)


def test_a_snapshot_moves_no_ref_and_leaves_the_index_alone(scene: Scene) -> None:
    write(scene.root, "staged.py", "1\n")
    scene.child("add", "staged.py")
    write(scene.root, "new.py", "2\n")
    (scene.root / "app.py").unlink()
    before = (scene.child("status", "--porcelain"), scene.child("for-each-ref"))
    snapshot = scene.worktree.snapshot()
    assert (scene.child("status", "--porcelain"), scene.child("for-each-ref")) == before
    assert scene.files_of(snapshot.commit) == [".gitignore", "docs/guide.md", "new.py", "staged.py"]
    assert snapshot.head == scene.base
    assert not list(scene.worktree.git_dir.glob("samoloop.index*"))


def test_a_snapshot_of_a_clean_worktree_is_its_head(scene: Scene) -> None:
    snapshot = scene.worktree.snapshot()
    assert (snapshot.commit, snapshot.tree) == (scene.base, scene.child("rev-parse", "HEAD^{tree}"))


def test_the_same_content_has_the_same_tree_committed_or_not(scene: Scene) -> None:
    write(scene.root, "one.py", "1\n")
    before = scene.worktree.snapshot()
    done = scene.commit()
    assert before.commit != done.snapshot.commit
    assert before.tree == done.snapshot.tree


def test_what_a_crash_left_of_a_snapshot_does_not_hinder_the_next(scene: Scene) -> None:
    (scene.worktree.git_dir / "samoloop.index").write_text("half")
    (scene.worktree.git_dir / "samoloop.index.lock").touch()
    write(scene.root, "one.py", "1\n")
    assert "one.py" in scene.files_of(scene.worktree.snapshot().commit)
    assert not list(scene.worktree.git_dir.glob("samoloop.index*"))


def test_head_is_read_on_a_branch_and_detached(scene: Scene) -> None:
    assert scene.worktree.head() == scene.base
    scene.child("checkout", "--quiet", "--detach")
    assert scene.worktree.head() == scene.base
    scene.child("checkout", "--quiet", "--orphan", "empty")
    assert scene.worktree.head() is None


def test_removing_needs_a_clean_worktree(scene: Scene) -> None:
    write(scene.root, "one.py", "1\n")
    with pytest.raises(GitError, match="contains modified or untracked files"):
        scene.worktree.remove()
    scene.commit()
    scene.child("worktree", "lock", str(scene.root))
    with pytest.raises(GitError, match="locked"):
        scene.worktree.remove()
    scene.child("worktree", "unlock", str(scene.root))
    scene.worktree.remove()
    assert not scene.root.exists()
    assert "one.py" in scene.files_of(scene.branch_tip())


def test_removing_keeps_a_repository_that_the_child_had_made(scene: Scene) -> None:
    (scene.root / ".git").unlink()
    git(scene.root, "init", "--quiet")
    scene.worktree.repair()
    with pytest.raises(GitError, match="replaced-git-1"):
        scene.worktree.remove()


def test_a_base_that_was_forced_elsewhere_keeps_its_commits_for_the_session(scene: Scene) -> None:
    write(scene.root, "one.py", "1\n")
    done = scene.commit("Work")
    git(scene.repo.root, "checkout", "--quiet", "--force", "--orphan", "rewritten")
    git(scene.repo.root, "commit", "--quiet", "-m", "Another past")
    git(scene.repo.root, "branch", "--quiet", "--force", "trunk", "rewritten")
    git(scene.repo.root, "reflog", "expire", "--expire=now", "--all")
    git(scene.repo.root, "gc", "--quiet", "--prune=now")
    assert [s for _, s in commits_between(scene.worktree.store, scene.base, done.snapshot.head)] == ["Work"]


@pytest.fixture
def in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Worktree:
    isolate(monkeypatch, tmp_path / "home")
    folder = tmp_path / "folder"
    write(folder, "app.py", "print('one')\n")
    write(folder, "crlf.txt", "one\r\ntwo\n")
    write(folder, ".gitignore", "*.log\n")
    write(folder, ".gitattributes", "*.txt text eol=lf\n")
    write(folder, "run.log", "ignored\n")
    return _open_in_place(folder)


def _open_in_place(folder: Path) -> Worktree:
    return Worktree.in_place(folder, folder / "_sessions/x/_git", "samoloop/x", ["/_sessions/"])


def test_in_place_a_folder_that_is_no_repository_gets_a_private_one(in_place: Worktree) -> None:
    folder = in_place.root
    assert in_place.state().clean
    base = in_place.snapshot()
    write(folder, "new.py", "1\n")
    done = commit(in_place, "Work", since=base.head)
    assert "new.py | 1 +" in diff_stat(in_place.store, base.head, done.snapshot.head)
    assert not (folder / ".git").exists()
    assert _open_in_place(folder) == in_place
    kept = in_place.store.line("ls-tree", "-r", "--name-only", str(done.oid)).split()
    assert kept == [".gitattributes", ".gitignore", "app.py", "crlf.txt", "new.py"]


def test_in_place_bytes_are_kept_as_they_are(in_place: Worktree) -> None:
    """The folder's own attributes would turn CRLF into LF on the way back."""
    assert in_place.store.run("cat-file", "blob", f"{in_place.ref}:crlf.txt") == b"one\r\ntwo\n"


def test_in_place_inside_a_repository_leaves_that_repository_alone(scene: Scene) -> None:
    before = picture(scene.repo.root)
    worktree = _open_in_place(scene.repo.root)
    excluded = git(scene.repo.root, "status", "--porcelain")
    assert "_sessions" not in excluded
    base = worktree.snapshot().head
    assert commit(worktree, "Nothing", since=base).oid is None
    assert picture(scene.repo.root) == before
    write(scene.repo.root, "notes.txt", "changed\n")
    assert commit(worktree, "Work", since=base).oid
    assert git(scene.repo.root, "log", "--format=%s") == "Start"


def test_in_place_a_crash_before_the_first_commit_is_made_good(in_place: Worktree) -> None:
    in_place.store.run("update-ref", "-d", in_place.ref)
    (in_place.git_dir / "index").unlink()
    again = _open_in_place(in_place.root)
    assert again.state().clean


def test_in_place_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch, tmp_path / "home")
    (tmp_path / "empty").mkdir()
    worktree = _open_in_place(tmp_path / "empty")
    assert worktree.state().clean
    with pytest.raises(GitError, match="--in-place"):
        Repo.find(worktree.root)


def test_two_sessions_have_worktrees_of_one_repository(scene: Scene) -> None:
    second = scene.repo.add_worktree(scene.root.with_name("second"), "samoloop/second", scene.base)
    write(second.root, "two.py", "2\n")
    write(scene.root, "one.py", "1\n")
    scene.commit()
    assert commit(second, "Second", since=scene.base).oid
    shutil.rmtree(second.root)
    assert scene.worktree.state().clean
    assert sorted(os.listdir(scene.root.parent)) == [".gitignore", "26-11-21-auth"]  # noqa: PTH208
