"""A disk that loses what was not synced when the power fails: the strictest one that POSIX allows.

The content of a file is safe once the file was synced, a name once its folder was. It sits between this process and
the operating system and remembers how to take back each write, creation, rename and removal that is not safe yet.
Git's objects and refs are safe where its configuration says so; the names of objects that were synced are, as for git,
which never syncs those folders. What children write, and git's other files, are taken for safe: nobody but the system
syncs those.
"""

import io
import itertools
import os
import re
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import samoloop.git.calls

WRITING = os.O_WRONLY | os.O_RDWR
OBJECTS = re.compile(r"core\.fsync=.*\b(committed|objects|loose-object|all)\b")
REFS = re.compile(r"core\.fsync=.*\b(reference|all)\b")


@dataclass
class Name:
    """A change of a folder's names: safe once one of the folders was synced."""

    folders: set[int]
    undo: Callable[[], None]


@dataclass
class Disk:
    """What below `roots` would be lost now."""

    roots: tuple[Path, ...]
    contents: dict[int, bytes] = field(default_factory=dict)  # file -> what is safe of it
    names: list[Name] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def fail(self) -> None:
        """The power fails: take back all that is not safe. Nobody writes any more."""
        self.lock.acquire()
        for path in list(self._files()):
            try:
                safe = self.contents.get(path.lstat().st_ino)
            except FileNotFoundError:  # another process has just renamed it
                continue
            if safe is not None:
                mode = path.stat().st_mode
                path.chmod(mode | stat.S_IWUSR)
                path.write_bytes(safe)
                path.chmod(mode)
        for name in reversed(self.names):
            name.undo()

    def _files(self) -> Iterator[Path]:
        for where, _, names in self._walk():
            yield from (path for name in names if (path := Path(where, name)).is_file() and not path.is_symlink())

    def _walk(self) -> Iterator[tuple[str, list[str], list[str]]]:
        for root in self.roots:
            yield from os.walk(root)

    def _folder(self, number: int) -> Path | None:
        """Where the folder is now."""
        return next((Path(where) for where, _, _ in self._walk() if Path(where).stat().st_ino == number), None)

    def _is_ours(self, path: Any) -> bool:
        if isinstance(path, int):
            return False
        place = Path(os.path.abspath(os.fsdecode(path)))  # noqa: PTH100
        return any(place.is_relative_to(root) for root in self.roots)

    def _stash(self, path: Path) -> Path | None:
        """Another name for what is about to lose this one."""
        if not path.is_symlink() and not path.is_file():
            return None
        stash = self.roots[0].parent / "stash"
        stash.mkdir(exist_ok=True)
        kept = stash / f"{os.getpid()}-{next(self.numbers)}"
        os.link(path, kept, follow_symlinks=False)
        return kept

    def _note(self, folders: set[int], path: Path, undo: Callable[[], None]) -> None:
        if "objects" not in path.parts:
            self.names.append(Name(folders, undo))

    def note_new(self, path: Path) -> None:
        """A name that was not there."""
        number, name = path.parent.stat().st_ino, path.name

        def undo() -> None:
            folder = self._folder(number)
            if folder and (folder / name).is_dir() and not (folder / name).is_symlink():
                shutil.rmtree(folder / name)
            elif folder:
                (folder / name).unlink(missing_ok=True)

        self._note({number}, path, undo)

    def note_written(self, number: int, before: bytes) -> None:
        """A file that is being written, and what was in it."""
        self.contents.setdefault(number, before)

    def install(self) -> None:
        """Get between this process and the system."""
        fsync, mkdir, open_, io_open = os.fsync, os.mkdir, os.open, io.open
        rename, replace, unlink = os.rename, os.replace, os.unlink

        def sync(descriptor: int) -> None:
            with self.lock:
                fsync(descriptor)
                found = os.fstat(descriptor)
                self.contents.pop(found.st_ino, None)
                self.names = [name for name in self.names if found.st_ino not in name.folders]

        def opening(real: Callable[..., Any], path: Any, writes: bool, *rest: Any, **named: Any) -> Any:
            if not writes or named.get("dir_fd") is not None or not self._is_ours(path):
                return real(path, *rest, **named)
            with self.lock:
                place = Path(os.fsdecode(path)).absolute()
                is_new = not os.path.lexists(place)
                before = place.read_bytes() if place.is_file() else b""
                opened = real(path, *rest, **named)
                if is_new:
                    self.note_new(place)
                found = os.fstat(opened if isinstance(opened, int) else opened.fileno())
                if stat.S_ISREG(found.st_mode):
                    self.note_written(found.st_ino, before)
                return opened

        def os_open(path: Any, flags: int, *rest: Any, **named: Any) -> int:
            return int(opening(open_, path, bool(flags & WRITING), flags, *rest, **named))

        def file_open(path: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
            return opening(io_open, path, bool(set(mode) & set("wax+")), mode, *rest, **named)

        def moved(real: Callable[..., None]) -> Callable[..., None]:
            def move(source: Any, target: Any, **named: Any) -> None:
                with self.lock:
                    old, new = Path(os.fsdecode(source)).absolute(), Path(os.fsdecode(target)).absolute()
                    kept = self._stash(new) if self._is_ours(new) else None
                    here, there = old.parent.stat().st_ino, new.parent.stat().st_ino
                    real(source, target, **named)

                def undo_new() -> None:
                    if to := self._folder(there):
                        (to / new.name).unlink(missing_ok=True)
                        if kept:
                            rename(kept, to / new.name)

                def undo_old() -> None:
                    from_, to = self._folder(here), self._folder(there)
                    if from_ and to and (to / new.name).is_file():
                        os.link(to / new.name, from_ / old.name)

                def undo() -> None:
                    from_, to = self._folder(here), self._folder(there)
                    if from_ and to and os.path.lexists(to / new.name):
                        rename(to / new.name, from_ / old.name)
                        if kept:
                            rename(kept, to / new.name)

                if self._is_ours(new) and here != there and new.is_file():
                    self._note({there}, new, undo_new)
                    self._note({here}, old, undo_old)  # taken back first: the file has both names or the old one
                elif self._is_ours(new):
                    self._note({here, there}, new, undo)

            return move

        def removed(path: Any, **named: Any) -> None:
            with self.lock:
                place = Path(os.fsdecode(path)).absolute()
                ours = named.get("dir_fd") is None and self._is_ours(path)
                kept, number = (self._stash(place), place.parent.stat().st_ino) if ours else (None, 0)
                unlink(path, **named)

            def undo() -> None:
                folder = self._folder(number)
                if kept and folder and not os.path.lexists(folder / place.name):
                    rename(kept, folder / place.name)

            if kept:
                self._note({number}, place, undo)

        def made(path: Any, *rest: Any, **named: Any) -> None:
            with self.lock:
                mkdir(path, *rest, **named)
                if named.get("dir_fd") is None and self._is_ours(path):
                    self.note_new(Path(os.fsdecode(path)).absolute())

        os.fsync, os.mkdir, os.open, io.open = sync, made, os_open, file_open  # type: ignore[assignment]
        os.rename, os.replace, os.unlink = moved(rename), moved(replace), removed
        self._watch_git()

    def _watch_git(self) -> None:
        real = samoloop.git.calls.execute

        def execute(args: tuple[str, ...], **named: Any) -> Any:
            options = " ".join(samoloop.git.calls.OPTIONS)
            unsafe = [kind for kind, safe in (("objects", OBJECTS), ("refs", REFS)) if not safe.search(options)]
            if not unsafe:
                return real(args, **named)
            with self.lock:
                before = self._git_files(unsafe)
                done = real(args, **named)
                for path, (number, _) in self._git_files(unsafe).items():
                    if path not in before:
                        self.note_new(path)
                        self.note_written(number, b"")
                    elif before[path][0] != number:
                        self.note_written(number, before[path][1])
                return done

        samoloop.git.calls.execute = execute

    def _git_files(self, kinds: list[str]) -> dict[Path, tuple[int, bytes]]:
        folders = [
            folder / kind for root in self.roots for folder in root.rglob(".git") if folder.is_dir() for kind in kinds
        ]
        files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
        return {path: (path.stat().st_ino, path.read_bytes()) for path in files}
