"""A session's own working tree: opened, looked at, kept as a snapshot. Every call names its repository."""

import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from samoloop.base.errors import GitError, warn
from samoloop.base.files import entries_of, real, remove, small_text, write_atomic
from samoloop.base.values import frozen
from samoloop.git import mending, tree_state
from samoloop.git.calls import Git, failure
from samoloop.git.checkout import linked_folder, refs_in_files, registered
from samoloop.git.objects import Objects
from samoloop.git.pipes import READ_IN_TREE, remove_pipes
from samoloop.git.staging import stage
from samoloop.git.tree_state import Skipped, TreeState

# In place nothing may be converted: what comes back must be what was there, byte for byte.
_RAW = "* -text -filter -ident -working-tree-encoding\n"
_OPERATION_REFS = {"CHERRY_PICK_HEAD": "cherry-pick", "REVERT_HEAD": "revert"}  # files elsewhere, refs in reftables
_INDEX_COPY = "samoloop.index"
_HOLDS = ("HEAD", "rebase-merge/head-name", "rebase-apply/head-name", "BISECT_START")  # each names a branch


class WorktreeGone(GitError):
    """The worktree's folder, or what git knows of it, is no longer there."""


@frozen
class Snapshot:
    """The worktree's content as a commit that no branch names."""

    commit: str  # equal to `head` where nothing is uncommitted
    head: str
    tree: str  # the content: two snapshots with one tree are no progress
    skipped: Sequence[Skipped] = ()  # what is not in it


# What git opens by itself in the repository.
_SHARED_FILES = ("HEAD", "config", "packed-refs", "shallow", "info/exclude", "info/attributes", "info/grafts")


