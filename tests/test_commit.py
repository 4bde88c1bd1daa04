"""Whatever a child leaves in its worktree, the commit after it holds what it may hold and loses nothing."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from git_scene import Scene, begin, git, isolate, new_repository, picture, write

from samoloop.base.errors import GitError
from samoloop.git.compare import commits_between, diff_stat
from samoloop.git.staging import LIMIT_BYTES, stage
from samoloop.git.worktree import WorktreeGone


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    isolate(monkeypatch, tmp_path / "home")
    return begin(tmp_path)


def test_new_changed_and_removed_files_are_committed_to_the_sessions_branch(scene: Scene) -> None:
    write(scene.root, "new.py", "new\n")
    write(scene.root, "app.py", "changed\n")
    (scene.root / "docs/guide.md").unlink()
    done = scene.commit("samoloop: work of iteration 3\n\nmore\n")
    assert done.oid == done.snapshot.commit == done.snapshot.head == scene.branch_tip()
    assert scene.files_of(done.oid) == [".gitignore", "app.py", "new.py"]
    assert git(scene.repo.root, "log", "-1", "--format=%an %s%n%b", done.oid) == (
        "Ada samoloop: work of iteration 3\nmore"
    )
    assert (scene.child("status", "--porcelain"), done.notes, done.skipped) == ("", [], [])


def test_nothing_to_commit_makes_no_commit(scene: Scene) -> None:
    done = scene.commit()
    assert (done.oid, done.snapshot.commit, done.notes) == (None, scene.base, [])


def test_changes_that_cancel_each_other_make_no_empty_commit(scene: Scene) -> None:
    write(scene.root, "app.py", "changed\n")
    scene.child("add", "app.py")
    write(scene.root, "app.py", "print('one')\n")
    assert scene.commit().oid is None
    assert scene.branch_tip() == scene.base


def test_what_the_child_staged_is_committed_as_the_child_meant_it(scene: Scene) -> None:
    """Taken out of git and kept on disk, ignored: adding it again would undo what the child did."""
    write(scene.root, ".gitignore", "*.log\nbuild/\ndocs/\n")
    scene.child("rm", "--quiet", "--cached", "docs/guide.md")
    write(scene.root, "intent.txt", "later\n")
    scene.child("add", "--intent-to-add", "intent.txt")
    done = scene.commit()
    assert scene.files_of(str(done.oid)) == [".gitignore", "app.py", "intent.txt"]
    assert (scene.root / "docs/guide.md").exists()


def test_a_file_replaced_by_a_folder_and_the_other_way_round(scene: Scene) -> None:
    (scene.root / "app.py").unlink()
    write(scene.root, "app.py/inner.py", "x\n")
    shutil.rmtree(scene.root / "docs")
    write(scene.root, "docs", "now a file\n")
    done = scene.commit()
    assert scene.files_of(str(done.oid)) == [".gitignore", "app.py/inner.py", "docs"]


def test_the_childs_own_commits_stay_and_its_leftovers_come_on_top(scene: Scene) -> None:
    write(scene.root, "one.py", "1\n")
    scene.child("add", ".")
    scene.child("commit", "--quiet", "-m", "Add one")
    write(scene.root, "two.py", "2\n")
    done = scene.commit("Leftovers")
    subjects = [subject for _, subject in commits_between(scene.worktree.store, scene.base, done.snapshot.head)]
    assert subjects == ["Add one", "Leftovers"]
    stat = diff_stat(scene.worktree.store, scene.base, done.snapshot.head)
    assert "one.py" in stat and "two.py" in stat and "2 files changed" in stat


def test_amended_commits_are_named_and_the_old_ones_stay_reachable(scene: Scene) -> None:
    write(scene.root, "one.py", "1\n")
    scene.iterate(1)
    old = scene.base
    write(scene.root, "one.py", "2\n")
    scene.child("commit", "--quiet", "--all", "--amend", "-m", "Rewritten")
    done = scene.commit()
    assert done.blocked is None
    assert f"The child rewrote the branch: {old[:12]}" in done.notes[0]
    git(scene.repo.root, "-c", "gc.reflogExpire=now", "reflog", "expire", "--expire=now", "--all")
    git(scene.repo.root, "gc", "--quiet", "--prune=now")
    assert git(scene.repo.root, "cat-file", "-t", old) == "commit"


def test_a_finished_rebase_is_fine(scene: Scene) -> None:
    write(scene.root, "one.py", "1\n")
    scene.iterate(1)
    git(scene.repo.root, "branch", "ahead", git(scene.repo.root, "commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "x"))
    scene.child("rebase", "--quiet", "ahead")
    write(scene.root, "two.py", "2\n")
    done = scene.commit()
    assert done.oid == scene.branch_tip()
    assert "rewrote the branch" in done.notes[0]


def test_a_detached_head_ahead_of_the_branch_is_attached_again(scene: Scene) -> None:
    scene.child("checkout", "--quiet", "--detach")
    write(scene.root, "one.py", "1\n")
    scene.child("add", ".")
    scene.child("commit", "--quiet", "-m", "Detached")
    write(scene.root, "two.py", "2\n")
    done = scene.commit()
    assert done.blocked is None
    assert "a detached HEAD" in done.notes[0]
    assert scene.child("symbolic-ref", "HEAD") == "refs/heads/samoloop/auth"
    assert scene.files_of(scene.branch_tip())[-2:] == ["one.py", "two.py"]


def test_another_branch_ahead_moves_the_sessions_branch_and_not_the_other(scene: Scene) -> None:
    scene.child("switch", "--quiet", "-c", "feature")
    write(scene.root, "one.py", "1\n")
    scene.child("add", ".")
    scene.child("commit", "--quiet", "-m", "On feature")
    feature = scene.child("rev-parse", "feature")
    write(scene.root, "two.py", "2\n")
    done = scene.commit()
    assert "branch feature" in done.notes[0]
    assert scene.child("rev-parse", "feature") == feature
    assert scene.child("rev-parse", "samoloop/auth^") == feature
    assert done.oid == scene.branch_tip()


@pytest.mark.parametrize("detach", [True, False])
def test_a_branch_that_does_not_contain_the_sessions_blocks_with_both_names(scene: Scene, detach: bool) -> None:
    """Committing there would move a branch that is someone else's."""
    write(scene.root, "one.py", "1\n")
    scene.iterate(1)
    git(scene.repo.root, "branch", "mine", "trunk")
    scene.child("checkout", "--quiet", *(["--detach"] if detach else []), "mine")
    write(scene.root, "stray.py", "work\n")
    done = scene.commit()
    assert done.oid is None
    assert ("a detached HEAD" if detach else "branch mine") in str(done.blocked)
    assert "samoloop/auth" in str(done.blocked)
    assert git(scene.repo.root, "rev-parse", "mine") == git(scene.repo.root, "rev-parse", "trunk")
    assert scene.branch_tip() == scene.base
    assert "stray.py" in scene.files_of(done.snapshot.commit)


