"""What a tree of git holds, read without a worktree: names, texts of some files, and what differs from another tree."""

import os
from collections.abc import Iterable

from samoloop.base.values import frozen
from samoloop.git.calls import Git

_LINK, _REPOSITORY = "120000", "160000"


@frozen
class Entry:
    """One file of a tree."""

    mode: str
    oid: str

    @property
    def is_plain(self) -> bool:
        """A file with content, no link and no nested repository."""
        return self.mode not in (_LINK, _REPOSITORY)


@frozen
class Change:
    """A path that two trees hold differently."""

    path: str
    was: bool  # there in the old one
    now: bool  # there in the new one


def entries(store: Git, tree: str) -> dict[str, Entry]:
    """All files of a tree, by path."""
    found = {}
    for line in store.run("ls-tree", "-r", "-z", tree).split(b"\0"):
        head, tab, path = line.partition(b"\t")
        if tab:
            mode, _, oid = head.decode().split(" ", 2)
            found[os.fsdecode(path)] = Entry(mode, oid)
    return found


def texts(store: Git, files: Iterable[tuple[str, Entry]], limit_bytes: int) -> dict[str, str]:
    """The texts of plain files that are not larger than the limit, by path."""
    wanted = [(path, entry) for path, entry in files if entry.is_plain]
    if not wanted:
        return {}
    asked = "".join(f"{entry.oid}\n" for _, entry in wanted).encode()
    sizes = [line.split() for line in store.run("cat-file", "--batch-check", stdin=asked).decode().splitlines()]
    small = [(path, int(size[2])) for (path, _), size in zip(wanted, sizes, strict=True) if int(size[2]) <= limit_bytes]
    oids = dict(wanted)
    rest = store.run("cat-file", "--batch", stdin="".join(f"{oids[path].oid}\n" for path, _ in small).encode())
    found = {}
    for path, size in small:
        start = rest.index(b"\n") + 1
        found[path] = rest[start : start + size].decode("utf-8", "replace")
        rest = rest[start + size + 1 :]
    return found


def changes(store: Git, old: str, new: str) -> list[Change]:
    """What differs between two trees but for nested repositories; a renamed file is one that went and one that came."""
    words = store.run("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", old, new).split(b"\0")
    found = []
    for head, path in zip(words[::2], words[1::2], strict=False):
        was, now = head.decode().lstrip(":").split(" ")[:2]
        if _REPOSITORY not in (was, now):
            found.append(Change(os.fsdecode(path), was.strip("0") != "", now.strip("0") != ""))
    return found