@frozen
class Worktree:
    """The folder a session's children work in, with its branch."""

    root: Path
    git_dir: Path  # of this worktree alone: HEAD and index
    common_dir: Path  # objects and branches; the same as `git_dir` in place
    branch: str
    left_out: frozenset[str] = frozenset()  # files of a person, which no commit and no checkpoint may hold

    @classmethod
    def open(cls, common_dir: Path, root: Path, branch: str, left_out: Collection[str] = ()) -> "Worktree":
        """The existing worktree at `root`; `common_dir` is `Repo.git_dir`. Raises WorktreeGone.

        A missing or replaced `.git` is put right by `repair`.
        """
        git_dir = registered(common_dir, root)
        if git_dir is None:
            mending.remove_odd(*(common_dir / "worktrees").glob("*"))
            raise WorktreeGone(f"git no longer knows the worktree {root} of branch {branch}: it was pruned or removed.")
        worktree = cls(root, git_dir, common_dir, branch, frozenset(left_out))
        for note in worktree.repair():
            warn(note)
        return worktree

    @classmethod
    def in_place(
        cls, folder: Path, private: Path, branch: str, excludes: Sequence[str], left_out: Collection[str] = ()
    ) -> "Worktree":
        """`folder` itself, recorded in a private repository at `private` (made, with a first commit of what is
        there, if missing). A repository that the person has in `folder` is not touched.

        `excludes` are gitignore patterns of what is never recorded, such as the sessions folder.
        """
        worktree = cls(folder, private, private, branch, frozenset(left_out))
        if not (private / "HEAD").exists() or worktree.store.ref(worktree.ref) is None:
            worktree._begin_private(excludes)
        return worktree

    def _begin_private(self, excludes: Sequence[str]) -> None:
        info = self.git_dir / "info"
        info.mkdir(parents=True, exist_ok=True)
        self.store.run("init", "--quiet", "--bare", "--template=", f"--initial-branch={self.branch}")
        write_atomic(info / "attributes", _RAW)
        write_atomic(info / "exclude", "".join(f"{pattern}\n" for pattern in excludes))
        for skipped in stage(self.git, self.root, self.state().to_stage):
            warn(f"Not recorded: {skipped.path} ({skipped.why})")
        tree = self.git.line("write-tree")
        first = self.objects(tree).commit(tree, [], b"The folder as the session found it\n")
        self.git.run("update-ref", self.ref, first, "")

    @property
    def is_in_place(self) -> bool:
        """The session works in the person's own folder."""
        return self.git_dir == self.common_dir

    @property
    def ref(self) -> str:
        """The full name of the session's branch: a short one would find `refs/samoloop/...` first."""
        return f"refs/heads/{self.branch}"

    @property
    def git(self) -> Git:
        """Git on this worktree."""
        return Git(self.git_dir, self.root, lfs=False)

    @property
    def store(self) -> Git:
        """Git on the objects and refs alone, without files."""
        return Git(self.common_dir)

    def objects(self, oid: str) -> Objects:
        """The repository's objects, of which `oid` is one."""
        return Objects.of(self.common_dir, oid)

    def tree_of(self, commit: str) -> str:
        """The tree of a commit."""
        return self.objects(commit).tree_of(commit) or self.store.line("rev-parse", f"{commit}^{{tree}}")

    def repair(self) -> list[str]:
        """Mend the `.git` file and the `HEAD` that a child deleted or replaced. Sentences for the report; empty: all
        was well.

        A repository that the child made in its place is moved aside, never deleted. Raises WorktreeGone.
        """
        if not self.root.is_dir():
            raise WorktreeGone(f"The worktree {self.root} of branch {self.branch} is gone: its folder was removed.")
        if not self.git_dir.is_dir():
            raise WorktreeGone(f"git no longer knows the worktree {self.root} of branch {self.branch}: it was pruned.")
        files = [f"{self.common_dir}/{name}" for name in (*_SHARED_FILES, self.ref)]
        files += [f"{self.root}/{name}" for name in READ_IN_TREE]
        sessions = entries_of(self.common_dir / "refs/samoloop/sessions")
        odd = [entry.path for entry in sessions if not entry.is_file(follow_symlinks=False)]
        notes = mending.remove_odd(self.git_dir) + remove_pipes(*files, *odd)
        notes += mending.mend_head(self.git_dir, self.ref)
        if self.is_in_place:
            return notes
        return notes + mending.mend_common(self.git_dir, self.common_dir) + mending.mend_link(self.root, self.git_dir)

    def remove_stale_locks(self) -> list[str]:
        """Remove the lock files that a killed git left. Sentences for the report."""
        names = ("index.lock", "HEAD.lock", _INDEX_COPY, f"{_INDEX_COPY}.lock")
        locks = [*(self.git_dir / name for name in names), self.common_dir / f"{self.ref}.lock"]
        return mending.remove_stale_locks(locks, self.root, self.git_dir, self.common_dir, self.common_dir.parent)

    def state(self) -> TreeState:
        """Branch, operation in progress, changes: one `git status`. Mends a corrupt index first (in `state.notes`).

        Raises WorktreeGone, GitError.
        """
        done = self.git.call(*tree_state.STATUS)
        if done.returncode == 0:
            return tree_state.parse(done.stdout, self.operation())
        self.repair()
        if self.git.call("ls-files", "--", ".git").returncode == 0:
            raise failure(tree_state.STATUS, done, self.root)  # the index can be read, so it is something else
        remove(self.git_dir / "index")
        self.git.run("read-tree", "HEAD")
        note = "The index was corrupt and has been made anew; no file was changed."
        return tree_state.parse(self.git.run(*tree_state.STATUS), self.operation(), [note])

    def operation(self) -> str | None:
        """The git command whose work waits for its end: merge, rebase, am, cherry-pick, revert or bisect."""
        found = tree_state.operation_in(self.git_dir)
        if found or refs_in_files(self.common_dir):
            return found
        return next((name for ref, name in _OPERATION_REFS.items() if self.git.resolve(ref)), None)

    def snapshot(self, state: TreeState | None = None) -> Snapshot:
        """The worktree as it is, uncommitted work too. Moves no ref and leaves the index alone."""
        state = state or self.state()
        head_tree = self.tree_of(state.head) if state.head else ""
        if state.head and state.clean:
            return Snapshot(state.head, state.head, head_tree)
        with self._index_copy() as git:
            skipped = stage(git, self.root, state.to_stage, self.left_out, state.added)
            tree = git.line("write-tree")
        if state.head and tree == head_tree:
            return Snapshot(state.head, state.head, tree, skipped)
        head = state.head or self.store.ref(self.ref)  # an orphan branch of the child's has no commit
        parents = [head] if head else []
        commit = self.objects(tree).commit(tree, parents, b"Snapshot of the worktree\n")
        return Snapshot(commit, head or commit, tree, skipped)

    @contextmanager
    def _index_copy(self) -> Iterator[Git]:
        """Git with a copy of the index, under a fixed name so that a crash leaves no more than one."""
        copy = self.git_dir / _INDEX_COPY
        lock = self.git_dir / f"{_INDEX_COPY}.lock"
        remove(lock)
        try:
            if (self.git_dir / "index").exists():
                shutil.copyfile(self.git_dir / "index", copy)
            yield self.git.with_index(copy)
        finally:
            remove(copy)
            remove(lock)

    def check_out(self, code: str, head: str) -> None:
        """Make the content that of the snapshot `code`, on the session's branch at `head`, the difference uncommitted.

        Files of the index that `code` lacks are removed, others stay. Raises GitError.
        """
        self.git.run("symbolic-ref", "HEAD", self.ref)
        self.git.run("update-ref", "-m", "samoloop: going back", self.ref, head)
        self.git.run("read-tree", "--reset", "-u", code)
        if code != head:
            self.git.run("reset", "--quiet", "--mixed")

    def used_elsewhere(self) -> Path | None:
        """Another checkout that has the session's branch checked out: moving the branch would disturb it."""
        return None if self.is_in_place else checked_out(self.common_dir, self.ref, but=self)

    def head(self) -> str | None:
        """The commit that is checked out, read from files where git keeps it in files; None without a commit."""
        if not refs_in_files(self.common_dir):
            return self.git.resolve("HEAD")
        text = small_text(self.git_dir / "HEAD").strip()
        if not text.startswith("ref: "):
            return text or None
        return self.store.ref(text.removeprefix("ref: ")) or self.git.resolve("HEAD")

    def stashes(self) -> list[str]:
        """Commit ids of the repository's stash, which all worktrees share: compare before and after a child."""
        if not refs_in_files(self.common_dir):
            done = self.store.call("log", "--walk-reflogs", "--format=%H", "refs/stash", "--")
            return done.stdout.decode().split()[::-1]
        lines = small_text(self.common_dir / "logs/refs/stash").splitlines()
        return [line.split(" ", 2)[1] for line in lines if line.count(" ") > 1]

    def remove(self) -> None:
        """Remove the worktree for `archive`; its branch stays. Raises GitError unless it is clean and unlocked."""
        if replaced := sorted(self.git_dir.glob("replaced-git-*")):
            raise GitError(f"A repository that a child made in the worktree is in {replaced[0]}: move it away first.")
        self.store.run("worktree", "remove", str(self.root))


def checked_out(common_dir: Path, ref: str, but: Worktree | None = None) -> Path | None:
    """A checkout, main or linked, that has the branch checked out or is in the middle of a rebase or bisect of it."""
    if not refs_in_files(common_dir):
        return _listed(common_dir, ref, but)
    for git_dir in (common_dir, *(common_dir / "worktrees").glob("*")):
        if but and git_dir == but.git_dir:
            continue
        folder = common_dir.parent if git_dir == common_dir else linked_folder(git_dir)
        held = {small_text(git_dir / name).strip().removeprefix("ref: ") for name in _HOLDS}
        if folder and held & {ref, ref.removeprefix("refs/heads/")}:
            return folder
    return None


def _listed(common_dir: Path, ref: str, but: Worktree | None) -> Path | None:
    for record in os.fsdecode(Git(common_dir).run("worktree", "list", "--porcelain", "-z")).split("\0\0"):
        lines = record.strip("\0").split("\0")
        folder = Path(lines[0].removeprefix("worktree "))
        if f"branch {ref}" in lines and not (but and real(folder) == real(but.root)):
            return folder
    return None
