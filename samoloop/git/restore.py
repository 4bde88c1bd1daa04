"""The way back: put code and session folder to an earlier checkpoint, or branch off from one."""

import io
import os
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from samoloop.base.errors import GitError
from samoloop.base.files import is_plainly, remove, write_atomic
from samoloop.base.values import frozen
from samoloop.core.control import LOGS, control_of
from samoloop.git import checkpoint as checkpoints
from samoloop.git.calls import Git
from samoloop.git.checkpoint import Checkpoint
from samoloop.git.repo import Repo
from samoloop.git.session_files import LEFT_OUT, session_files
from samoloop.git.staging import is_behind_link, stage
from samoloop.git.tree_state import TreeState
from samoloop.git.worktree import Snapshot, Worktree

_LEAVING = "Before going back to"  # the summary of what is left


@frozen
class Restored:
    """What `restore` did."""

    checkpoint: Checkpoint  # on top now, with the old tree and code
    left: Checkpoint  # the state that was left: it stays reachable under this id
    aside: Sequence[Path]  # files that were in no checkpoint and in the way, and where they are now
    removed: Sequence[str]  # files of the worktree that were not there then
    kept: Sequence[str]  # files of worktree and session that were made since the last checkpoint
    notes: Sequence[str]


def restore(worktree: Worktree, session_dir: Path, ref: str, target: Checkpoint) -> Restored:
    """Go back to `target`: checkpoint the present, put code and session files back, checkpoint that on top.

    The branch is set to `target.head`; what was uncommitted then is uncommitted again. A merge or rebase in progress
    is given up. Ignored files stay, and so do files that were made since the last checkpoint, when no child was at
    work, and what lies in the control folder. May be run again after a crash. The caller holds the session's lock and
    no child is alive. Raises GitError.
    """
    notes = worktree.repair() + worktree.remove_stale_locks()
    if other := worktree.used_elsewhere():
        raise GitError(f"The branch {worktree.branch} is also checked out in {other}: switch that to another branch.")
    what = f"iteration {target.iteration}" if target.iteration is not None else target.oid[:12]
    state = worktree.state()
    now = worktree.snapshot(state)
    last = _last(worktree.store, ref)
    left = checkpoints.make(worktree, session_dir, ref, now, summary=f"{_LEAVING} {what}")
    notes += _quit_operations(worktree)
    store = worktree.store
    made = _names(store, last.code, now.commit, "A") if last else set()  # by a person
    # So that what the target lacks is removed, untracked or not.
    stage(worktree.git, worktree.root, [path for path in state.to_stage if path not in made], worktree.left_out)
    in_the_way = made & _names(store, now.commit, target.code, "MT")
    removed = sorted(_names(store, now.commit, target.code, "D") - made)
    aside = _move_aside(worktree, now, target.code, session_dir, in_the_way)
    worktree.check_out(target.code, target.head)
    documents = _names(store, last.tree, left.tree, "A") if last else set()
    put_back_session(store, session_dir, target, [*worktree.left_out, *documents])
    trailers = {"Rewound-To": target.iteration, "Head": target.head if target.head != target.code else None}
    on_top = checkpoints.put(worktree, ref, target.tree, target.code, f"Back at {what}", trailers)
    return Restored(on_top, left, aside, removed, sorted(made - in_the_way | documents), notes)


def renew(
    worktree: Worktree, session_dir: Path, state: TreeState, now: Snapshot, code: str, head: str
) -> tuple[list[Path], list[str]]:
    """Make the content that of `code`, on the session's branch at `head`, as another machine left it; `state` and `now`
    are the worktree as it is.

    As when going back, a merge in progress is given up and ignored files stay. Returns what was in no commit and in the
    way, where it is now, and notes; the caller has kept the rest. May be run again after a crash. Raises GitError.
    """
    if other := worktree.used_elsewhere():
        raise GitError(f"The branch {worktree.branch} is also checked out in {other}: switch that to another branch.")
    notes = _quit_operations(worktree)
    stage(worktree.git, worktree.root, state.to_stage, worktree.left_out)
    aside = _move_aside(worktree, now, code, session_dir, ())
    worktree.check_out(code, head)
    return aside, notes


def _last(store: Git, ref: str) -> Checkpoint | None:
    """The newest checkpoint but for one of a way back that a crash cut off: that holds what a person made since."""
    return next((one for one in checkpoints.timeline(store, ref) if not one.summary.startswith(_LEAVING)), None)


def _names(store: Git, before: str, after: str, kinds: str) -> set[str]:
    """The files that were added (A), removed (D), changed (M) or made another kind (T) between two trees."""
    raw = store.run("diff-tree", "-r", "-z", "--name-only", "--no-renames", f"--diff-filter={kinds}", before, after)
    return set(os.fsdecode(raw).split("\0")) - {""}


def _quit_operations(worktree: Worktree) -> list[str]:
    """Give up what is in progress, leaving files and HEAD as they are."""
    notes: list[str] = []
    while operation := worktree.operation():
        note = f"The {operation} that was in progress was given up."
        if note in notes:
            raise GitError(f"A {operation} in {worktree.root} cannot be given up: end it there and try again.")
        worktree.git.run(*(("bisect", "reset", "HEAD") if operation == "bisect" else (operation, "--quit")))
        notes.append(note)
    return notes


