"""Git objects written without a process: the blobs, trees and commits of checkpoints, and the commits of leftovers.

An object file is a header and the content, compressed, under the name of its hash (the format of loose objects, which
git keeps for ever). Measured with the ref's update, a checkpoint takes 1.6 times as long by `git fast-import`, and all
of an iteration's git shall take less than that alone. Refs and indexes are git's own business: their locking is not
repeated here.
"""

import functools
import hashlib
import os
import re
import stat
import time
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from samoloop.base.errors import GitError
from samoloop.base.files import read_plain
from samoloop.base.values import frozen
from samoloop.git.calls import Git

OWN_IDENTITY = "samoloop <samoloop@localhost>"
_HEAD_BYTES = 200  # of a commit, in which its tree is named
_LEVEL = 1  # of compression: the files are small, and gc packs them anew
# What core.sharedRepository may say beside an octal mode (git help config). Modes are added, an octal one replaces.
_SHARED = dict.fromkeys(("group", "true", "yes", "on", "1"), 0o660)
_SHARED |= dict.fromkeys(("all", "world", "everybody", "2"), 0o664)


@frozen
class Objects:
    """The objects of one repository."""

    folder: Path
    algorithm: str  # "sha1" or "sha256"
    shared: str = ""  # core.sharedRepository

    @classmethod
    def of(cls, common_dir: Path, oid: str) -> "Objects":
        """The objects of the repository at `common_dir`, in which `oid` is one of them."""
        return cls(common_dir / "objects", _algorithm(oid), _shared(common_dir))

    def blob(self, content: bytes) -> str:
        """The bytes as they are: no filter, no line-end conversion."""
        return self._write(b"blob", content)

    def tree(self, files: Iterable[tuple[str, int, str]]) -> str:
        """A tree of (path, mode, blob); a path with slashes makes trees within."""
        here: list[tuple[str, int, str]] = []
        folders: dict[str, list[tuple[str, int, str]]] = {}
        for path, mode, oid in files:
            name, inside, rest = path.partition("/")
            if inside:
                folders.setdefault(name, []).append((rest, mode, oid))
            else:
                here.append((name, mode, oid))
        here += [(name, 0o40000, self.tree(inner)) for name, inner in folders.items()]
        # Git sorts a folder as if its name ended in a slash.
        entries = sorted((os.fsencode(name) + b"/" * (mode == 0o40000), mode, oid) for name, mode, oid in here)
        content = b"".join(b"%o %s\0%s" % (mode, name.rstrip(b"/"), bytes.fromhex(oid)) for name, mode, oid in entries)
        return self._write(b"tree", content)

    def commit(
        self,
        tree: str,
        parents: Sequence[str],
        message: bytes,
        author: str = OWN_IDENTITY,
        committer: str = OWN_IDENTITY,
    ) -> str:
        """A commit that no ref names yet, made now. `message` is kept byte for byte, but for NUL, which git forbids."""
        now = f"{int(time.time())} {time.strftime('%z')}"
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
        lines += [f"author {author} {now}", f"committer {committer} {now}", "", ""]
        return self._write(b"commit", os.fsencode("\n".join(lines)) + message.replace(b"\0", b""))

    def tree_of(self, commit: str) -> str | None:
        """The tree of a commit, where that is in a file of its own; None where git has packed it."""
        try:
            packed = read_plain(self._path(commit), _HEAD_BYTES)
            raw = zlib.decompressobj().decompress(packed or b"", _HEAD_BYTES)
        except (ValueError, zlib.error):
            return None
        _, _, content = raw.partition(b"\0")
        return content[5:].partition(b"\n")[0].decode() if content.startswith(b"tree ") else None

    def _path(self, oid: str) -> Path:
        return self.folder / oid[:2] / oid[2:]

    def _write(self, kind: bytes, content: bytes) -> str:
        """Write an object unless it is there. Raises GitError, with no part of it left."""
        raw, oid = _named(self.algorithm, kind, content)
        path = self._path(oid)
        with suppress(OSError):
            os.utime(path)  # a gc that is collecting old objects sees that it is wanted again
            return oid
        try:
            if not path.parent.is_dir():
                path.parent.mkdir(exist_ok=True)
                self._share(path.parent)
            part = path.with_name(f"tmp_obj_{os.urandom(8).hex()}")  # a name that `git prune` cleans up
            try:
                with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444), "wb") as file:
                    file.write(zlib.compress(raw, _LEVEL))
                    file.flush()
                    os.fsync(file.fileno())
                self._share(part)
                part.replace(path)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise GitError(f"Nothing can be kept in {self.folder}: {error.strerror}. Free space or mend it.") from error
        return oid

    def _share(self, path: Path) -> None:
        """Give what was just made the mode that git gives it in a shared repository."""
        allowed = _SHARED.get(self.shared, 0)
        octal = not allowed and re.fullmatch("[0-7]+", self.shared)
        allowed = int(self.shared, 8) & 0o666 if octal else allowed
        if not allowed:
            return
        mode = path.stat().st_mode
        if not mode & stat.S_IWUSR:
            allowed &= ~0o222
        new = (mode & ~0o777 if octal else mode) | allowed
        if stat.S_ISDIR(mode):
            new |= (new & 0o444) >> 2
            new |= stat.S_ISGID if new & 0o060 else 0
        path.chmod(stat.S_IMODE(new))


def blob_name(content: bytes, like: str) -> str:
    """By which git knows a file of these bytes, in a repository where it knows something by `like`."""
    return _named(_algorithm(like), b"blob", content)[1]


def _named(algorithm: str, kind: bytes, content: bytes) -> tuple[bytes, str]:
    raw = b"%s %d\0%s" % (kind, len(content), content)
    return raw, hashlib.new(algorithm, raw).hexdigest()


def _algorithm(oid: str) -> str:
    return "sha1" if len(oid) == 40 else "sha256"


@functools.cache
def _shared(common_dir: Path) -> str:
    done = Git(common_dir).call("config", "--get", "core.sharedRepository")
    return done.stdout.decode(errors="replace").strip().lower()
