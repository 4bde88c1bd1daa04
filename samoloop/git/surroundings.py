"""What of a repository lies beside a session's own branch and worktree, as values: two looks can be compared.

Files alone are read, each with a limit; only where git keeps its refs in tables it is asked.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from samoloop.base.files import entries_of, read_plain, sha256
from samoloop.git.calls import Git, is_oid
from samoloop.git.checkout import refs_in_files

_REF_BYTES, _FILE_BYTES, _PACKED_BYTES = 1000, 1_000_000, 100_000_000
_MOST = 50_000  # loose refs, hooks
# Below refs/: ours, told apart, of a worktree.
_NOT_LOOKED_AT = tuple(
    f"refs/{name}" for name in ("samoloop", "stash", "bisect", "worktree", "rewritten", "notes/samoloop")
)
_SECTION = re.compile(r'\[\s*([\w.-]+)(?:\s+"((?:[^"\\]|\\.)*)")?\s*\]')
_KEY = re.compile(r"[A-Za-z][\w-]*")


def refs(common_dir: Path) -> dict[str, str]:
    """Branches, tags and the other refs that all checkouts share, by full name, and what each is at."""
    if refs_in_files(common_dir):
        found = [*_packed(common_dir / "packed-refs"), *_loose(common_dir)]
    else:
        listed = Git(common_dir).run("for-each-ref", "--format=%(objectname) %(refname)")
        found = list(_pairs(listed))
    below = tuple(f"{name}/" for name in _NOT_LOOKED_AT)
    return {name: at for name, at in found if name not in _NOT_LOOKED_AT and not name.startswith(below)}


def _packed(path: Path) -> Iterator[tuple[str, str]]:
    return _pairs(_content(path, _PACKED_BYTES))


def _pairs(listed: bytes) -> Iterator[tuple[str, str]]:
    for line in listed.splitlines():
        at, _, name = line.partition(b" ")
        if name.startswith(b"refs/"):
            yield os.fsdecode(name), os.fsdecode(at)


def _loose(common_dir: Path) -> Iterator[tuple[str, str]]:
    left = _MOST
    folders = ["refs"]
    while folders and left >= 0:
        below = folders.pop()
        for entry in entries_of(common_dir / below):
            name = f"{below}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                if name not in _NOT_LOOKED_AT:
                    folders.append(name)
            elif not name.endswith(".lock"):
                yield name, _ref(Path(entry.path))
                left -= 1


def head(common_dir: Path) -> str:
    """What the main checkout is on: a branch's full name or a commit."""
    return _ref(common_dir / "HEAD")


def hooks(common_dir: Path) -> dict[str, str]:
    """The hooks by name, each with what changes when it is written or replaced; git's samples are none."""
    found: dict[str, str] = {}
    for entry in entries_of(common_dir / "hooks"):
        with suppress(OSError):  # it went meanwhile
            if not entry.name.endswith(".sample") and len(found) < _MOST:
                known = entry.stat(follow_symlinks=False)
                found[entry.name] = f"{known.st_mode:o} {known.st_size} {known.st_mtime_ns} {known.st_ino}"
    return found


def configuration(files: Iterable[Path]) -> dict[str, str]:
    """The keys that these files of git's set, each with its file, and a hash of its values: they may be secrets."""
    found: dict[str, list[str]] = {}
    for path in files:
        section = ""
        for line in _content(path, _FILE_BYTES).decode(errors="replace").replace("\\\n", "").splitlines():
            rest = line.strip()
            while head := _SECTION.match(rest):
                section = ".".join(word for word in head.groups() if word)
                rest = rest[head.end() :].strip()
            if key := _KEY.match(rest):
                found.setdefault(f"{section}.{key[0]} in {path}", []).append(rest[key.end() :])
    return {name: sha256("\n".join(values)) for name, values in found.items()}


def contents(files: Iterable[Path]) -> dict[str, str]:
    """A hash of each of the files that is there."""
    return {str(path): sha256(_content(path, _FILE_BYTES)) for path in files if os.path.lexists(path)}


def _ref(path: Path) -> str:
    """The commit or the other ref that a file of git's names; nothing where it is no such file."""
    try:
        text = (read_plain(path, _REF_BYTES) or b"").decode().strip()
    except (OSError, ValueError):
        return ""
    return text.removeprefix("ref: ") if is_oid(text) or text.startswith("ref: refs/") else ""


def _content(path: Path, limit_bytes: int) -> bytes:
    """What the file holds, also through a link of the person's; nothing where it is none or cannot be read."""
    try:
        return read_plain(path, limit_bytes, follow=True) or b""
    except (OSError, ValueError):
        return b""