def test_an_orphan_branch_blocks_and_its_content_is_kept(scene: Scene) -> None:
    scene.child("checkout", "--quiet", "--orphan", "empty")
    done = scene.commit()
    assert "branch empty" in str(done.blocked)
    assert "app.py" in scene.files_of(done.snapshot.commit)


def test_a_branch_checked_out_elsewhere_is_not_moved_under_that_checkout(scene: Scene, tmp_path: Path) -> None:
    scene.child("checkout", "--quiet", "--detach")
    git(scene.repo.root, "worktree", "add", "--quiet", str(tmp_path / "other"), "samoloop/auth")
    write(scene.root, "one.py", "1\n")
    done = scene.commit()
    assert str(tmp_path / "other") in str(done.blocked)
    assert git(tmp_path / "other", "status", "--porcelain") == ""
    assert "one.py" in scene.files_of(done.snapshot.commit)


def test_a_deleted_branch_is_back_where_the_iteration_began(scene: Scene) -> None:
    scene.child("update-ref", "-d", "refs/heads/samoloop/auth")
    write(scene.root, "one.py", "1\n")
    done = scene.commit()
    assert done.notes == [f"The child had deleted the branch samoloop/auth; it is back at {scene.base[:12]}."]
    assert scene.child("rev-parse", "samoloop/auth^") == scene.base
    assert "one.py" in scene.files_of(str(done.oid))


def _conflict(scene: Scene) -> None:
    git(scene.repo.root, "branch", "theirs", "trunk")
    scene.child("checkout", "--quiet", "theirs")
    write(scene.root, "app.py", "theirs\n")
    scene.child("commit", "--quiet", "--all", "-m", "Theirs")
    scene.child("checkout", "--quiet", "samoloop/auth")
    write(scene.root, "app.py", "ours\n")
    scene.child("commit", "--quiet", "--all", "-m", "Ours")
    scene.base = scene.branch_tip()


