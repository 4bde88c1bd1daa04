"""After each iteration: commit what the child left, without hooks, signing, or a branch that is not the session's."""

import functools
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from samoloop.base.errors import GitError
from samoloop.base.values import frozen
from samoloop.git.calls import Git
from samoloop.git.objects import OWN_IDENTITY
from samoloop.git.staging import stage
from samoloop.git.tree_state import Skipped, TreeState
from samoloop.git.worktree import Snapshot, Worktree


@frozen
class Committed:
    """What became of the child's leftovers."""

    oid: str | None  # the commit made; None: nothing to commit, or it must not be made
    snapshot: Snapshot  # the code for the checkpoint; `snapshot.head` is HEAD now
    skipped: Sequence[Skipped]  # too large, unreadable, nested repository
    notes: Sequence[str]  # sentences for the journal, the report and the next child
    blocked: str | None  # a sentence with both branch names: only a human can go on
    unfinished: Sequence[str] = ()  # why no commit could be made at all; among the notes too
    rewritten: bool = False  # what the branch was at is no longer in it
    parent: str = ""  # of the commit made

    @property
    def last_of_child(self) -> str:
        """HEAD as the child left it."""
        return self.parent or self.snapshot.head


def commit(
    worktree: Worktree,
    message: str,
    *,
    since: str,
    stashes: Sequence[str] | None = None,
) -> Committed:
    """Commit what the child left uncommitted to the session's branch.

    `since` is HEAD when the iteration began (`snapshot.head` of the previous one): it brings back a branch that the
    child deleted. `stashes` is `worktree.stashes()` from before the child.

    No commit while a merge or rebase is in progress, with conflicts, or on a branch that does not contain the
    session's: the snapshot holds the content then. Raises WorktreeGone, GitError.
    """
    notes = worktree.repair() + worktree.remove_stale_locks()
    if stashes is not None:
        notes += _stash_notes(worktree, stashes)
    state = worktree.state()
    notes += state.notes
    unfinished = _unfinished(worktree, state)
    blocked = None
    if not unfinished:
        state, attached, blocked = _attach(worktree, state, since)
        notes += attached
    if unfinished or blocked:
        snapshot = worktree.snapshot(state)
        return Committed(None, snapshot, snapshot.skipped, notes + unfinished, blocked, unfinished)
    rewritten = _rewritten(worktree, state, since)
    return replace(_commit_all(worktree, state, message), notes=notes + rewritten, rewritten=bool(rewritten))


def put_back(worktree: Worktree, paths: Sequence[str], source: str, message: str) -> None:
    """These paths as they are in the commit `source`, by a commit on top of the branch. Raises GitError.

    Nothing else may be uncommitted.
    """
    named = b"".join(os.fsencode(path) + b"\0" for path in paths)
    options = (f"--source={source}", "--staged", "--worktree", "--pathspec-from-file=-", "--pathspec-file-nul")
    worktree.git.run("restore", *options, stdin=named, env={"GIT_LITERAL_PATHSPECS": "1"})
    _commit_all(worktree, worktree.state(), message)


def _commit_all(worktree: Worktree, state: TreeState, message: str) -> Committed:
    """The state, on the session's branch with nothing in the way, as a commit. Leaves the index equal to it."""
    head = str(state.head)
    head_tree = worktree.tree_of(head)
    if state.clean:
        return Committed(None, Snapshot(head, head, head_tree), (), (), None)
    git = replace(worktree.git, lfs=True)  # the content of an LFS file must not get into a commit
    skipped = stage(git, worktree.root, state.to_stage, worktree.left_out, state.added)
    tree = git.line("write-tree")
    if tree == head_tree:
        return Committed(None, Snapshot(head, head, tree, skipped), skipped, (), None)
    author, committer = identity(worktree.git_dir)
    oid = worktree.objects(tree).commit(tree, [head], message.encode(errors="replace"), author, committer)
    git.run("update-ref", "-m", "samoloop: " + message.partition("\n")[0], worktree.ref, oid, head)
    return Committed(oid, Snapshot(oid, oid, tree, skipped), skipped, (), None, parent=head)


