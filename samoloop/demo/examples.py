"""The examples that travel with the package: each a small project, a task, and what must be true afterwards."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from samoloop.base.errors import SessionError, UsageError
from samoloop.base.nearest import named
from samoloop.base.values import frozen
from samoloop.config.resources import folder

FILE_NAME = "example.yaml"
_KEYS = {"name", "summary", "workflow", "test", "expected", "provider", "setup", "needs", "like"}


@frozen
class Expected:
    """What a session must have made of the project, besides a green test command."""

    fails_before: bool = False  # the test command fails on the fresh copy: it judges what is to be made
    present: Sequence[str] = ()  # paths that must exist
    absent: Sequence[str] = ()
    changed: Sequence[str] = ()  # paths that must differ, or hold something that does
    kept: Sequence[str] = ()  # paths whose files must not be changed or removed; new ones may join them
    unchanged: bool = False  # no file of the project may differ
    lines: Mapping[str, int] | None = None  # glob to the most lines that a file may have
    documents: Sequence[str] = ()  # kinds of documents that the session must hold
    quoted: Sequence[str] = ()  # kinds of documents whose `file:line` places must exist


@frozen
class Example:
    """One example."""

    name: str
    summary: str
    workflow: str
    test: Sequence[str]  # argv; `python` is the interpreter that runs samoloop
    expected: Expected
    files: Path  # the folder that holds project/ and task.md
    scenario: str  # what the scripted child plays
    provider: str | None = None  # None: whatever the person uses
    setup: str | None = None  # run once in a fresh worktree
    needs: Sequence[str] = ()  # programs on PATH

    @property
    def task(self) -> str:
        return (self.files / "task.md").read_text(encoding="utf-8")

    @property
    def missing(self) -> list[str]:
        """The programs it needs that are not there."""
        return [program for program in self.needs if shutil.which(program) is None]


def available() -> list[Example]:
    """All examples, by name."""
    return [_read(path.parent.name) for path in sorted(folder("examples").glob(f"*/{FILE_NAME}"))]


def get(name: str) -> Example:
    """The example of that name. Raises UsageError that lists what there is."""
    names = [path.parent.name for path in sorted(folder("examples").glob(f"*/{FILE_NAME}"))]
    if name not in names:
        raise UsageError(f"there is no example {named(name, names)}; there are: {', '.join(names) or 'none'}")
    return _read(name)


def _read(name: str) -> Example:
    import yaml

    value: dict[str, Any] = yaml.safe_load((folder("examples") / name / FILE_NAME).read_text(encoding="utf-8"))
    if value.get("like"):
        value = yaml.safe_load((folder("examples") / value["like"] / FILE_NAME).read_text(encoding="utf-8")) | value
    if value["name"] != name or not value.keys() <= _KEYS:
        raise SessionError(f"the example {name} is damaged: its {FILE_NAME} names {value['name']}, {sorted(value)}")
    source = value.pop("like", name)
    return Example(
        **value | {"expected": Expected(**value["expected"])}, files=folder("examples") / source, scenario=source
    )


def copy(example: Example, target: Path) -> Path:
    """A fresh repository with the example's project and settings. Raises UsageError where something is in the way."""
    from samoloop.demo.project import make_repository

    return make_repository(example.files / "project", target, {".samoloop.yaml": _settings(example)})


def _settings(example: Example) -> str:
    lines = [
        f"# Settings of the example {example.name}.",
        f"workflow: {example.workflow}",
        *([f"provider: {example.provider}"] if example.provider else []),
        *([f"setup: {example.setup}"] if example.setup else []),
        "sessions: _sessions",
        "worktrees: .samoloop/worktrees",
        "providers:",
        f"  demo: {{scenario: {example.scenario}}}  # what the scripted child plays with --provider demo",
    ]
    return "\n".join(lines) + "\n"