@pytest.mark.parametrize("operation", ["merge", "rebase", "cherry-pick", "revert"])
def test_an_operation_in_progress_is_left_to_the_next_child(scene: Scene, operation: str) -> None:
    """A commit now would hold conflict markers and end the merge."""
    _conflict(scene)
    target = "theirs"
    if operation == "revert":
        write(scene.root, "app.py", "newer\n")
        scene.child("commit", "--quiet", "--all", "-m", "Newer")
        scene.base = scene.branch_tip()
        target = "HEAD^"
    scene.child(operation, target, check=False)
    write(scene.root, "untracked.py", "half done\n")
    before = scene.child("status", "--porcelain=v2")
    done = scene.commit()
    assert (done.oid, done.blocked) == (None, None)
    assert f"A {operation} is in progress" in done.notes[0]
    assert scene.branch_tip() == scene.base
    assert scene.child("status", "--porcelain=v2") == before
    assert "<<<<<<<" in scene.text_of(done.snapshot.commit, "app.py")
    assert "untracked.py" in scene.files_of(done.snapshot.commit)


def test_a_bisection_is_left_to_the_next_child(scene: Scene) -> None:
    for number in range(3):
        scene.child("commit", "--quiet", "--allow-empty", "-m", f"{number}")
    scene.child("bisect", "start", "HEAD", "HEAD~3")
    done = scene.commit()
    assert (done.oid, done.blocked) == (None, None)
    assert done.notes == [
        "A bisect is in progress in the worktree, so nothing was committed: end it (git bisect reset)."
    ]


def test_conflicts_after_a_stash_pop_are_not_committed(scene: Scene) -> None:
    write(scene.root, "app.py", "stashed\n")
    scene.child("stash", "--quiet")
    write(scene.root, "app.py", "other\n")
    scene.child("commit", "--quiet", "--all", "-m", "Other")
    scene.child("stash", "pop", check=False)
    done = scene.commit()
    assert done.oid is None
    assert done.notes[-1] == "Nothing was committed because of conflicts in app.py: resolve them."
    assert "<<<<<<<" in scene.text_of(done.snapshot.commit, "app.py")


def test_a_lock_file_that_a_killed_git_left_is_removed_whatever_its_time(scene: Scene) -> None:
    lock = scene.worktree.git_dir / "index.lock"
    lock.touch()
    os.utime(lock, (time.time() + 3600, time.time() + 3600))
    write(scene.root, "one.py", "1\n")
    done = scene.commit()
    assert done.oid
    assert done.notes == ["A killed git had left index.lock; it was removed."]
    assert not lock.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody can see it")
