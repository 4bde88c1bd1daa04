"""The person's main checkout: looked at, given branches and worktrees, never changed otherwise."""

import os
import re
import shlex
from contextlib import suppress
from pathlib import Path

from samoloop.base.errors import GitError
from samoloop.base.files import remove, small_text, write_atomic
from samoloop.base.values import frozen
from samoloop.git import tree_state
from samoloop.git.calls import Git, is_oid, too_old
from samoloop.git.checkout import locate, registered
from samoloop.git.mending import remove_stale_locks
from samoloop.git.worktree import Worktree, checked_out

_PLAIN = re.compile(r"\w[\w-]*(/[\w-]+)*", re.ASCII)  # branches that git surely allows
_INITIALIZING = "initializing"  # git's own reason for the lock of a worktree that it has not finished making


@frozen
class Repo:
    """The main checkout of a repository."""

    root: Path
    git_dir: Path  # the common one, shared by all worktrees

    @classmethod
    def find(cls, start: Path) -> "Repo":
        """The main checkout that `start` is in, also from inside a linked worktree.

        Raises GitError where there is none (naming --in-place), for a bare repository, and without a first commit.
        """
        found = locate(start)
        if found is None:
            raise GitError(
                f"{start} is not in a git repository: run `git init` and make a first commit, "
                "or use --in-place to work in the folder as it is."
            )
        settings = _settings(found.common_dir)
        root = found.top
        if found.linked:
            root = found.common_dir.parent
        if work_tree := settings.get("core.worktree"):
            root = Path(os.path.normpath(found.common_dir / work_tree))
        if found.bare or settings.get("core.bare") == "true":
            raise GitError(
                f"{found.common_dir} is a bare repository, without files to work on: clone it and run there."
            )
        if found.linked and found.common_dir.name != ".git" and not work_tree:
            raise GitError(f"The main checkout of {found.common_dir} cannot be told from {start}: run samoloop there.")
        repo = cls(root, found.common_dir)
        if not _is_at_commit(found.common_dir) and repo.git.resolve("HEAD") is None:
            raise GitError(
                too_old()
                or f"{root} has no commit yet, so there is nothing to start from: make one with "
                '`git add --all && git commit -m "Start"` (or `git commit --allow-empty -m "Start"`).'
            )
        return repo

    @property
    def git(self) -> Git:
        """Git on the main checkout."""
        return Git(self.git_dir, self.root, lfs=False)

    @property
    def store(self) -> Git:
        """Git on the objects and refs alone, without files."""
        return Git(self.git_dir)

    def resolve(self, revision: str) -> str:
        """The full id of a commit. Raises GitError with the value."""
        oid = self.git.resolve(revision)
        if oid is None:
            raise GitError(
                too_old() or f"{revision!r} is no commit of {self.root}: give a branch, a tag or a commit id."
            )
        return oid

    def head_line(self, base: str, name: str = "") -> str:
        """One line for a person: which commit a session starts from, and how many uncommitted files are not in it.

        `name` is what the person calls that commit; else the branch of the checkout, where that is at it.
        """
        short, _, subject = self.store.line("log", "-1", "--format=%h %s", base, "--").partition(" ")
        state = tree_state.parse(self.git.run(*tree_state.STATUS, env={"GIT_OPTIONAL_LOCKS": "0"}))
        where = f", {name}" if name else ""
        if state.head == base and not name:
            where = f", {state.branch}" if state.branch else ", detached HEAD"
        line = f"from {short} ({subject}{where})"
        if not state.changed:
            return line
        files = "file is" if state.changed == 1 else "files are"
        return f"{line}; {state.changed} uncommitted {files} not in it"

    def new_branch_name(self, prefix: str, slug: str) -> str:
        """A branch name that is free: `samoloop/auth`, else `samoloop/auth-2`; `samoloop-auth` where a branch
        called `samoloop` is in the way. Raises GitError where git allows no such name."""
        listed = self.store.line("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads/")
        taken = {name.lower() for name in listed.splitlines()}  # some file systems fold case
        folders = {name[:position] for name in taken for position, letter in enumerate(name) if letter == "/"}
        wanted = prefix + slug
        parents = [wanted[:position].lower() for position, letter in enumerate(wanted) if letter == "/"]
        if taken.intersection(parents):
            wanted = wanted.replace("/", "-")
        if not _PLAIN.fullmatch(wanted) and not self._allows(wanted):
            raise GitError(f"git allows no branch called {wanted!r}: choose another session name or branch_prefix.")
        names = (wanted if n == 1 else f"{wanted}-{n}" for n in range(1, len(taken) + len(folders) + 2))
        return next(name for name in names if name.lower() not in taken | folders)

    def _allows(self, branch: str) -> bool:
        return not branch.startswith("-") and not self.store.call("check-ref-format", f"refs/heads/{branch}").returncode

    def existing_branch(self, name: str) -> str:
        """The tip of a branch of the person's that a session may work on.

        Raises GitError where there is none, where it is the default branch, and where a checkout has it.
        """
        commit = self.store.ref(f"refs/heads/{name}")
        if commit is None:
            raise GitError(self._no_branch(name))
        if name == self.default_branch():
            raise GitError(
                f"{name} is the default branch, on which no session works: leave out --branch, and a branch is made"
            )
        if folder := checked_out(self.git_dir, f"refs/heads/{name}"):
            raise GitError(
                f"The branch {name} is checked out in {folder}, and two checkouts cannot have one branch: switch that "
                f"to another one (`git -C {shlex.quote(str(folder))} switch --detach`), or archive its session."
            )
        return commit

    def _no_branch(self, name: str) -> str:
        refs = ("--format=%(refname:lstrip=2)", "refs/remotes/", "refs/heads/")
        known = self.store.line("for-each-ref", "--sort=-committerdate", *refs).split("\n")
        remote = next((ref for ref in known if ref.partition("/")[2] == name), None)
        if remote:
            return f"There is no branch {name} here, but {remote}: make it with `git branch {name} {remote}`."
        some = ", ".join(known[:9]) + (", ..." if len(known) > 9 else "")
        return f"There is no branch {name!r} in {self.root}; there are: {some}."

    def default_branch(self) -> str | None:
        """The branch that everything comes together on, as far as it can be told without asking the remote."""
        refs = ("--format=%(symref:lstrip=3)", "refs/remotes/*/HEAD")
        for name in (*self.store.line("for-each-ref", *refs).split("\n"), *self._usual_names()):
            if name and self.store.ref(f"refs/heads/{name}"):
                return name
        return None

    def _usual_names(self) -> tuple[str, ...]:
        chosen = os.fsdecode(self.store.call("config", "init.defaultBranch").stdout).strip()
        return (chosen, "main", "master")

    def make_branch(self, branch: str, base: str) -> None:
        """The new `branch` at commit `base`, so that nobody else takes the name. Raises GitError where it is taken.

        Its caller holds the lock on new sessions, so that a lock on the branch is of a git that was killed.
        """
        ref = f"refs/heads/{branch}"
        words = ("update-ref", "-m", "samoloop: a session's branch", ref, base, "")
        if self.store.call(*words).returncode:
            remove(self.git_dir / f"{ref}.lock")
            self.store.run(*words)

    def add_worktree(self, path: Path, branch: str, base: str) -> Worktree:
        """A worktree at `path` on `branch`, which is new or begins after commit `base`.

        May be called again after a crash: what was half made is made anew, what is whole is returned. Raises GitError.
        """
        known = registered(self.git_dir, path)
        if known and not _half_made(known):
            return Worktree.open(self.git_dir, path, branch)
        self._clear_half_made(path, known)
        remove_stale_locks([self.git_dir / f"refs/heads/{branch}.lock"], path, self.git_dir, self.git_dir.parent)
        tip = self.store.ref(f"refs/heads/{branch}")
        if tip not in (None, base) and self.store.call("merge-base", "--is-ancestor", base, str(tip)).returncode:
            raise GitError(
                f"The branch {branch} is already there, at {str(tip)[:12]}, and the session starts at {base[:12]}: "
                "choose another session name, or hand the task off again."
            )
        where = (str(path), branch) if tip else ("-b", branch, str(path), base)
        self.store.run("worktree", "add", "--quiet", *where)
        return Worktree.open(self.git_dir, path, branch)

    def clear_half_made(self, path: Path) -> None:
        """Remove a worktree that git was killed in the middle of making."""
        known = registered(self.git_dir, path)
        if known and _is_initializing(known):
            self._clear_half_made(path, known)

    def _clear_half_made(self, path: Path, known: Path | None) -> None:
        """Remove what a killed `git worktree add` left: no child has worked in it."""
        if known:
            with suppress(OSError):
                remove(path)
            remove(known)
        unnamed = self.git_dir / "worktrees" / path.name  # killed before git had noted which folder it is for
        if unnamed.is_dir() and _half_made(unnamed) and not (unnamed / "gitdir").exists():
            remove(unnamed)

    def recreate_worktree(self, path: Path, branch: str, code: str, head: str) -> str:
        """The worktree back whose folder is gone; a sentence that says so.

        It comes from the branch (from `head` where that is gone too), with the content of the snapshot `code`.
        """
        tip = self._branch_back(branch, head)
        self.store.run("worktree", "add", "--quiet", "--force", "--force", str(path), branch)
        worktree = Worktree.open(self.git_dir, path, branch)
        if tip in (None, head):
            worktree.check_out(code, head)
        return f"The worktree {path} was gone; it was made again from {branch}, without what git ignores."

    def _branch_back(self, branch: str, head: str) -> str | None:
        """Where the branch is; None where it was gone and is at `head` again."""
        tip = self.store.ref(f"refs/heads/{branch}")
        if tip is None:
            self.make_branch(branch, head)
        return tip

    def remember_worktree(self, path: Path, branch: str, head: str) -> str:
        """A folder that git has forgotten is its worktree again, with its content; a sentence that says so.

        It is registered by way of an empty one of the same name.
        """
        self._branch_back(branch, head)
        if registered(self.git_dir, path) is None:
            helper = path.parent / f".{path.name}.tmp" / path.name
            self._clear_half_made(helper, registered(self.git_dir, helper))
            self.store.run("worktree", "add", "--quiet", "--force", "--no-checkout", str(helper), branch)
            admin = registered(self.git_dir, helper)
            if admin is None:
                raise GitError(f"git did not register the worktree {path}.")
            write_atomic(admin / "gitdir", f"{path / '.git'}\n")
            remove(helper.parent)
        worktree = Worktree.open(self.git_dir, path, branch)
        worktree.git.run("reset", "--quiet", "--mixed")
        return f"git had forgotten the worktree {path}; it knows it again."


def _settings(common_dir: Path) -> dict[str, str]:
    """core.bare and core.worktree of the repository itself; git is asked where the file may name one."""
    config = common_dir / "config"
    text = small_text(config).lower()
    if text and "worktree" not in text and text.count("bare") == text.count("bare = false"):
        return {}
    done = Git(common_dir).call("config", "--file", str(config), "-z", "--get-regexp", r"^core\.(bare|worktree)$")
    return dict(item.split("\n", 1) for item in os.fsdecode(done.stdout).split("\0") if "\n" in item)


def _is_at_commit(git_dir: Path) -> bool:
    """Whether HEAD leads to a commit, as far as plain files tell."""
    text = small_text(git_dir / "HEAD").strip()
    return is_oid(small_text(git_dir / text.removeprefix("ref: ")).strip() if text.startswith("ref: refs/") else text)


def _half_made(admin: Path) -> bool:
    """A crash came before git had finished making the worktree."""
    return _is_initializing(admin) or not (admin / "index").exists()


def _is_initializing(admin: Path) -> bool:
    return small_text(admin / "locked").strip() == _INITIALIZING
