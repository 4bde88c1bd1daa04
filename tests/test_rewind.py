"""The way back puts code and session to an earlier iteration, and loses nothing on the way."""

import subprocess
from pathlib import Path

import pytest
from git_scene import Scene, begin, git, isolate, picture, write

from samoloop.base.errors import GitError
from samoloop.git import checkpoint
from samoloop.git.commit import commit
from samoloop.git.compare import around, patch
from samoloop.git.restore import fork, put_back_session, restore
from samoloop.git.staging import LIMIT_BYTES
from samoloop.git.worktree import Worktree


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    isolate(monkeypatch, tmp_path / "home")
    return begin(tmp_path)


def _three_iterations(scene: Scene) -> None:
    write(scene.root, "one.py", "1\n")
    write(scene.session, "plan.md", "plan 1\n")
    scene.iterate(1)
    write(scene.root, "one.py", "changed\n")
    write(scene.root, "deep/two.py", "2\n")
    (scene.root / "docs/guide.md").unlink()
    write(scene.session, "plan.md", "plan 2\n")
    write(scene.session, "reviews/first.md", "good\n")
    scene.iterate(2)
    write(scene.root, "three.py", "3\n")
    (scene.session / "plan.md").unlink()
    scene.iterate(3)


def _back(scene: Scene, iteration: int) -> tuple[list[str], list[Path]]:
    target = checkpoint.find(scene.worktree.store, scene.ref, iteration)
    done = restore(scene.worktree, scene.session, scene.ref, target)
    return list(done.notes), list(done.aside)


def _tracked_content(root: Path) -> dict[str, str]:
    return {
        str(p.relative_to(root)): p.read_text() for p in sorted(root.rglob("*")) if p.is_file() and p.name != ".git"
    }


def test_code_and_session_are_as_they_were(scene: Scene) -> None:
    write(scene.root, "one.py", "1\n")
    write(scene.session, "plan.md", "plan 1\n")
    first = scene.iterate(1)
    code, session = _tracked_content(scene.root), _tracked_content(scene.session)
    write(scene.root, "one.py", "changed\n")
    write(scene.root, "deep/two.py", "2\n")
    (scene.root / "docs/guide.md").unlink()
    write(scene.session, "plan.md", "plan 2\n")
    write(scene.session, "reviews/first.md", "good\n")
    scene.iterate(2)
    done = restore(scene.worktree, scene.session, scene.ref, first)
    assert _tracked_content(scene.root) == code
    assert _tracked_content(scene.session) == session
    assert scene.worktree.state().clean
    assert scene.branch_tip() == first.head
    assert (done.aside, done.notes) == ([], [])


def test_the_past_is_not_rewritten_and_what_was_left_stays_reachable(scene: Scene) -> None:
    _three_iterations(scene)
    tip = checkpoint.tip(scene.worktree.store, scene.ref)
    assert tip is not None
    write(scene.session, "_history.jsonl", "journal\n")
    write(scene.session, "_logs/003.jsonl", "log\n")
    done = restore(scene.worktree, scene.session, scene.ref, checkpoint.find(scene.worktree.store, scene.ref, 1))
    timeline = checkpoint.timeline(scene.worktree.store, scene.ref)
    assert [c.summary for c in timeline] == [
        "Back at iteration 1",
        "Before going back to iteration 1",
        "003 testing",
        "002 testing",
        "001 testing",
    ]
    assert timeline[0].oid == done.checkpoint.oid
    assert (timeline[0].tree, timeline[0].code) == (timeline[4].tree, timeline[4].code)
    assert (scene.session / "_history.jsonl").read_text() == "journal\n"
    assert (scene.session / "_logs/003.jsonl").read_text() == "log\n"
    git(scene.repo.root, "merge-base", "--is-ancestor", tip.oid, scene.ref)
    git(scene.repo.root, "reflog", "expire", "--expire=now", "--all")
    git(scene.repo.root, "gc", "--quiet", "--prune=now")
    _back(scene, 3)
    assert (scene.root / "three.py").read_text() == "3\n"


