"""The files of a project that its settings come from, as they are now: so that a change of them is seen."""

import os
from collections.abc import Iterator
from pathlib import Path

from samoloop.base.files import read_plain, sha256
from samoloop.config.keys import Config
from samoloop.config.project import FILE_NAME, LEGACY_NAME

_FOLDER = ".samoloop"  # of workflows, phases, profiles and skills
_FILE_BYTES = 1_000_000
_MOST = 5000  # files


def settings_files(config: Config) -> dict[str, str]:
    """Each file with the hash of what it holds, by its path from the project's root."""
    paths = (path for path in _paths(config) if os.path.lexists(path))
    return {path.relative_to(config.root).as_posix(): sha256(settings_text(path)) for path in paths}


def settings_text(path: Path) -> bytes:
    """What such a file holds; nothing where it is none, or cannot be read."""
    try:
        return read_plain(path.resolve(), _FILE_BYTES) or b""
    except (OSError, ValueError, RuntimeError):
        return b""


def _paths(config: Config) -> Iterator[Path]:
    yield config.root / FILE_NAME
    yield config.root / LEGACY_NAME
    ours = {config.worktrees_dir, config.sessions_dir}
    left = _MOST
    for folder, folders, files in os.walk(config.root / _FOLDER):
        folders[:] = sorted(name for name in folders if Path(folder, name) not in ours)
        yield from (Path(folder, name) for name in sorted(files)[: max(left, 0)])
        left -= len(files)
