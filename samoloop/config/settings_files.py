"""The files of a project that its settings come from, as they are now: so that a change of them is seen."""

import json
import os
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

from samoloop.base.files import read_plain, sha256
from samoloop.config import samocode
from samoloop.config.keys import Config
from samoloop.config.project import BACKLOG, FILE_NAME, LEARNED

_FOLDER = ".samoloop"  # of workflows, phases, profiles and skills
_FILE_BYTES = 1_000_000
_MOST = 5000  # files
_KEPT = 20_000  # characters of the settings file, to show what changed in it
_LINES, _LINE_LENGTH = 40, 300  # of what is shown


def settings_files(config: Config) -> dict[str, str]:
    """Each file with the hash of what it holds, by its path from the project's root.

    What was learned is none of them: it names no command, and a person adds to it while sessions are at work.
    """
    root = os.fspath(config.root)
    names = ((path, path[len(root) + 1 :]) for path in _paths(config) if os.path.lexists(path))
    found = {name: sha256(_content(Path(path))) for path, name in names if name != str(LEARNED)}
    if above := samocode.above(config.root):
        found[os.path.relpath(above, root)] = sha256(_content(above))
    return found


def settings_now(config: Config, programs: Mapping[str, str], *, in_reach: bool) -> str:
    """All of them as one text, with the `programs` that git's configuration names, for the functions below.

    Where the checkout is in a child's reach, what was learned is among them.
    """
    learned = config.root / LEARNED
    more = {str(LEARNED): sha256(_content(learned))} if in_reach and os.path.lexists(learned) else {}
    text = _content(config.root / FILE_NAME).decode(errors="replace")[:_KEPT]
    return json.dumps({"files": settings_files(config) | more, "text": text, "programs": dict(programs)})


def programs_in(settings: str) -> dict[str, str]:
    """The programs of git's configuration in such a text."""
    return dict(json.loads(settings)["programs"])


def hash_in(settings: str, name: Path) -> str | None:
    """The hash that a file had in such a text."""
    found: str | None = json.loads(settings)["files"].get(str(name))
    return found


def changed_names(before: str, now: str) -> list[str]:
    """The files that differ in two such texts, and the keys of git's configuration."""
    return [name for part in ("files", "programs") for name in _changed(before, now, part)]


def differences(before: str, now: str) -> list[str]:
    """What differs, as lines for a person: names, of the settings file itself a diff, and what git would run."""
    import difflib  # only where a person is asked

    lines = [f"the settings file {name} was changed" for name in _changed(before, now, "files")]
    was, is_now = (json.loads(text)["text"].splitlines() for text in (before, now))
    lines += list(difflib.unified_diff(was, is_now, n=1, lineterm=""))[2:]
    programs = programs_in(now)
    lines += [
        f"git's configuration names another program: {key} = {programs.get(key, '')}"
        for key in _changed(before, now, "programs")
    ]
    shown = [line[:_LINE_LENGTH] for line in lines[:_LINES]]
    return shown if len(lines) <= _LINES else [*shown, f"and {len(lines) - _LINES} more lines"]


def _changed(before: str, now: str, part: str) -> list[str]:
    was, is_now = (json.loads(text)[part] for text in (before, now))
    return sorted(name for name in {*was, *is_now} if was.get(name) != is_now.get(name))


def _content(path: Path) -> bytes:
    """What such a file holds; nothing where it is none, or cannot be read."""
    try:
        return read_plain(path, _FILE_BYTES, follow=True) or b""
    except (OSError, ValueError):
        return b""


def _paths(config: Config) -> Iterator[str]:
    root = os.fspath(config.root)
    yield from (f"{root}/{name}" for name in (FILE_NAME, samocode.FILE_NAME))
    ours = {os.fspath(folder) for folder in (config.worktrees_dir, config.sessions_dir, config.root / BACKLOG)}
    left = _MOST
    for folder, folders, files in os.walk(f"{root}/{_FOLDER}"):
        folders[:] = sorted(name for name in folders if not _is_ours(f"{folder}/{name}", ours))
        yield from (f"{folder}/{name}" for name in sorted(files)[: max(left, 0)])
        left -= len(files)


def _is_ours(folder: str, ours: Set[str]) -> bool:
    """Whether it holds sessions, worktrees or tasks, or is a worktree that is left from other settings."""
    return folder in ours or os.path.lexists(f"{folder}/.git")
