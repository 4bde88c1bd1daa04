"""Puts skills where the CLIs read them, keeps what a person edited, and takes away only what it put there.

A record beside the skills, `.samoloop-skills.json`, holds the hash of every file as it was written. A file whose
content is neither that nor the shipped one belongs to the person. Everything is checked before anything is written.
"""

import contextlib
import difflib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

from samoloop import __version__
from samoloop.base.errors import UsageError
from samoloop.base.files import read_plain, sha256, write_atomic
from samoloop.base.values import frozen
from samoloop.config.skills import NAME, Skill, write

RECORD = ".samoloop-skills.json"
CLAUDE, AGENTS = ".claude", ".agents"
# Which folder each CLI reads; `agents` is every other one that keeps to the shared folder.
READERS = {
    "claude": CLAUDE,
    "codex": AGENTS,
    "gemini": AGENTS,
    "opencode": AGENTS,
    "cursor": AGENTS,
    "agents": AGENTS,
}
_RECORD_BYTES = 4_000_000
_FILE_BYTES = 4_000_000


class Standing(StrEnum):
    """How a skill stands in a folder."""

    ABSENT = "absent"
    CURRENT = "current"
    OUTDATED = "outdated"  # ours, as we wrote it, but not as it is shipped now
    EDITED = "edited"  # ours, changed by the person
    OWN = "own"  # the person's own skill of the same name


@frozen
class Target:
    """A folder that CLIs read skills from."""

    scope: str  # user or project
    root: Path  # the home folder or the project: links below it are not followed
    folder: Path


def targets(readers: Iterable[str], scope: str, root: Path, environ: Mapping[str, str]) -> list[Target]:
    """The folders for these CLIs, each once; both where none is named. Raises UsageError for an unknown CLI."""
    names = list(readers) or list(READERS)
    unknown = [name for name in names if name not in READERS]
    if unknown:
        raise UsageError(f"--for {unknown[0]}: it is not known where that reads skills; known: {', '.join(READERS)}")
    found = []
    for place in dict.fromkeys(READERS[name] for name in names):
        own = environ.get("CLAUDE_CONFIG_DIR") if place == CLAUDE and scope == "user" else None
        base = Path(own).expanduser() if own else root / place
        found.append(Target(scope, base.parent if own else root, base / "skills"))
    return found


@dataclass
class InstallRecord:
    """What was written into one folder, by skill: the version, and the hash of each file."""

    skills: dict[str, dict[str, Any]] = field(default_factory=dict)

    def version(self, name: str) -> str:
        return str(self.skills.get(name, {}).get("version", ""))

    def hashes(self, name: str) -> dict[str, str] | None:
        """The hashes of a skill's files; None where it is not ours."""
        return self.skills[name]["files"] if name in self.skills else None


@frozen
class InstallPlan:
    """What an installation will do in one folder."""

    target: Target
    record: InstallRecord
    install: Sequence[Skill] = ()
    upgrade: Sequence[Skill] = ()  # replaced, edited ones under --force too
    current: Sequence[Skill] = ()
    kept: Mapping[str, str] = field(default_factory=dict)  # edited by the person: name to the diff
    retire: Sequence[str] = ()  # ours, unedited, shipped no more


def plan_install(skills: Sequence[Skill], target: Target, *, force: bool, whole: bool) -> InstallPlan:
    """What is to be done so that the folder holds `skills`. Raises UsageError where nothing may be written.

    `whole`: these are all the skills there are, so what is recorded, unedited and not among them is taken away.
    """
    check_target(target)
    record = read_record(target.folder)
    sorted_out: dict[Standing, list[Skill]] = {standing: [] for standing in Standing}
    for skill in skills:
        sorted_out[standing_of(skill, target.folder, record)].append(skill)
    if sorted_out[Standing.OWN]:
        path = target.folder / sorted_out[Standing.OWN][0].name
        raise UsageError(
            f"{path} is a skill of your own, so nothing was installed in {target.folder}: move it away, or name the "
            "skills to install: samoloop skills install NAME ..."
        )
    edited = sorted_out[Standing.EDITED]
    gone = record.skills.keys() - {skill.name for skill in skills} if whole else set()
    return InstallPlan(
        target,
        record,
        install=sorted_out[Standing.ABSENT],
        upgrade=[*sorted_out[Standing.OUTDATED], *(edited if force else ())],
        current=sorted_out[Standing.CURRENT],
        kept={} if force else {skill.name: diff(skill, target.folder) for skill in edited},
        retire=[name for name in sorted(gone) if not _edited(target.folder / name, record.hashes(name) or {}, {})],
    )


def carry_out(plan: InstallPlan) -> None:
    """Write what was planned. A crash within is mended by the next installation. Raises OSError."""
    folder, record = plan.target.folder, plan.record
    folder.mkdir(parents=True, exist_ok=True)
    for name in plan.retire:
        _remove_files(folder / name, record.skills.pop(name)["files"])
    for skill in (*plan.install, *plan.upgrade):
        before = record.hashes(skill.name) or {}
        write(skill, folder / skill.name)
        _remove_files(folder / skill.name, [name for name in before if name not in skill.files])
    for skill in (*plan.install, *plan.upgrade, *plan.current):
        files = {name: sha256(data) for name, data in skill.files.items()}
        record.skills[skill.name] = {"version": __version__, "files": files}
    _write_record(folder, record)


@frozen
class Removal:
    """What an uninstallation will do in one folder."""

    target: Target
    record: InstallRecord
    remove: Sequence[str]
    kept: Sequence[str]  # edited by the person


