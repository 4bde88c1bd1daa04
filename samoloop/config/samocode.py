"""The settings of samocode, the predecessor: its `.samocode` and `.env`, and the word that each of its own has here."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from samoloop.base.files import small_text

FILE_NAME, ENVIRONMENT = ".samocode", ".env"
_NEW = ".samoloop.yaml"  # once it is there, the old files are followed no more
_REPO, _PREFIX = "MAIN_REPO", "SAMOCODE_"
_FOLDERS = {"SESSIONS": "sessions", "WORKTREES": "worktrees"}  # as the keys of the configuration
_TWICE = "nothing sets it: a CLI that fails is tried a second time, an overload is waited for"
# What it read from the environment or its `.env` and nobody reads here, with what does the same.
VARIABLES: Mapping[str, str] = {
    "SAMOCODE_PROVIDER": "here it is SAMOLOOP_PROVIDER, or `provider:` in .samoloop.yaml",
    "SAMOCODE_MAX_RETRIES": _TWICE,
    "SAMOCODE_RETRY_DELAY": _TWICE,
    "GIT_BRANCH_PREFIX": "here it is `branch_prefix: NAME/` in .samoloop.yaml",
    "CLAUDE_MAX_TURNS": "turns are not counted: `limits: {iteration: 30m}` in .samoloop.yaml bounds a child",
}
_KEEP_SECRET = "`samoloop telegram setup` writes it to your own ~/.config/samoloop/config.yaml"
_EXPORT = "put it into the environment"
# What is read here too, but never from a file `.env`.
_FROM_ENVIRONMENT: Mapping[str, str] = {
    **{f"{cli}_{what}": _EXPORT for cli in ("CLAUDE", "CODEX") for what in ("PATH", "MODEL", "TIMEOUT")},
    "TELEGRAM_BOT_TOKEN": _KEEP_SECRET,
    "TELEGRAM_CHAT_ID": _KEEP_SECRET,
}
_WORDS = {**VARIABLES, **_FROM_ENVIRONMENT}
# Its options, and what to type instead.
OPTIONS: Mapping[str, str] = {
    "--config": "settings stand in .samoloop.yaml of the repository (an old .samocode is read too): leave it out",
    "--task": 'the task needs no option: samoloop run "TASK"',
    "--dive": 'what to look at first is a sentence of the task: samoloop run "TASK. Look first at TOPIC."',
    "--timeout": "the time of one child is `limits: {iteration: 30m}` in .samoloop.yaml, or CLAUDE_TIMEOUT=1800",
}


class Line(NamedTuple):
    """One setting of such a file."""

    number: int
    key: str
    value: str  # without quotes; empty where the line sets nothing


def lines(text: str) -> Iterator[Line]:
    """The settings of a file of KEY=VALUE lines; what follows # is words."""
    for number, line in enumerate(text.splitlines(), 1):
        key, separator, value = line.strip().removeprefix("export ").partition("=")
        if key and not key.startswith("#"):
            yield Line(number, key.strip() if separator else line.strip(), value.strip().strip("\"'"))


def find(root: Path) -> Path | None:
    """The `.samocode` that is about the project at `root`: in it, or in a folder above that names it as MAIN_REPO."""
    return root / FILE_NAME if (root / FILE_NAME).is_file() else above(root)


def above(root: Path) -> Path | None:
    """The one in a folder above the project, if that names it."""
    return next(
        (path for folder in root.parents if (path := folder / FILE_NAME).is_file() and _is_of(path, root)), None
    )


def _is_of(path: Path, root: Path) -> bool:
    """Whether the file is about that project, and by its owner: anybody may lay one into a shared folder."""
    try:
        return main_repo(path) == root and path.stat().st_uid == root.stat().st_uid
    except OSError:
        return False


def main_repo(path: Path) -> Path | None:
    """The repository that a `.samocode` names."""
    said = {line.key: line.value for line in lines(small_text(path, follow=True))}.get(_REPO)
    return _place(path, said) if said else None


def _place(path: Path, value: str) -> Path | None:
    try:
        return (path.parent / Path(value).expanduser()).resolve()
    except (RuntimeError, OSError, ValueError):  # ~nobody
        return None


def folders(path: Path, root: Path) -> dict[str, str]:
    """The folders that it names, by the key that each has here."""
    found = {}
    for line in lines(small_text(path, follow=True)):
        if (name := _FOLDERS.get(line.key)) and line.value:
            beside = path.parent != root and not line.value.startswith(("/", "~"))
            found[name] = str(path.parent / line.value) if beside else line.value
    return found


def problems(path: Path, root: Path) -> Iterator[str]:
    """What it says that would not be followed here, each with its line and the new word."""
    for line in lines(small_text(path, follow=True)):
        where = f"{path}, line {line.number}: {line.key[:60]}"
        if line.key == _REPO and line.value:
            if (repo := _place(path, line.value)) != root:
                yield f"{where} is {line.value[:200]}, and this project is {root}: go to {repo}, or take the line out"
        elif line.key in _WORDS:
            yield f"{where}: {_WORDS[line.key]}"
        elif line.key not in {_REPO, *_FOLDERS}:
            known = f"there are {_REPO}, {' and '.join(_FOLDERS)}; all else is said in .samoloop.yaml"
            yield f"{where} is no setting: {known}"
        elif not line.value:
            yield f"{where} says nothing: give a folder, or take the line out"


def unread(root: Path, environ: Mapping[str, str]) -> list[str]:
    """What the predecessor would have followed and nobody does here: sentences, each with the new word. No values.

    A variable that other programs may have too is told of only while an old file is followed.
    """
    old = None if (root / _NEW).is_file() else find(root)
    told = (name for name in VARIABLES if environ.get(name) and (old or name.startswith(_PREFIX)))
    found = [f"{name} is not read: {VARIABLES[name]}" for name in told]
    for path in dict.fromkeys([old.parent / ENVIRONMENT, root / ENVIRONMENT]) if old else ():
        named = {line.key for line in lines(small_text(path, follow=True)) if line.value}
        found += [
            f"{path} is not read; {name}: {word}"
            for name, word in _WORDS.items()
            if name in named and not environ.get(name)
        ]
    return found


def as_settings(root: Path) -> dict[str, str]:
    """What the old files say that has a key of its own here."""
    old = find(root)
    prefix = branch_prefix(root, {})
    return (folders(old, root) if old else {}) | ({"branch_prefix": prefix} if prefix else {})


def branch_prefix(root: Path, environ: Mapping[str, str]) -> str:
    """What it put before its branches' names; empty for nothing."""
    old = find(root)
    said = {line.key: line.value for line in lines(small_text(old.parent / ENVIRONMENT, follow=True))} if old else {}
    prefix = environ.get("GIT_BRANCH_PREFIX") or said.get("GIT_BRANCH_PREFIX") or ""
    return f"{re.sub('/+$', '', prefix)}/" if prefix else ""
