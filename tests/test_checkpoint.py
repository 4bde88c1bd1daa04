"""One checkpoint per iteration: session folder and code, without the person's index, filters or identity."""

import os
from pathlib import Path

import pytest
from git_scene import REFS, Scene, begin, git, isolate, picture, write

from samoloop.base.errors import GitError
from samoloop.git import checkpoint
from samoloop.git.staging import LIMIT_BYTES


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    isolate(monkeypatch, tmp_path / "home")
    return begin(tmp_path)


def test_the_tree_is_the_session_folder_without_what_is_of_the_moment(scene: Scene) -> None:
    kept = ["_overview.md", "_qa.md", "11-21-0930-plan-jwt.md", "notes/deep/er.md"]
    left = ["_logs/001-a.jsonl", "_history.jsonl", "_signal.json", "_lock", "_child.lock", "_wake", "_git/HEAD"]
    left += ["._qa.md.abc.tmp", "notes/._x.md.1.tmp", "notes/.git/config", "_inbox.md"]
    for name in kept[1:] + left:
        write(scene.session, name, f"{name}\n")
    (scene.session / "link.md").symlink_to("/etc/passwd")
    with (scene.session / "huge.md").open("wb") as file:
        file.truncate(LIMIT_BYTES + 1)
    made = scene.iterate(1)
    assert scene.files_of(made.oid) == sorted(kept)


def test_bytes_and_names_are_kept_whatever_the_persons_attributes_say(scene: Scene) -> None:
    """git add changed line ends on the way (seen)."""
    git(scene.repo.root, "config", "core.autocrlf", "true")
    git(scene.repo.root, "config", "filter.rot.clean", "tr a-z b-za")
    write(scene.repo.git_dir, "info/attributes", "*.md filter=rot text\n")
    content = b"one\r\ntwo\n\xff"
    names = ["with space.md", 'quo"te.md', "new\nline.md", "back\\slash.md", "żółw.md", '"quoted".md', "tab\t.md"]
    names.append(os.fsdecode(b"\xff.md"))
    for name in names:
        (scene.session / name).write_bytes(content)
    made = scene.iterate(1)
    for name in names:
        assert scene.worktree.store.run("cat-file", "blob", f"{made.oid}:{name}") == content
        assert checkpoint.read(scene.worktree.store, scene.ref, name) == content
    assert checkpoint.read(scene.worktree.store, scene.ref, "missing.md") is None


def test_parents_are_the_checkpoint_before_and_the_code(scene: Scene) -> None:
    first = scene.iterate(1)
    write(scene.root, "one.py", "1\n")
    second = scene.iterate(2)
    assert git(scene.repo.root, "rev-parse", f"{second.oid}^1", f"{second.oid}^2").split() == [first.oid, scene.base]
    assert (first.first, second.first) == (True, False)
    subjects = git(scene.repo.root, "log", "--first-parent", "--format=%an %s", scene.ref).splitlines()
    assert subjects == ["samoloop 002 testing", "samoloop 001 testing", "samoloop The session begins"]


def test_the_message_holds_the_journal_lines_byte_for_byte(scene: Scene) -> None:
    journal = '{"event":"ended","text":"zażółć \\u0000 Iteration: 9"}\n{"b":1}\n'.encode()
    code = scene.worktree.snapshot()
    made = checkpoint.make(
        scene.worktree,
        scene.session,
        scene.ref,
        code,
        summary="004 testing:\ncontinue",
        journal=checkpoint.Part(journal, line=b'{"c":2}\n'),
        iteration=4,
        attempt=2,
    )
    raw = scene.worktree.store.run("cat-file", "commit", made.oid).partition(b"\n\n")[2]
    assert raw.startswith(b"004 testing: continue\n\n" + journal + b'{"c":2}\n\nIteration: 4\nAttempt: 2\nJournal: 0 ')
    tip = checkpoint.tip(scene.worktree.store, scene.ref)
    assert tip is not None
    assert (tip.iteration, tip.attempt, tip.summary, tip.oid) == (4, 2, "004 testing: continue", made.oid)