def plan_uninstall(names: Sequence[str], target: Target, *, force: bool) -> Removal:
    """What of ours can be taken away; all of it where no name is given. Raises UsageError."""
    record = read_record(target.folder)
    if record.skills:
        check_target(target)
    ours = [name for name in record.skills if not names or name in names]
    edited = [name for name in ours if _edited(target.folder / name, record.hashes(name) or {}, {})]
    kept = [] if force else edited
    return Removal(target, record, [name for name in ours if name not in kept], kept)


def take_away(removal: Removal) -> None:
    """Remove what was planned, and the folders and record that are empty then. Raises OSError."""
    folder, record = removal.target.folder, removal.record
    for name in removal.remove:
        _remove_files(folder / name, record.skills.pop(name)["files"])
    if record.skills:
        _write_record(folder, record)
    elif removal.remove:
        (folder / RECORD).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not empty: the person has skills of their own
            folder.rmdir()
            folder.parent.rmdir()


def standing_of(skill: Skill, folder: Path, record: InstallRecord) -> Standing:
    """How a shipped skill stands in a folder. Raises UsageError for links and what is no folder."""
    path, hashes = folder / skill.name, record.hashes(skill.name)
    there = _content(path)
    if not there:
        return Standing.ABSENT
    edited = _edited(path, hashes or {}, skill.files)
    if hashes is None and (edited or not there.keys() <= skill.files.keys()):
        return Standing.OWN  # anything else without a record is a copy, or an installation that was cut off
    if edited:
        return Standing.EDITED
    retired = (hashes or {}).keys() - skill.files.keys()
    current = all(there.get(name) == data for name, data in skill.files.items()) and not retired
    return Standing.CURRENT if current else Standing.OUTDATED


def diff(skill: Skill, folder: Path) -> str:
    """What the person changed, as a difference between their files and the shipped ones."""
    there = _content(folder / skill.name)
    lines: list[str] = []
    for name in sorted({*skill.files, *there}):
        theirs, ours = (text.get(name, b"").decode("utf-8", "replace").splitlines() for text in (there, skill.files))
        if name in skill.files:
            lines += difflib.unified_diff(
                theirs,
                ours,
                f"{skill.name}/{name} (yours)",
                f"{skill.name}/{name} (samoloop {__version__})",
                lineterm="",
            )
    return "\n".join(lines)


def check_target(target: Target) -> None:
    """Whether skills may be written there. Raises UsageError with the reason."""
    path = target.folder
    for part in (path, *path.parents):
        if part == target.root:
            break
        if part.is_symlink():
            raise UsageError(f"{part} is a link to {part.readlink()}: skills are only written into real folders")
    while not path.exists():
        path = path.parent
    if not path.is_dir():
        raise UsageError(f"{path} is no folder, so no skills can be put into {target.folder}")
    effective = os.access in os.supports_effective_ids
    if not os.access(path, os.W_OK | os.X_OK, effective_ids=effective):
        raise UsageError(f"{path} is read-only for you, so no skills can be put into {target.folder}")


def read_record(folder: Path) -> InstallRecord:
    """What was written into a folder; empty where nothing was. Raises UsageError where the record is damaged."""
    path = folder / RECORD
    try:
        data = read_plain(path, _RECORD_BYTES)
        value = json.loads(data) if data is not None else {"skills": {}}
        skills = {name: {**item, "files": dict(item["files"])} for name, item in value["skills"].items()}
        if not all(NAME.fullmatch(name) and all(map(_is_inside, item["files"])) for name, item in skills.items()):
            raise ValueError("it names files elsewhere")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{path} cannot be used ({error}): remove it, and the skills of samoloop beside it, then install again"
        ) from None
    return InstallRecord(skills)


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def _edited(path: Path, recorded: Mapping[str, str], shipped: Mapping[str, bytes]) -> list[str]:
    """The files that are neither as they were written nor as they are shipped; a removed one too."""
    there = _content(path)
    if not there:
        return []
    found = []
    for name in {*recorded, *shipped}:
        if name not in there:
            changed = name in recorded
        else:
            changed = there[name] != shipped.get(name) and sha256(there[name]) != recorded.get(name)
        if changed:
            found.append(name)
    return found


def _content(path: Path) -> dict[str, bytes]:
    """The files of a skill's folder by relative name; empty where it is not there. Raises UsageError for links."""
    if path.is_symlink():
        raise UsageError(f"{path} is a link to {path.readlink()}: skills are only written into real folders")
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is no folder, so the skill {path.name} cannot be put there: move it away")
    found: dict[str, bytes] = {}
    for file in path.rglob("*"):
        if file.is_dir() and not file.is_symlink():
            continue
        try:
            found[file.relative_to(path).as_posix()] = read_plain(file, _FILE_BYTES) or b""
        except ValueError as error:
            raise UsageError(f"{file} cannot be compared: {error}; move it away") from None
    return found


def _remove_files(path: Path, names: Iterable[str]) -> None:
    """Remove files of ours, and the folders that are empty then."""
    for name in names:
        file = path / name
        file.unlink(missing_ok=True)
        for parent in file.parents:
            if not parent.is_relative_to(path):
                break
            with contextlib.suppress(OSError):  # not empty
                parent.rmdir()


def _write_record(folder: Path, record: InstallRecord) -> None:
    text = json.dumps({"format": 1, "skills": dict(sorted(record.skills.items()))}, indent=1)
    write_atomic(folder / RECORD, text + "\n")
