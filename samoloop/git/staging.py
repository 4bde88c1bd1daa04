"""Bring an index to the worktree's content, path by path, leaving out what must not be in a commit.

`git add --all` stops at the first unreadable file and takes a file of any size.
"""

import os
import stat
from collections.abc import Collection, Sequence
from pathlib import Path

from samoloop.git.calls import Git, failure
from samoloop.git.secrets import looks_like_a_secret
from samoloop.git.tree_state import Skipped

LIMIT_BYTES = 50 * 1024 * 1024
A_PERSONS = "a gate asked you for it, so samoloop commits it nowhere: add it yourself if it belongs there"
A_SECRET = "it looks like a secret, so samoloop commits it nowhere: remove it, or let .gitignore name it"
_MOST_READ = 5000  # new files that are looked at for secrets
_ADD = ("update-index", "-z", "--add", "--remove", "--replace", "--stdin")
_FORGET = ("update-index", "-z", "--force-remove", "--stdin")
_NOT_OF_ONE_PATH = (b".lock", b"No space left", b"Input/output error", b"Read-only file system")


def stage(
    git: Git, root: Path, paths: Sequence[str], left_out: Collection[str] = (), added: Sequence[str] = ()
) -> list[Skipped]:
    """Record the present content of `paths` (or that they are gone) in git's index; returns those left out.

    Of the files `left_out`, which are a person's, and of those `added` that look like secrets, the index keeps what
    HEAD has. Raises GitError when the index cannot be written.
    """
    secret = dict.fromkeys(path for path in added[:_MOST_READ] if looks_like_a_secret(root, path))
    skipped = [Skipped(path, A_SECRET) for path in secret if path not in left_out]
    wanted = []
    behind = []
    links: dict[str, bool] = {}
    if out := {*left_out, *secret}:
        _take_out(git, [f":(top,literal){path}" for path in sorted(out)])
    for path in paths:
        if path in left_out:
            skipped.append(Skipped(path, A_PERSONS))
        elif path in secret:
            continue
        elif is_behind_link(root, path, links):
            behind.append(path)  # gone: what is there now is not in the worktree
        elif why := _reason_to_skip(root, path):
            skipped.append(Skipped(path, why))
        else:
            wanted.append(path)
    if behind:
        git.run(*_FORGET, stdin=b"".join(os.fsencode(path) + b"\0" for path in behind))
    if wanted:
        skipped += _add(git, root, wanted)
    return skipped


def is_behind_link(root: Path, path: str, known: dict[str, bool]) -> bool:
    """Whether a link stands in the place of a folder on the way to `path`; `known` folders are not asked for twice."""
    position = path.find("/")
    while 0 < position < len(path) - 1:
        folder = path[:position]
        if folder not in known:
            known[folder] = os.path.islink(os.path.join(root, folder))  # noqa: PTH114, PTH118 - there may be 50,000
        if known[folder]:
            return True
        position = path.find("/", position + 1)
    return False


def _take_out(git: Git, paths: Sequence[str]) -> None:
    """Undo what a child has staged of `paths`."""
    if git.call("reset", "--quiet", "HEAD", "--", *paths).returncode:  # there is no commit yet
        git.run("rm", "--quiet", "--cached", "--ignore-unmatch", "--", *paths)


def _add(git: Git, root: Path, paths: list[str]) -> list[Skipped]:
    """One call for all; where it fails, halve until the path that git refuses is found."""
    done = git.call(*_ADD, stdin=b"".join(os.fsencode(path) + b"\0" for path in paths))
    if done.returncode == 0:
        return []
    if any(word in done.stderr for word in _NOT_OF_ONE_PATH):
        raise failure(_ADD, done, root)
    if len(paths) == 1:
        return [Skipped(paths[0], "git refused it: " + " ".join(os.fsdecode(done.stderr).split()))]
    half = len(paths) // 2
    return _add(git, root, paths[:half]) + _add(git, root, paths[half:])


def _reason_to_skip(root: Path, path: str) -> str | None:
    if path.endswith("/"):
        return "a git repository of its own"
    full = os.path.join(root, path)  # noqa: PTH118 - a child may leave 50,000 of them
    try:
        found = os.lstat(full)
    except (FileNotFoundError, NotADirectoryError):
        return None  # gone: the removal is recorded
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if stat.S_ISREG(found.st_mode):
        if found.st_size > LIMIT_BYTES:
            return f"{found.st_size / 1024**2:.0f} MB, and the limit is {LIMIT_BYTES // 1024**2} MB"
        if not os.access(full, os.R_OK):
            return "cannot be read"
    elif not (stat.S_ISLNK(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        return "not a file"
    return None