def test_the_checkpoints_hold_the_whole_journal_once(scene: Scene) -> None:
    """One line is written to the journal after each checkpoint, and may be another one than was to be written."""
    store, whole, kept = scene.worktree.store, b"", 0
    for number in range(1, 4):
        whole += b'{"n":%d}\n' % number
        part = checkpoint.Part(whole, kept, b'{"next":%d}\n' % number)
        snapshot = scene.worktree.snapshot()
        made = checkpoint.make(scene.worktree, scene.session, scene.ref, snapshot, summary="x", journal=part)
        kept = checkpoint.kept_bytes(made)
        assert kept == len(whole)
        whole += b'{"was":%d}\n' % number
    assert checkpoint.journal(store, scene.ref) == whole.replace(b'"was":3', b'"next":3')
    tip = checkpoint.tip(store, scene.ref)
    assert tip is not None and checkpoint.kept_bytes(tip) == kept
    assert not checkpoint.is_shorter(whole, tip)
    assert checkpoint.is_shorter(whole[: kept - 1], tip) and checkpoint.is_shorter(b"x" + whole[1:], tip)
    git(scene.repo.root, "update-ref", "-d", scene.ref)
    snapshot = scene.worktree.snapshot()
    part = checkpoint.Part(whole, kept)
    checkpoint.make(scene.worktree, scene.session, scene.ref, snapshot, summary="x", journal=part)
    assert checkpoint.journal(store, scene.ref) == whole


def test_uncommitted_work_is_in_the_checkpoint(scene: Scene) -> None:
    write(scene.root, "half.py", "1\n")
    snapshot = scene.worktree.snapshot()
    made = checkpoint.make(scene.worktree, scene.session, scene.ref, snapshot, summary="x", iteration=1)
    assert (made.code, made.head) == (snapshot.commit, scene.base)
    found = checkpoint.find(scene.worktree.store, scene.ref, 1)
    assert (found.code, found.head, found.tree) == (made.code, made.head, made.tree)


def test_the_timeline_is_newest_first_and_an_iteration_is_found_or_named(scene: Scene) -> None:
    with pytest.raises(GitError, match="there are none yet"):
        checkpoint.find(scene.worktree.store, scene.ref, 1)
    assert checkpoint.timeline(scene.worktree.store, scene.ref) == []
    assert checkpoint.tip(scene.worktree.store, scene.ref) is None
    made = [scene.iterate(number) for number in (1, 2, 3)]
    timeline = checkpoint.timeline(scene.worktree.store, scene.ref)
    assert [c.oid for c in timeline] == [c.oid for c in reversed(made)]
    assert [c.iteration for c in timeline] == [3, 2, 1]
    assert abs(timeline[0].seconds - made[2].seconds) < 5
    assert checkpoint.find(scene.worktree.store, scene.ref, 2).oid == made[1].oid
    with pytest.raises(GitError, match="no checkpoint of iteration 7: there are 1 to 3"):
        checkpoint.find(scene.worktree.store, scene.ref, 7)


def test_of_two_checkpoints_of_one_iteration_the_last_counts(scene: Scene) -> None:
    scene.iterate(1)
    again = scene.iterate(1)
    assert checkpoint.find(scene.worktree.store, scene.ref, 1).oid == again.oid


def test_a_ref_that_the_person_deleted_starts_anew(scene: Scene) -> None:
    scene.iterate(1)
    git(scene.repo.root, "update-ref", "-d", scene.ref)
    made = scene.iterate(2)
    assert made.first
    assert [c.iteration for c in checkpoint.timeline(scene.worktree.store, scene.ref)] == [2]


def test_a_lock_that_a_killed_git_left_on_the_ref_does_not_hinder(scene: Scene) -> None:
    scene.iterate(1)
    lock = scene.repo.git_dir / ("reftable/tables.list.lock" if REFS == "reftable" else f"{scene.ref}.lock")
    lock.touch()
    assert checkpoint.tip(scene.worktree.store, scene.ref) != scene.iterate(2)
    assert not lock.exists()