@functools.cache
def identity(git_dir: Path) -> tuple[str, str]:
    """Author and committer of commits in the person's name; samoloop's own where git knows no name or address."""
    known = [Git(git_dir).call("var", name) for name in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT")]
    if any(done.returncode for done in known):
        return OWN_IDENTITY, OWN_IDENTITY
    author, committer = (os.fsdecode(done.stdout).rpartition(">")[0] + ">" for done in known)
    return author, committer


def _unfinished(worktree: Worktree, state: TreeState) -> list[str]:
    """Why the present state is no commit yet, for the next child."""
    if state.operation:
        ways = f"finish it (git {state.operation} --continue) or give it up (git {state.operation} --abort)"
        if state.operation == "bisect":
            ways = "end it (git bisect reset)"
        return [f"A {state.operation} is in progress in the worktree, so nothing was committed: {ways}."]
    if state.conflicts:
        return [f"Nothing was committed because of conflicts in {', '.join(state.conflicts[:5])}: resolve them."]
    if (worktree.git_dir / "index.lock").exists():
        return [f"Nothing was committed: {worktree.git_dir / 'index.lock'} is held by a git that may still run."]
    return []


def _attach(worktree: Worktree, state: TreeState, since: str) -> tuple[TreeState, list[str], str | None]:
    """HEAD back on the session's branch, which follows a child that worked ahead of it elsewhere.

    Returns the state as it is then, sentences on what was done, and why a human is needed.
    """
    branch = worktree.branch
    if other := worktree.used_elsewhere():
        sentence = f"The session's branch {branch} is also checked out in {other}: switch that to another branch."
        return state, [], sentence
    if state.branch == branch and state.head:
        return state, [], None
    where = f"branch {state.branch}" if state.branch else "a detached HEAD"
    tip = worktree.store.ref(worktree.ref)
    if state.branch == branch:
        worktree.git.run("update-ref", worktree.ref, since)
        return worktree.state(), [f"The child had deleted the branch {branch}; it is back at {since[:12]}."], None
    if state.head is None or not _contains(worktree, state.head, tip or since):
        sentence = (
            f"The worktree is on {where}, which does not contain the session's branch {branch}: "
            f"look at {worktree.root}, then `git switch {branch}` there (or merge), and resume."
        )
        return state, [], sentence
    worktree.git.run("update-ref", "-m", "samoloop: the child worked elsewhere", worktree.ref, state.head, tip or "")
    worktree.git.run("symbolic-ref", "HEAD", worktree.ref)
    note = f"The child had left the worktree on {where}; the session's branch {branch} was moved there."
    return replace(state, branch=branch), [note], None


def _rewritten(worktree: Worktree, state: TreeState, since: str) -> list[str]:
    if state.head in (None, since) or _contains(worktree, str(state.head), since):
        return []
    return [f"The child rewrote the branch: {since[:12]} is no longer in it; the earlier checkpoint keeps it."]


def _contains(worktree: Worktree, commit: str, ancestor: str) -> bool:
    done = worktree.store.call("merge-base", "--is-ancestor", ancestor, commit)
    if done.returncode not in (0, 1):
        raise GitError(f"The commit {ancestor} of the session is gone from the repository.")
    return done.returncode == 0


def _stash_notes(worktree: Worktree, before: Sequence[str]) -> list[str]:
    """The stash is the person's too: what a child popped or dropped is named with the way to get it back."""
    now = worktree.stashes()
    gone = [oid for oid in before if oid not in now]
    added = [oid for oid in now if oid not in before]
    notes = [
        f"The child removed {oid[:12]} from the stash, which your other checkouts share; "
        f"`git stash store -m recovered {oid}` brings it back."
        for oid in gone
    ]
    if added:
        notes.append(
            f"The child left work in the stash ({', '.join(oid[:12] for oid in added)}): see `git stash list`."
        )
    return notes
