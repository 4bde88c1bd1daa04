"""The one way git is called: always on a named repository, never on whatever lies above the current folder.

A child that deletes its worktree's `.git` would otherwise turn the worker's next `reset` on the person's own checkout.
"""

import functools
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path

from samoloop.base import programs
from samoloop.base.durations import format_seconds
from samoloop.base.effects import effect
from samoloop.base.errors import GitError
from samoloop.base.files import read_plain, small_text
from samoloop.base.values import frozen
from samoloop.git import drivers
from samoloop.git.checkout import common_dir, refs_in_files
from samoloop.git.pipes import release

OLDEST = (2, 31)  # environment settings and worktree repair; tried with 2.39 and 2.47
GIT_SECONDS = 1800.0  # of one call: a first checkout may fetch large files on its way
LOCK_SECONDS = 5  # no git holds the lock of reftables that long
# Nothing of the person's set-up may run, prompt or ask in the background. Objects and refs are on disk before the
# journal says so.
OPTIONS = (
    "core.hooksPath=/dev/null",
    "commit.gpgSign=false",
    "core.fsmonitor=false",
    "protocol.allow=never",  # only `remote` reaches out of the machine, and a remote's URL may be a program
    "core.safecrlf=false",
    "core.quotePath=false",
    "core.fsync=committed,reference",
    f"reftable.lockTimeout={LOCK_SECONDS * 1000}",  # one lock for all refs, so others may hold it
    "gc.auto=0",
    "maintenance.auto=false",
    "log.showSignature=false",
    "submodule.recurse=false",
    "i18n.commitEncoding=UTF-8",
    "i18n.logOutputEncoding=UTF-8",
)
# What git needs, the person's identity and the place of their configuration. Every other inherited GIT_* could lead git
# elsewhere; the rest may be a secret, and git's filters are programs that a child can name.
KEPT = frozenset(
    {
        *("HOME", "PATH", "USER", "LOGNAME", "EMAIL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "GNUPGHOME"),
        *("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"),
        "GIT_AUTHOR_NAME",
        "GIT_AUTHOR_EMAIL",
        "GIT_COMMITTER_NAME",
        "GIT_COMMITTER_EMAIL",
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_SYSTEM",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_EXEC_PATH",
    }
)
# What moves a ref, a worktree or an index; all else reads, or writes objects and copies that nothing names yet.
_CHANGES = frozenset({"init", "notes", "read-tree", "reset", "restore", "symbolic-ref", "update-ref", "worktree"}) | {
    *("am", "bisect", "cherry-pick", "merge", "rebase", "revert")  # given up before going back
}
_PACKED_BYTES = 1_000_000  # of packed refs, which are read in less time than a process takes
_LOCKED = re.compile(rb"Unable to create '[^']*/(refs/samoloop/[^']+\.lock)': File exists")
_OID_LENGTHS = (40, 64)  # SHA-1, SHA-256
_HEX = frozenset("0123456789abcdef")


@frozen
class Git:
    """Runs git on one repository."""

    git_dir: Path
    work_tree: Path | None = None  # None: only objects and refs are touched
    index: Path | None = None  # None: the repository's own
    lfs: bool = True  # False: LFS files are taken as they are where git-lfs is not installed

    def with_index(self, index: Path) -> "Git":
        """The same repository, with a temporary index."""
        return replace(self, index=index)

    def call(
        self, *args: str, stdin: bytes = b"", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run git and return what it said, whatever its exit code. Raises GitError only where git cannot run."""
        environ = environment() | {"GIT_DIR": str(self.git_dir)} | dict(env or {})
        if self.work_tree:
            environ["GIT_WORK_TREE"] = str(self.work_tree)
        if self.index:
            environ["GIT_INDEX_FILE"] = str(self.index)
        environ |= drivers.without(self.unknown_programs())
        options = () if self.lfs else _without_lfs()
        where = self.work_tree or self.git_dir
        with effect(_name(args)) if args[0] in _CHANGES else nullcontext():
            done = execute((*options, *args), cwd=where, environ=environ, stdin=stdin)
            if done.returncode and remove_dead_locks(self.git_dir, done.stderr):
                done = execute((*options, *args), cwd=where, environ=environ, stdin=stdin)
            return done

    def programs(self) -> dict[str, str]:
        """The filters and merge drivers that git's configuration names, by key."""
        return dict(drivers.current(self.git_dir, self._listed))

    def unknown_programs(self) -> Mapping[str, str]:
        """Those that are not what they were when the worker began, and which no call runs; see `drivers`."""
        return drivers.unknown(self.git_dir, self._listed)

    def _listed(self) -> bytes:
        environ = environment() | {"GIT_DIR": str(self.git_dir)}
        return execute(drivers.LISTED, cwd=self.git_dir, environ=environ).stdout

    def run(self, *args: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> bytes:
        """Run git and return its output. Raises GitError with git's own words when it fails."""
        done = self.call(*args, stdin=stdin, env=env)
        if done.returncode:
            raise failure(args, done, self.work_tree or self.git_dir)
        return done.stdout

    def line(self, *args: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> str:
        """Run git and return its output as one stripped text."""
        return os.fsdecode(self.run(*args, stdin=stdin, env=env)).strip()

    def ref(self, name: str) -> str | None:
        """The commit that a full ref name stands for; None where there is no such ref.

        `git_dir` must be the common one. A loose ref is read without a process: it always wins over a packed one.
        """
        text = small_text(self.git_dir / name).strip()
        if is_oid(text):
            return text
        return None if self.lacks(name) else self.resolve(name)

    def lacks(self, name: str) -> bool:
        """Whether there is surely no such ref, by the files of the common `git_dir`; False where git alone can tell.

        A commit's id is no ref, so git is asked about that.
        """
        files = refs_in_files(self.git_dir) and (self.git_dir / "refs").is_dir()
        if not files or not name.startswith("refs/") or os.path.lexists(self.git_dir / name):
            return False
        try:  # after the loose one: git packs a ref before it removes that
            packed = read_plain(self.git_dir / "packed-refs", _PACKED_BYTES) or b""
        except ValueError:
            return False
        return len(packed) <= _PACKED_BYTES and os.fsencode(f" {name}\n") not in packed

    def resolve(self, revision: str) -> str | None:
        """The full id of a commit; None where the name means none."""
        done = self.call("rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}")
        return None if done.returncode else done.stdout.decode().strip()


def execute(
    args: tuple[str, ...],
    *,
    cwd: Path,
    environ: Mapping[str, str],
    stdin: bytes = b"",
    seconds: float = GIT_SECONDS,
    inherits: bool = True,
) -> subprocess.CompletedProcess[bytes]:
    """One git process with the options of every call.

    It ends when the worker shall end. It inherits what the worker made inheritable, which is the descriptor of the
    session's lock: a git that outlives its killed worker keeps the next worker out until it has ended. One that only
    reaches out of the machine does not, and neither does what it leaves running, such as a cache of logins.
    """
    options = [part for option in OPTIONS for part in ("-c", option)]
    name = next((arg for arg in args if not arg.startswith("-") and "=" not in arg), args[0])
    try:
        return programs.run(
            ["git", *options, *args],
            name=f"git {name} in {cwd}",
            cwd=cwd,
            environ=environ,
            seconds=seconds,
            stdin=stdin,
            stuck=lambda: _release_pipes(environ),
            inherits=inherits,
        )
    except subprocess.TimeoutExpired as error:
        raise GitError(
            f"git {name} did not end within {format_seconds(seconds)} in {cwd} and was ended. A filter may "
            f"hold it, or a named pipe (find one with `find {cwd} -type p`): mend that and try again."
        ) from error
    except FileNotFoundError as error:
        if not cwd.is_dir():
            raise GitError(f"The folder {cwd} is gone.") from error
        raise GitError("git was not found on PATH: install git and try again.") from error
    except NotADirectoryError as error:
        raise GitError(f"{cwd} is not a folder.") from error


def _release_pipes(environ: Mapping[str, str]) -> None:
    work_tree = environ.get("GIT_WORK_TREE")
    if git_dir := environ.get("GIT_DIR"):
        release(Path(git_dir), Path(work_tree) if work_tree else None)


def _name(args: tuple[str, ...]) -> str:
    """What a changing call is, as an effect: `git update-ref refs/heads`."""
    refs = ["/".join(arg.split("/", 2)[:2]) for arg in args if arg.startswith("refs/")]
    return " ".join(["git", args[0], *refs])


def remove_dead_locks(git_dir: Path, said: bytes) -> bool:
    """Remove what a killed git left, of which another says that it cannot lock a ref: the lock on reftables, which is
    one for all refs, and those of samoloop's own refs. A living git may hold one too, though never for that long."""
    if b"cannot lock ref" not in said:
        return False
    removed, common = False, common_dir(git_dir)
    locks = [folder / "reftable" / "tables.list.lock" for folder in {git_dir, common}]
    locks += [common / os.fsdecode(ref) for ref in _LOCKED.findall(said) if b".." not in ref]
    for lock in locks:
        with suppress(OSError):
            if time.time() - lock.stat().st_mtime > LOCK_SECONDS:
                lock.unlink()
                removed = True
    return removed


def too_old() -> str:
    """A sentence where git is older than what is called here needs; empty where it is not, or cannot be told."""
    done = execute(("--version",), cwd=Path.cwd(), environ=environment())
    found = re.search(rb"\d+(\.\d+)+", done.stdout)
    version = found[0].decode() if found else ""
    if not version or tuple(int(part) for part in version.split(".")) >= OLDEST:
        return ""
    return f"git {version} is too old: samoloop needs {'.'.join(map(str, OLDEST))} or newer."


def is_oid(text: str) -> bool:
    """Whether `text` is a whole object id."""
    return len(text) in _OID_LENGTHS and not set(text) - _HEX


def environment() -> dict[str, str]:
    """What git gets of the worker's environment: no token, nothing that leads it elsewhere or asks a question."""
    kept = {name: value for name, value in os.environ.items() if name in KEPT}
    own = {"GIT_TERMINAL_PROMPT": "0", "GIT_EDITOR": ":", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
    return kept | own | {"GIT_NO_REPLACE_OBJECTS": "1"}  # a child could make a ref that shows git other content


def failure(args: tuple[str, ...], done: subprocess.CompletedProcess[bytes], where: Path) -> GitError:
    """What git said, as an error for a person."""
    said = " ".join(os.fsdecode(done.stderr).split()) or f"exit code {done.returncode}"
    return GitError(f"git {args[0]} failed in {where}: {said}")


@functools.cache
def _without_lfs() -> tuple[str, ...]:
    if shutil.which("git-lfs"):
        return ()
    names = ("clean=", "smudge=", "process=", "required=false")
    return tuple(part for name in names for part in ("-c", f"filter.lfs.{name}"))