def test_a_lock_file_stays_while_a_git_is_at_work_there_and_the_snapshot_holds_the_work(scene: Scene) -> None:
    lock = scene.worktree.git_dir / "index.lock"
    lock.touch()
    write(scene.root, "sub/one.py", "1\n")
    words = ["git", "-C", "sub", "cat-file", "--batch"]
    with subprocess.Popen(words, cwd=scene.root, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as at_work:
        assert at_work.stdin and at_work.stdout
        at_work.stdin.write(b"HEAD\n")
        at_work.stdin.flush()
        at_work.stdout.readline()
        done = scene.commit()
        at_work.stdin.close()
    assert done.oid is None
    assert "index.lock" in done.notes[0]
    assert "sub/one.py" in scene.files_of(done.snapshot.commit)
    assert lock.exists()


def test_a_nested_repository_is_skipped_and_named(scene: Scene) -> None:
    new_repository(scene.root / "vendor/lib")
    (scene.root / "vendor/empty").mkdir()
    git(scene.root / "vendor/empty", "init", "--quiet")
    write(scene.root, "one.py", "1\n")
    done = scene.commit()
    assert "one.py" in scene.files_of(str(done.oid))
    assert [(s.path, s.why) for s in done.skipped] == [
        ("vendor/empty/", "a git repository of its own"),
        ("vendor/lib/", "a git repository of its own"),
    ]
    assert scene.commit().oid is None


def test_files_changed_inside_a_submodule_are_not_dirty_for_ever(scene: Scene, tmp_path: Path) -> None:
    library = new_repository(tmp_path / "library")
    scene.child("submodule", "--quiet", "add", str(library), "lib")
    assert scene.commit().oid
    write(scene.root, "lib/app.py", "changed inside\n")
    assert scene.worktree.state().clean
    assert scene.commit().oid is None


def test_a_new_commit_of_a_submodule_is_committed(scene: Scene, tmp_path: Path) -> None:
    scene.child("submodule", "--quiet", "add", str(new_repository(tmp_path / "library")), "lib")
    scene.commit()
    git(scene.root / "lib", "commit", "--quiet", "--allow-empty", "-m", "Inside")
    done = scene.commit()
    assert scene.child("rev-parse", f"{done.oid}:lib") == git(scene.root / "lib", "rev-parse", "HEAD")


@pytest.mark.skipif(shutil.which("git-lfs") is not None, reason="git-lfs is installed")
def test_an_lfs_file_without_git_lfs_is_in_the_snapshot_alone(scene: Scene) -> None:
    git(scene.repo.root, "config", "filter.lfs.clean", "git-lfs clean -- %f")
    git(scene.repo.root, "config", "filter.lfs.process", "git-lfs filter-process")
    git(scene.repo.root, "config", "filter.lfs.required", "true")
    write(scene.root, ".gitattributes", "*.bin filter=lfs\n")
    write(scene.root, "model.bin", "weights\n")
    write(scene.root, "one.py", "1\n")
    done = scene.commit()
    assert scene.files_of(str(done.oid))[:2] == [".gitattributes", ".gitignore"]
    assert "one.py" in scene.files_of(str(done.oid))
    assert [skipped.path for skipped in done.skipped] == ["model.bin"]
    assert "lfs" in done.skipped[0].why
    assert scene.text_of(scene.worktree.snapshot().commit, "model.bin") == "weights"


def test_a_file_over_the_limit_is_skipped_and_never_read(scene: Scene) -> None:
    with (scene.root / "huge.bin").open("wb") as file:
        file.truncate(LIMIT_BYTES + 1)
    write(scene.root, "one.py", "1\n")
    done = scene.commit()
    assert "one.py" in scene.files_of(str(done.oid))
    assert [(s.path, s.why) for s in done.skipped] == [("huge.bin", "50 MB, and the limit is 50 MB")]
    assert done.snapshot.commit == done.oid
    assert int(scene.child("count-objects", "-v").splitlines()[1].split()[1]) < 100


def test_a_path_that_git_refuses_does_not_keep_the_others_back(scene: Scene) -> None:
    for number in range(9):
        write(scene.root, f"f{number}.py", "x\n")
    git(scene.repo.root, "config", "filter.broken.clean", "false")
    git(scene.repo.root, "config", "filter.broken.required", "true")
    write(scene.repo.git_dir, "info/attributes", "f3a filter=broken\n")
    write(scene.root, "f3a", "x\n")
    done = scene.commit()
    assert len([name for name in scene.files_of(str(done.oid)) if name.startswith("f")]) == 9
    assert [skipped.path for skipped in done.skipped] == ["f3a"]
    assert "git refused it" in done.skipped[0].why


def test_an_unreadable_file_is_skipped(scene: Scene) -> None:
    secret = write(scene.root, "secret", "x\n")
    secret.chmod(0)
    if os.access(secret, os.R_OK):
        pytest.skip("root reads every file")
    write(scene.root, "one.py", "1\n")
    done = scene.commit()
    assert "one.py" in scene.files_of(str(done.oid))
    assert [(s.path, s.why) for s in done.skipped] == [("secret", "cannot be read")]


def test_links_pipes_and_names_of_every_kind(scene: Scene) -> None:
    names = ["with space", 'quo"te', "new\nline", "tab\there", "back\\slash", "-dash", "żółw", "a'b", ":(top)x", "*?["]
    for name in names:
        write(scene.root, f"odd/{name}", "x\n")
    raw = os.fsencode(scene.root) + b"/odd/\xff\xfe"
    Path(os.fsdecode(raw)).write_text("x\n")
    (scene.root / "link").symlink_to("/etc/passwd")
    (scene.root / "dangling").symlink_to("nowhere")
    os.mkfifo(scene.root / "pipe")
    done = scene.commit()
    listed = git(scene.repo.root, "ls-tree", "-r", "-z", "--name-only", str(done.oid)).split("\0")
    assert {f"odd/{name}" for name in names} <= set(listed)
    assert os.fsdecode(b"odd/\xff\xfe") in listed
    assert "pipe" not in listed
    assert scene.text_of(str(done.oid), "link") == "/etc/passwd"
    assert scene.child("status", "--porcelain") == ""


def test_a_corrupt_index_is_made_anew(scene: Scene) -> None:
    write(scene.root, "one.py", "1\n")
    (scene.worktree.git_dir / "index").write_bytes(b"garbage" * 100)
    done = scene.commit()
    assert done.notes == ["The index was corrupt and has been made anew; no file was changed."]
    assert scene.files_of(str(done.oid)) == [".gitignore", "app.py", "docs/guide.md", "one.py"]


def test_an_unreadable_head_names_the_branch_again(scene: Scene) -> None:
    (scene.worktree.git_dir / "HEAD").write_bytes(b"\0\0\0")
    write(scene.root, "one.py", "1\n")
    done = scene.commit()
    assert "is on samoloop/auth again" in done.notes[0]
    assert done.oid == scene.branch_tip()


def test_a_stash_entry_that_the_child_took_is_named_with_the_way_back(scene: Scene) -> None:
    """All worktrees share the stash, so a child can pop the person's."""
    before = scene.worktree.stashes()
    assert len(before) == 1
    scene.child("stash", "pop", "--quiet")
    done = scene.commit(stashes=before)
    assert before[0][:12] in done.notes[0]
    command = done.notes[0].split("`")[1]
    git(scene.repo.root, *command.split()[1:])
    assert scene.worktree.stashes() == before


def test_work_that_the_child_left_in_the_stash_is_named(scene: Scene) -> None:
    before = scene.worktree.stashes()
    write(scene.root, "app.py", "stashed away\n")
    scene.child("stash", "--quiet")
    done = scene.commit(stashes=before)
    assert done.notes[0].startswith("The child left work in the stash")
    assert scene.commit(stashes=scene.worktree.stashes()).notes == []


def test_no_hook_and_no_signing_program_runs(scene: Scene) -> None:
    marker = scene.repo.root.parent / "fired"
    hooks = (
        "pre-commit prepare-commit-msg commit-msg post-commit post-checkout post-index-change reference-transaction "
        "pre-auto-gc post-rewrite fsmonitor-watchman"
    )
    for name in hooks.split():
        hook = write(scene.repo.git_dir, f"hooks/{name}", f"#!/bin/sh\necho {name} >>'{marker}'\nexit 1\n")
        hook.chmod(0o755)
    git(scene.repo.root, "config", "commit.gpgSign", "true")
    git(scene.repo.root, "config", "log.showSignature", "true")
    git(scene.repo.root, "config", "gpg.program", "false")
    git(scene.repo.root, "config", "core.fsmonitor", str(scene.repo.git_dir / "hooks/fsmonitor-watchman"))
    write(scene.root, "one.py", "1\n")
    scene.iterate(1)
    scene.repo.add_worktree(scene.root.parent / "second", "samoloop/second", scene.base)
    assert not marker.exists()
    assert "one.py" in scene.files_of(scene.branch_tip())


def test_git_without_a_name_and_an_address(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "home/.gitconfig").write_text("[user]\n\tuseConfigOnly = true\n")
    write(scene.root, "one.py", "1\n")
    done = scene.commit()
    assert git(scene.repo.root, "log", "-1", "--format=%an <%ae> %cn", str(done.oid)) == (
        "samoloop <samoloop@localhost> samoloop"
    )


def test_the_persons_own_checkout_stays_as_it_is(scene: Scene) -> None:
    before = picture(scene.repo.root)
    write(scene.root, "one.py", "1\n")
    scene.iterate(1)
    write(scene.root, "app.py", "2\n")
    scene.iterate(2)
    assert picture(scene.repo.root) == before


@pytest.mark.parametrize("own", [False, True])
def test_a_child_that_deletes_its_git_file_leaves_the_persons_checkout_alone(scene: Scene, own: bool) -> None:
    before = picture(scene.repo.root)
    (scene.root / ".git").unlink()
    if own:
        git(scene.root, "init", "--quiet")
        write(scene.root, "own.py", "1\n")
        scene.child("add", "own.py")
        scene.child("commit", "--quiet", "-m", "In a repository of the child's own")
    write(scene.root, "one.py", "1\n")
    done = scene.commit()
    assert picture(scene.repo.root) == before
    assert "one.py" in scene.files_of(scene.branch_tip())
    assert scene.child("rev-parse", "--abbrev-ref", "HEAD") == "samoloop/auth"
    if own:
        aside = scene.worktree.git_dir / "replaced-git-1"
        assert str(aside) in done.notes[0]
        assert git(aside, f"--git-dir={aside}", "log", "--format=%s") == "In a repository of the child's own"
    else:
        assert done.notes == [f"The .git file of {scene.root} was missing and is back."]


def test_a_child_that_deletes_the_worktree_is_told_apart(scene: Scene) -> None:
    shutil.rmtree(scene.root)
    with pytest.raises(WorktreeGone, match="its folder was removed"):
        scene.commit()


def test_an_index_that_cannot_be_written_is_an_error_and_no_list_of_refused_paths(scene: Scene) -> None:
    """Every path fails alike, so none of them is to blame."""
    lock = scene.worktree.git_dir / "index.lock"
    write(scene.root, "one.py", "1\n")
    state = scene.worktree.state()
    lock.touch()
    with pytest.raises(GitError, match=r"index\.lock"):
        stage(scene.worktree.git, scene.root, state.to_stage)