def test_everything_that_the_ref_reaches_survives_the_branch_and_gc(scene: Scene) -> None:
    write(scene.root, "one.py", "1\n")
    first = scene.iterate(1)
    write(scene.root, "half.py", "uncommitted\n")
    half = checkpoint.make(scene.worktree, scene.session, scene.ref, scene.worktree.snapshot(), summary="half")
    scene.child("reset", "--quiet", "--hard", "HEAD^")
    scene.child("clean", "--quiet", "--force")
    scene.worktree.remove()
    git(scene.repo.root, "branch", "-D", "samoloop/auth")
    git(scene.repo.root, "reflog", "expire", "--expire=now", "--all")
    git(scene.repo.root, "gc", "--quiet", "--prune=now")
    assert "one.py" in scene.files_of(first.code)
    assert "half.py" in scene.files_of(half.code)
    assert checkpoint.read(scene.worktree.store, scene.ref, "_overview.md") is not None


def test_a_clone_gets_the_timeline_by_naming_the_ref(scene: Scene, tmp_path: Path) -> None:
    scene.iterate(1)
    git(tmp_path, "clone", "--quiet", str(scene.repo.root), "clone")
    git(tmp_path / "clone", "fetch", "--quiet", "origin", f"{scene.ref}:{scene.ref}")
    assert git(tmp_path / "clone", "show", f"{scene.ref}:_overview.md").startswith("# Auth")


def test_checkpoints_leave_the_persons_checkout_alone(scene: Scene) -> None:
    before = picture(scene.repo.root)
    scene.iterate(1)
    assert picture(scene.repo.root) == before


def test_an_empty_session_folder(scene: Scene) -> None:
    (scene.session / "_overview.md").unlink()
    assert scene.files_of(scene.iterate(1).oid) == []


@pytest.mark.parametrize(
    ("session", "ref"),
    [
        ("26-11-21-auth", "26-11-21-auth"),
        ("żółw", "żółw"),
        ("with space", "with%20space"),
        ("a..b", "a%2E%2Eb"),
        (".hidden", "%2Ehidden"),
        ("x.lock", "x%2Elock"),
        ("a~^:?*[\\b", "a%7E%5E%3A%3F%2A%5B%5Cb"),
        ("50%", "50%25"),
        ("@", "%40"),
        ("new\nline", "new%0Aline"),
    ],
)
def test_every_session_name_has_a_ref(scene: Scene, session: str, ref: str) -> None:
    assert checkpoint.ref_name(session) == f"refs/samoloop/sessions/{ref}"
    git(scene.repo.root, "check-ref-format", checkpoint.ref_name(session))


def test_progress_is_what_the_child_writes_and_not_what_the_worker_or_a_person_does(scene: Scene) -> None:
    before = checkpoint.fingerprint(scene.session)
    write(scene.session, "_overview.md", "# Auth\n\n## Status\nPhase: quality\nIteration: 9\nBlocked: yes\n")
    for name in ("_approval.md", "_action.md", "_inbox.md", "_report.md", "_logs/002.jsonl", "_signal.json"):
        write(scene.session, name, "worker\n")
    assert checkpoint.fingerprint(scene.session) == before
    write(scene.session, "_overview.md", "# Auth\n\n## Flow Log\n- 009 quality: looked again, all is well\n")
    assert checkpoint.fingerprint(scene.session) == before
    write(scene.session, "_qa.md", "### Q1\n")
    assert checkpoint.fingerprint(scene.session) != before


def test_the_checkpoints_up_to_one_are_found_by_its_id(scene: Scene) -> None:
    """Whoever has them from elsewhere may have no ref of them."""
    write(scene.session, "plan.md", "plan\n")
    first, second = scene.iterate(1), scene.iterate(2)
    assert [one.iteration for one in checkpoint.timeline(scene.worktree.store, second.oid)] == [2, 1]
    assert checkpoint.tip(scene.worktree.store, first.oid) is not None