def test_uncommitted_work_of_the_present_is_kept_and_what_is_new_stays_where_it_is(scene: Scene) -> None:
    _three_iterations(scene)
    write(scene.root, "untracked/half.py", "half\n")
    write(scene.root, "one.py", "unsaved thought\n")
    write(scene.session, "late.md", "late\n")
    done = restore(scene.worktree, scene.session, scene.ref, checkpoint.find(scene.worktree.store, scene.ref, 2))
    assert (done.kept, done.removed) == (["late.md", "untracked/half.py"], ["three.py"])
    assert (scene.root / "untracked/half.py").read_text() == "half\n"
    assert (scene.session / "late.md").read_text() == "late\n"
    assert "untracked/half.py" in scene.files_of(done.left.code)
    assert scene.text_of(done.left.code, "one.py") == "unsaved thought"
    assert scene.text_of(done.left.oid, "late.md") == "late"
    restore(scene.worktree, scene.session, scene.ref, done.left)
    assert (scene.root / "untracked/half.py").read_text() == "half\n"
    assert scene.child("status", "--porcelain") == "M one.py\n?? untracked/"


def test_work_that_was_uncommitted_then_is_uncommitted_again(scene: Scene) -> None:
    write(scene.root, "app.py", "half\n")
    write(scene.root, "new.py", "half\n")
    snapshot = scene.worktree.snapshot()
    made = checkpoint.make(scene.worktree, scene.session, scene.ref, snapshot, summary="half", iteration=1)
    scene.iterate(2)
    restore(scene.worktree, scene.session, scene.ref, made)
    assert scene.branch_tip() == made.head
    assert scene.child("status", "--porcelain") == "M app.py\n?? new.py"
    assert scene.worktree.snapshot().tree == snapshot.tree


def test_ignored_files_stay(scene: Scene) -> None:
    _three_iterations(scene)
    write(scene.root, ".env.log", "secret\n")
    write(scene.root, "build/out", "built\n")
    _back(scene, 1)
    assert (scene.root / ".env.log").read_text() == "secret\n"
    assert (scene.root / "build/out").read_text() == "built\n"


def test_an_ignored_file_that_the_target_tracks_is_moved_aside(scene: Scene) -> None:
    write(scene.root, "config.ini", "tracked\n")
    write(scene.root, "data/x.txt", "tracked\n")
    scene.iterate(1)
    scene.child("rm", "--quiet", "-r", "config.ini", "data")
    write(scene.root, ".gitignore", "*.log\nbuild/\nconfig.ini\ndata\n")
    scene.iterate(2)
    write(scene.root, "config.ini", "the person's own\n")
    write(scene.root, "data", "a file now\n")
    notes, aside = _back(scene, 1)
    assert notes == []
    assert [(path.name, path.read_text()) for path in aside] == [
        ("config.ini", "the person's own\n"),
        ("data", "a file now\n"),
    ]
    assert all(scene.session / "_logs" in path.parents for path in aside)
    assert (scene.root / "config.ini").read_text() == "tracked\n"
    assert (scene.root / "data/x.txt").read_text() == "tracked\n"


def test_a_folder_of_ignored_files_where_the_target_has_a_file(scene: Scene) -> None:
    write(scene.root, "out", "a file\n")
    scene.iterate(1)
    (scene.root / "out").unlink()
    write(scene.root, "out/tracked.py", "1\n")
    scene.iterate(2)
    write(scene.root, "out/run.log", "ignored\n")
    _, aside = _back(scene, 1)
    assert (aside[0] / "run.log").read_text() == "ignored\n"
    assert (scene.root / "out").read_text() == "a file\n"


def test_a_tracked_file_too_large_for_a_snapshot_is_moved_aside(scene: Scene) -> None:
    write(scene.root, "data.bin", "small\n")
    scene.iterate(1)
    with (scene.root / "data.bin").open("wb") as file:
        file.truncate(LIMIT_BYTES + 1)
    _, aside = _back(scene, 1)
    assert aside[0].stat().st_size == LIMIT_BYTES + 1
    assert (scene.root / "data.bin").read_text() == "small\n"


@pytest.mark.parametrize("operation", ["merge", "rebase", "cherry-pick"])
def test_going_back_ends_what_is_in_progress(scene: Scene, operation: str) -> None:
    write(scene.root, "app.py", "ours\n")
    scene.iterate(1)
    git(scene.repo.root, "branch", "theirs", "trunk")
    scene.child("checkout", "--quiet", "theirs")
    write(scene.root, "app.py", "theirs\n")
    scene.child("commit", "--quiet", "--all", "-m", "Theirs")
    scene.child("checkout", "--quiet", "samoloop/auth")
    scene.child(operation, "theirs", check=False)
    assert scene.worktree.state().operation == operation
    done = restore(scene.worktree, scene.session, scene.ref, checkpoint.find(scene.worktree.store, scene.ref, 1))
    state = scene.worktree.state()
    assert (state.operation, state.clean, state.branch) == (None, True, "samoloop/auth")
    assert (scene.root / "app.py").read_text() == "ours\n"
    assert done.notes == [f"The {operation} that was in progress was given up."]
    assert "<<<<<<<" in scene.text_of(done.left.code, "app.py")


