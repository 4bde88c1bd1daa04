"""Named pipes that a child put in the place of git's files: git would wait for ever on one."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from samoloop.git.checkout import common_dir

_ENTRIES = 500_000  # of a folder tree that are looked at; git is waited for meanwhile
READ_IN_TREE = (".gitignore", ".gitattributes", ".gitmodules")  # in the working tree; other pipes there are no matter


def remove_pipes(*files: Path | str) -> list[str]:
    """Remove those of the files that are named pipes. Sentences for the report."""
    pipes = [Path(path) for path in files if _is_pipe(path)]
    for pipe in pipes:
        pipe.unlink(missing_ok=True)
    return [f"A pipe in the place of {pipe.name[:200]} was removed: git would have waited for it." for pipe in pipes]


def release(git_dir: Path, work_tree: Path | None) -> None:
    """Remove every pipe that a git which takes long may be waiting for; it goes on as if the file were empty."""
    for folder in {git_dir, common_dir(git_dir)}:
        for path in islice(_files(folder), _ENTRIES):
            _release(path)
    for path in islice(_files(work_tree), _ENTRIES) if work_tree else ():
        if path.name in READ_IN_TREE:
            _release(path)


def _files(folder: Path) -> Iterator[Path]:
    for where, _, names in os.walk(folder):
        yield from (Path(where, name) for name in names)


def _release(path: Path) -> None:
    if not _is_pipe(path):
        return
    pipe = None
    with suppress(OSError):  # open for both, it waits for nobody; closed before it is gone, git might open it once more
        pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    path.unlink(missing_ok=True)
    if pipe is not None:
        os.close(pipe)


def _is_pipe(path: Path | str) -> bool:
    try:
        return stat.S_ISFIFO(os.lstat(path).st_mode)
    except OSError:
        return False