def _move_aside(worktree: Worktree, now: Snapshot, code: str, session_dir: Path, made: Iterable[str]) -> list[Path]:
    """Save the files that `code` would overwrite and that no checkpoint holds (ignored, too large, unreadable), or that
    a person has `made`."""
    in_the_way = [*_untracked_in_the_way(worktree, now.commit, code), *_tracked_but_skipped(worktree, now), *made]
    if not in_the_way:
        return []
    logs = control_of(session_dir) / LOGS
    folder = next(path for n in range(1, 100_000) if not (path := logs / f"aside-{n}").exists())
    moved = []
    for name in dict.fromkeys(in_the_way):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(worktree.root / name, folder / name)
        moved.append(folder / name)
    return moved


def _untracked_in_the_way(worktree: Worktree, present: str, code: str) -> list[str]:
    """What lies where `code` will create a file, or a folder for one, though the present snapshot does not have it."""
    raw = worktree.store.run("diff-tree", "-r", "-z", "--name-status", "--no-renames", present, code)
    fields = os.fsdecode(raw).split("\0")
    kinds = dict(zip(fields[1::2], fields[::2], strict=False))
    leaving = {path for path, kind in kinds.items() if kind == "D"}
    found = []
    for path in (path for path, kind in kinds.items() if kind == "A"):
        full = worktree.root / path
        parents = [str(parent) for parent in reversed(Path(path).parents)][1:]
        blocking = [parent for parent in parents if _is_no_folder(worktree.root / parent)]
        if blocking:  # the first of them alone: what lies behind a link is not in the worktree
            found += [parent for parent in blocking[:1] if parent not in leaving]
        elif _is_folder(full):
            if any(inside not in leaving for inside in _files_under(worktree.root, path)):
                found.append(path)
        elif os.path.lexists(full):
            found.append(path)
    return found


def _tracked_but_skipped(worktree: Worktree, present: Snapshot) -> list[str]:
    """Files whose newest content is in no snapshot, with an older one that going back would put in their place."""
    names = [skipped.path for skipped in present.skipped if not skipped.path.endswith("/")]
    if not names:
        return []
    raw = worktree.store.run("ls-tree", "-r", "-z", "--name-only", "--full-tree", present.commit)
    tracked = set(os.fsdecode(raw).split("\0"))
    return [
        name
        for name in names
        if name in tracked and os.path.lexists(worktree.root / name) and not is_behind_link(worktree.root, name, {})
    ]


def _files_under(root: Path, folder: str) -> Iterable[str]:
    for where, _, names in os.walk(root / folder):
        yield from (os.path.relpath(os.path.join(where, name), root) for name in names)  # noqa: PTH118


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is_no_folder(path: Path) -> bool:
    return os.path.lexists(path) and not _is_folder(path)


def put_back_session(store: Git, session_dir: Path, source: Checkpoint, left_out: Collection[str] = ()) -> list[str]:
    """Make the session's files those of `source` (the folder too, if missing) and return the names that changed.

    The files `left_out` and what no checkpoint holds stay as they are, and so does guidance, which checkpoints of
    earlier versions hold.
    """
    return put_files(session_dir, _session_content(store, source.tree), left_out)


def put_files(session_dir: Path, wanted: Mapping[str, tuple[int, bytes]], left_out: Collection[str] = ()) -> list[str]:
    """Make the session's files the `wanted` ones, path -> (mode, bytes), as `put_back_session` does."""
    session_dir.mkdir(parents=True, exist_ok=True)
    stays = {*LEFT_OUT, *left_out}
    changed = []
    for path, _ in list(session_files(session_dir)):
        if path not in wanted and path not in stays:
            remove(session_dir / path)
            changed.append(path)
    for path, (mode, content) in wanted.items():
        full = session_dir / path
        if path in stays:
            continue
        if is_plainly(full, content):
            continue
        _make_folders(session_dir, full.parent)
        write_atomic(full, content, mode=mode)
        changed.append(path)
    return changed


def _session_content(store: Git, tree: str) -> dict[str, tuple[int, bytes]]:
    """Path → (mode, bytes) of every file of a session tree, read by one process."""
    listing = os.fsdecode(store.run("ls-tree", "-r", "-z", "--full-tree", tree))
    entries = [record.partition("\t") for record in listing.split("\0") if record]
    facts = [what.split() for what, _, _ in entries]
    oids = "".join(f"{oid}\n" for _, _, oid in facts)
    blobs = io.BytesIO(store.run("cat-file", "--batch", stdin=oids.encode()))
    content = {}
    for (mode, *_), (_, _, path) in zip(facts, entries, strict=True):
        size = int(blobs.readline().split()[2])
        content[path] = (int(mode, 8) & 0o777, blobs.read(size))
        blobs.read(1)  # the newline after each blob
    return content


def _make_folders(session_dir: Path, folder: Path) -> None:
    """Make `folder`, replacing links on the way: nothing may be written outside the session."""
    for part in reversed([folder, *folder.parents]):
        if session_dir in part.parents:
            if part.is_symlink():
                remove(part)
            part.mkdir(exist_ok=True)


def fork(repo: Repo, source: Checkpoint, session_dir: Path, path: Path, branch: str) -> Worktree:
    """A new worktree at `path` on the new `branch` with the code of `source`, and its session files in the folder
    `session_dir`. Raises GitError."""
    fresh = repo.add_worktree(path, branch, source.head)
    fresh.check_out(source.code, source.head)
    put_back_session(repo.store, session_dir, source)
    return fresh