def test_going_back_ends_a_bisection(scene: Scene) -> None:
    for number in (1, 2, 3):
        write(scene.root, "one.py", f"{number}\n")
        scene.iterate(number)
    scene.child("bisect", "start", "HEAD", "HEAD~3")
    assert _back(scene, 2)[0] == ["The bisect that was in progress was given up."]
    assert (scene.root / "one.py").read_text() == "2\n"
    assert scene.worktree.state().branch == "samoloop/auth"
    assert scene.worktree.state().operation is None


def test_going_back_from_another_branch_leaves_that_branch_alone(scene: Scene) -> None:
    write(scene.root, "one.py", "1\n")
    scene.iterate(1)
    scene.child("checkout", "--quiet", "-b", "mine", "trunk")
    trunk = git(scene.repo.root, "rev-parse", "trunk")
    write(scene.root, "stray.py", "work\n")
    _back(scene, 1)
    assert git(scene.repo.root, "rev-parse", "mine") == trunk
    assert scene.worktree.state().branch == "samoloop/auth"
    assert scene.worktree.state().unstaged == ["stray.py"]
    assert (scene.root / "one.py").exists()


def test_going_back_never_touches_the_persons_checkout(scene: Scene) -> None:
    """The child had deleted the worktree's .git: a reset would have found the person's own work (seen)."""
    _three_iterations(scene)
    before = picture(scene.repo.root)
    (scene.root / ".git").unlink()
    _back(scene, 1)
    assert picture(scene.repo.root) == before
    assert (scene.root / "one.py").read_text() == "1\n"


def test_going_back_is_refused_while_another_checkout_has_the_branch(scene: Scene, tmp_path: Path) -> None:
    _three_iterations(scene)
    scene.child("checkout", "--quiet", "--detach")
    git(scene.repo.root, "worktree", "add", "--quiet", str(tmp_path / "other"), "samoloop/auth")
    with pytest.raises(GitError, match="also checked out in"):
        _back(scene, 1)


def test_going_back_twice_as_after_a_crash_ends_in_the_same_state(scene: Scene) -> None:
    _three_iterations(scene)
    _back(scene, 1)
    (scene.root / "one.py").unlink()
    write(scene.session, "plan.md", "half restored\n")
    _back(scene, 1)
    assert (scene.root / "one.py").read_text() == "1\n"
    assert (scene.session / "plan.md").read_text() == "plan 1\n"


def test_only_files_that_differ_are_written(scene: Scene) -> None:
    _three_iterations(scene)
    before = (scene.root / "app.py").stat().st_mtime_ns, (scene.session / "_overview.md").stat().st_mtime_ns
    _back(scene, 1)
    after = (scene.root / "app.py").stat().st_mtime_ns, (scene.session / "_overview.md").stat().st_mtime_ns
    assert after == before


