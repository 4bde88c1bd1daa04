"""Filters and merge drivers: programs that git runs because its configuration names them, and a child can name them.

Git's own attributes say which file gets which; those are in the worktree, so a child writes them anyway. What a worker
knows is which programs there were when it began: `believe` says so, and from then on no other one runs in that
repository, whoever names it, in whatever file.
"""

import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from samoloop.base.errors import GitError
from samoloop.base.files import real
from samoloop.git.checkout import common_dir

# Includes are listed too: where there is one, a change cannot be told from the files alone.
LISTED = (
    *("config", "-z", "--get-regexp"),
    r"^(filter\..*\.(clean|smudge|process|required)|merge\..*\.driver|include\.path|includeif\..*\.path)$",
)
_HARMLESS = {
    "filter": {"clean": "", "smudge": "", "process": "", "required": "false"},  # the content as it is
    "merge": {"driver": "false"},  # a conflict
}
_MOST = 200  # drivers that are kept from running; they travel in the environment

Programs = Mapping[str, str]  # key of git's configuration -> the command, as far as git runs one for it
_Stamps = tuple[tuple[int, ...], ...]
_believed: dict[Path, Programs] = {}  # by the repository's real path
_seen: dict[Path, tuple[_Stamps, Programs]] = {}  # by the folder of a checkout's own git files


def believe(common: Path, programs: Programs) -> None:
    """From now on no other filter and no other merge driver runs in the repository, in this process."""
    _believed[real(common)] = programs


def configured(listed: bytes) -> dict[str, str]:
    """What git says to `LISTED`: the last value of each key counts."""
    pairs = (item.partition("\n") for item in os.fsdecode(listed).split("\0") if item)
    return {key: value for key, _, value in pairs if not key.startswith("include")}


def unknown(git_dir: Path, ask: Callable[[], bytes]) -> Programs:
    """The keys that are not as they are believed to be, with their values, empty where there is none any more.

    `ask` gives what git says to `LISTED`; it is asked where a file of its configuration has changed.
    """
    common = common_dir(git_dir)
    believed = _believed.get(common if common in _believed else real(common)) if _believed else None
    if believed is None:
        return {}
    now = current(git_dir, ask, common)
    return {key: now.get(key, "") for key in {**believed, **now} if believed.get(key) != now.get(key)}


def without(programs: Programs) -> dict[str, str]:
    """The environment in which git runs none of these. Raises GitError where there are too many."""
    drivers = sorted({key.rpartition(".")[0] for key in programs})
    if len(drivers) > _MOST:
        raise GitError(f"git's configuration names {len(drivers)} filters that it did not name before: remove them.")
    off = [(f"{name}.{key}", value) for name in drivers for key, value in _HARMLESS[name.partition(".")[0]].items()]
    env = {"GIT_CONFIG_COUNT": str(len(off))} if off else {}
    for number, (key, value) in enumerate(off):  # not by -c, where a driver's name cannot have a =
        env |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return env


def configuration_files(common: Path, environ: Mapping[str, str]) -> list[Path]:
    """Where git looks for its configuration, but for the machine's, which no child can write."""
    return list(_files(common, *map(environ.get, ("HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL"))))


@cache
def _files(common: Path, home: str | None, config: str | None, own: str | None) -> tuple[Path, ...]:
    at_home = Path(home or "~").expanduser()
    personal = [at_home / ".gitconfig", Path(config or at_home / ".config") / "git" / "config"]
    return (common / "config", common / "config.worktree", *([Path(own)] if own else personal))


def current(git_dir: Path, ask: Callable[[], bytes], common: Path | None = None) -> Programs:
    """What git's configuration names now; `ask` as for `unknown`, `common` where it is known."""
    files = [*configuration_files(common or common_dir(git_dir), os.environ), git_dir / "config.worktree"]
    stamps = tuple(_stamp(path) for path in files)
    known = _seen.get(git_dir)
    if known and known[0] == stamps:
        return known[1]
    for then, programs in _seen.values():  # a new worktree's are the repository's
        if then == stamps:
            _seen[git_dir] = (stamps, programs)
            return programs
    listed = ask()
    programs = configured(listed)
    if b"\0include" in b"\0" + listed:
        _seen.pop(git_dir, None)
    else:
        _seen[git_dir] = (stamps, programs)
    return programs


def _stamp(path: Path) -> tuple[int, ...]:
    """What changes when the file is written, whoever sets its times."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ctime_ns, found.st_size, found.st_ino
