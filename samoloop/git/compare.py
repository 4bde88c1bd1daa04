"""What lies between two commits. Needs no worktree, so it works after `archive` too."""

import os

from samoloop.git import checkpoint
from samoloop.git.calls import Git


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
    """`git diff --stat` of two commits, for the report."""
    plain = ("--no-ext-diff", "--no-textconv", "--no-color", "--no-relative")
    return _text(store, "diff", "--stat", *plain, old, new, "--").rstrip()


def code_diff(store: Git, old: str, new: str) -> str:
    """What lies between two commits, as a patch."""
    return _diff(store, old, new, "")


def iteration_diff(store: Git, ref: str, iteration: int) -> str:
    """What an iteration changed: the code, then the session's files. Raises GitError where there is no such one."""
    known = checkpoint.timeline(store, ref)
    target = checkpoint.find(store, ref, iteration)
    position = [found.oid for found in known].index(target.oid)
    before = known[position + 1] if position + 1 < len(known) else None
    code = _diff(store, before.code, target.code, "") if before else ""
    old_tree = before.tree if before else store.line("mktree")
    return code + _diff(store, old_tree, target.tree, "session/")


def _diff(store: Git, old: str, new: str, prefix: str) -> str:
    options = (
        "--no-ext-diff",
        "--no-textconv",
        "--no-relative",
        "--find-renames",
        "--no-color",
        f"--src-prefix=a/{prefix}",
        f"--dst-prefix=b/{prefix}",
    )
    return _text(store, "diff", *options, old, new, "--")


def _text(store: Git, *args: str) -> str:
    """What git prints, for people: names and messages may be of any bytes."""
    return store.run(*args).decode(errors="replace")