def test_session_files_are_put_back_in_a_deleted_folder_and_never_through_a_link(scene: Scene, tmp_path: Path) -> None:
    _three_iterations(scene)
    target = checkpoint.find(scene.worktree.store, scene.ref, 2)
    outside = tmp_path / "outside"
    outside.mkdir()
    for path in sorted(scene.session.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (scene.session / "reviews").symlink_to(outside)
    (scene.session / "plan.md").symlink_to(outside / "plan.md")
    changed = put_back_session(scene.worktree.store, scene.session, target)
    assert sorted(changed) == ["_overview.md", "plan.md", "reviews/first.md"]
    assert (scene.session / "reviews/first.md").read_text() == "good\n"
    assert list(outside.iterdir()) == []


def test_guidance_that_a_session_of_an_earlier_version_kept_in_its_folder_is_not_put_back(scene: Scene) -> None:
    write(scene.session, "_inbox.md", "new guidance\n")
    scene.iterate(1)
    scene.iterate(2)
    _back(scene, 1)
    assert (scene.session / "_inbox.md").read_text() == "new guidance\n"


def iteration_diff(scene: Scene, iteration: int) -> tuple[str, str]:
    """Of the code, and of the session."""
    store = scene.worktree.store
    before, target = around(store, scene.ref, iteration)
    assert before
    return patch(store, before.code, target.code), patch(store, before.tree, target.tree, "_sessions/x/")


def test_the_difference_of_an_iteration_shows_code_and_session(scene: Scene) -> None:
    _three_iterations(scene)
    code, session = iteration_diff(scene, 2)
    assert "-1\n+changed\n" in code
    assert "diff --git a/deep/two.py b/deep/two.py" in code
    assert "diff --git a/_sessions/x/plan.md b/_sessions/x/plan.md" in session
    assert "-plan 1\n+plan 2\n" in session
    assert "three.py" not in code
    assert "\x1b[" not in code
    assert around(scene.worktree.store, scene.ref, 1)[0] is None


def test_the_difference_runs_no_program_of_the_person(scene: Scene) -> None:
    _three_iterations(scene)
    git(scene.repo.root, "config", "diff.external", "false")
    git(scene.repo.root, "config", "core.pager", "false")
    assert "+changed" in iteration_diff(scene, 2)[0]


def test_a_fork_has_its_own_branch_worktree_and_files(scene: Scene, tmp_path: Path) -> None:
    _three_iterations(scene)
    source = checkpoint.find(scene.worktree.store, scene.ref, 1)
    folder = scene.session.with_name("26-11-22-other")
    forked = fork(scene.repo, source, folder, scene.root.with_name("other"), "samoloop/other")
    assert (forked.root / "one.py").read_text() == "1\n"
    assert (forked.state().branch, forked.state().clean) == ("samoloop/other", True)
    assert (folder / "plan.md").read_text() == "plan 1\n"
    assert (scene.root / "three.py").exists()
    write(forked.root, "mine.py", "1\n")
    commit(forked, "Work of the fork", since=source.head)
    assert "mine.py" not in scene.files_of(scene.branch_tip())


def test_a_fork_of_uncommitted_work_has_it_uncommitted(scene: Scene) -> None:
    write(scene.root, "half.py", "half\n")
    snapshot = scene.worktree.snapshot()
    made = checkpoint.make(scene.worktree, scene.session, scene.ref, snapshot, summary="half", iteration=1)
    forked = fork(scene.repo, made, scene.session.with_name("f"), scene.root.with_name("f"), "samoloop/f")
    assert git(forked.root, "status", "--porcelain") == "?? half.py"


def test_in_place_the_way_back_is_the_same_without_a_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    isolate(monkeypatch, tmp_path / "home")
    folder = tmp_path / "folder"
    write(folder, "app.py", "1\n")
    session = folder / "_sessions/x"
    write(session, "_overview.md", "# X\n")
    worktree = Worktree.in_place(folder, session / "_git", "samoloop/x", ["/_sessions/"])
    ref = checkpoint.ref_name("x")
    first = checkpoint.make(worktree, session, ref, worktree.snapshot(), summary="1", iteration=1)
    write(folder, "app.py", "2\n")
    write(folder, "new.py", "2\n")
    done = commit(worktree, "2", since=first.head)
    checkpoint.make(worktree, session, ref, done.snapshot, summary="2", iteration=2)
    restore(worktree, session, ref, first)
    assert (folder / "app.py").read_text() == "1\n"
    assert not (folder / "new.py").exists()
    assert (session / "_git/HEAD").exists()
    assert not (folder / ".git").exists()


def test_in_place_inside_a_repository_going_back_leaves_its_git_alone(scene: Scene) -> None:
    root = scene.repo.root
    session = write(root, "_sessions/p/_overview.md", "# P\n").parent
    worktree = Worktree.in_place(root, session / "_git", "samoloop/p", ["/_sessions/", "/.samoloop/worktrees/"])
    ref = checkpoint.ref_name("p")
    first = checkpoint.make(worktree, session, ref, worktree.snapshot(), summary="1", iteration=1)
    before = picture(root)
    write(root, "app.py", "by the child\n")
    write(root, "more.py", "by the child\n")
    checkpoint.make(worktree, session, ref, worktree.snapshot(), summary="2", iteration=2)
    restore(worktree, session, ref, first)
    assert picture(root) == before


def test_nothing_is_left_running(scene: Scene) -> None:
    """gc and maintenance of the person's configuration would go on in the background."""
    git(scene.repo.root, "config", "gc.auto", "1")
    git(scene.repo.root, "config", "maintenance.auto", "true")
    _three_iterations(scene)
    _back(scene, 1)
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert not [line for line in running.splitlines() if "git" in line and str(scene.repo.root) in line]
