"""What lies between two commits. Needs no worktree, so it works after `archive` too."""

import os
from collections.abc import Sequence

from samoloop.base.values import frozen
from samoloop.git import checkpoint
from samoloop.git.calls import Git
from samoloop.git.checkpoint import Checkpoint


@frozen
class Changed:
    """One file that differs between two commits."""

    name: str
    before: str = ""  # its name there, where it was renamed
    lines: tuple[int, int] | None = None  # added, removed; None: binary, or more than 1 MB


def commits_between(store: Git, old: str, new: str) -> list[tuple[str, str]]:
    """(id, subject) of the commits in `new` that are not in `old`, oldest first."""
    lines = _text(store, "log", "--reverse", "--format=%H %s", f"{old}..{new}", "--").split("\n")
    return [(oid, subject) for oid, _, subject in (line.partition(" ") for line in lines) if oid]


def changed_paths(store: Git, old: str, new: str) -> list[str]:
    """The files that differ between two commits; one that was renamed counts under both names."""
    return _paths(store, old, new)


def added_paths(store: Git, old: str, new: str) -> list[str]:
    """The files that the new commit has and the old one has not."""
    return _paths(store, old, new, "--diff-filter=A")


def _paths(store: Git, old: str, new: str, *options: str) -> list[str]:
    found = store.run("diff-tree", "-r", "-z", "--name-only", "--no-renames", *options, old, new, "--")
    return [os.fsdecode(path) for path in found.split(b"\0") if path]


def put_back_by(store: Git, commit: str, message: str) -> str | None:
    """The parent of a commit that has this message; None where it has another."""
    parents, _, subject = _text(store, "log", "-1", "--format=%P%n%s", commit, "--").rstrip("\n").partition("\n")
    return parents.split()[0] if subject == message else None


def diff_stat(store: Git, old: str, new: str) -> str:
    """`git diff --stat` of two commits or trees, for people."""
    return _text(store, "diff", "--stat", *_PLAIN, old, new, "--").rstrip()


def patch(store: Git, old: str, new: str, folder: str = "") -> str:
    """What lies between two commits or trees; `folder` stands before the names, with a slash at its end."""
    prefixes = (f"--src-prefix=a/{folder}", f"--dst-prefix=b/{folder}")
    return _text(store, "diff", *_PLAIN, "--find-renames", *prefixes, old, new, "--")


def changed_files(store: Git, old: str, new: str) -> list[Changed]:
    """The files that differ, with how many of their lines do."""
    found = store.run(*_LARGEST, "diff", *_PLAIN, "--find-renames", "--numstat", "-z", old, new, "--")
    parts = iter(os.fsdecode(found).split("\0"))
    files = []
    for part in parts:
        if part:
            added, removed, name = part.split("\t", 2)
            before = "" if name else next(parts)
            lines = None if added == "-" else (int(added), int(removed))
            files.append(Changed(name or next(parts), before, lines))
    return files


def patch_of(store: Git, old: str, new: str, files: Sequence[Changed]) -> str:
    """What lies between two commits in some of the files, as a patch."""
    names = [f":(top,literal){name}" for file in files for name in (file.before, file.name) if name]
    prefixes = ("--src-prefix=a/", "--dst-prefix=b/")
    return (
        _text(store, *_LARGEST, "diff", *_PLAIN, "--find-renames", *prefixes, old, new, "--", *names) if names else ""
    )


_LARGEST = ("-c", "core.bigFileThreshold=1m")  # of a file whose lines are compared; a larger one counts as binary
_PLAIN = ("--no-ext-diff", "--no-textconv", "--no-color", "--no-relative")


def around(store: Git, ref: str, iteration: int) -> tuple[Checkpoint | None, Checkpoint]:
    """The checkpoint of an iteration, and the one before it, if there is one. Raises GitError where it has none."""
    known = checkpoint.timeline(store, ref)
    target = checkpoint.find(store, ref, iteration)
    position = [found.oid for found in known].index(target.oid)
    return (known[position + 1] if position + 1 < len(known) else None), target


def _text(store: Git, *args: str) -> str:
    """What git prints, for people: names and messages may be of any bytes."""
    return store.run(*args).decode(errors="replace")
