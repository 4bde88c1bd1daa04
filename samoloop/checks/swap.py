"""The swap: old tests on new code, new tests on old code. Pure rules over what differs between two trees.

What defines a check is a test file too: its configuration and the script behind it count as much as an assertion.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import field
from pathlib import PurePosixPath

from samoloop.base.values import frozen
from samoloop.checks import paths
from samoloop.checks.check import Check
from samoloop.checks.discovery import definition, npm_scripts
from samoloop.git.tree_files import Change

_CONFIGURATION = re.compile(
    r"\.?pytest\.ini|(?:jest|vitest|karma|playwright|cypress|ava|wdio)\.(?:config|conf|setup)\..+|\.mocharc(?:\..+)?"
    r"|\.rspec|phpunit\.xml(?:\.dist)?|\.taprc|\.coveragerc"
)
# Files of which a part says how tests are run.
_PARTLY = frozenset({"pyproject.toml", "setup.cfg", "tox.ini", "package.json"})
_TOML_HEAD = re.compile(r"^\s*\[{1,2}\s*([\w.\"' -]+?)\s*\]{1,2}\s*(?:#.*)?$")
_RUNNERS = ("jest", "mocha", "ava", "vitest", "tap", "c8", "nyc")  # keys of a package.json


@frozen
class Swap:
    """What is put in place before a check runs: files of another tree, and files that go."""

    tree: str = ""  # that the files come from
    back: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    written: Mapping[str, str] = field(default_factory=dict)  # files that are a mixture of both

    @property
    def is_empty(self) -> bool:
        return not (self.back or self.gone or self.written)


def is_test(path: str) -> bool:
    """Whether a file belongs to the tests, or says which of them are run and how."""
    return paths.is_test(path) or is_configuration(path)


def is_configuration(path: str) -> bool:
    """Whether a file says which tests are run and how, and nothing else."""
    return bool(_CONFIGURATION.fullmatch(PurePosixPath(path).name))


def old_tests(changes: Iterable[Change], base: str, listed: Callable[[str], bool], mixed: Mapping[str, str]) -> Swap:
    """The tests of the base on the new code: those that were changed or went are back, and those that came are gone.

    Empty where no test of the base was touched: the new code has met them all then. `listed` are the paths that the
    approved plan names as changing, `mixed` what `mixtures` found.
    """
    touched = [change for change in changes if is_test(change.path) and not listed(change.path)]
    back = tuple(change.path for change in touched if change.was)
    written = {path: text for path, text in mixed.items() if not listed(path)}
    if not back and not written:
        return Swap()
    return Swap(base, back, tuple(change.path for change in touched if not change.was), written)


def new_tests(changes: Collection[Change], base: str) -> Swap:
    """The new tests on the code of the base. Empty where no test came or was changed."""
    if not any(change.now and is_test(change.path) for change in changes):
        return Swap()
    code = [change for change in changes if not is_test(change.path)]
    return Swap(
        base,
        tuple(change.path for change in code if change.was),
        tuple(change.path for change in code if not change.was),
    )


def whole(changes: Iterable[Change], base: str) -> Swap:
    """The base itself, in place of what the session made of it."""
    changes = tuple(changes)
    return Swap(
        base,
        tuple(change.path for change in changes if change.was),
        tuple(change.path for change in changes if not change.was),
    )


# --- files of which a part is meant -----------------------------------------------------------------------------------


def partly(changes: Iterable[Change]) -> list[str]:
    """Changed files of which a part says how tests are run."""
    return [change.path for change in changes if change.was and PurePosixPath(change.path).name in _PARTLY]


def mixtures(was: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """The new text of each file with its part on tests as it was; only where that part was changed."""
    found = {}
    for path, old in was.items():
        mix = _mixers[PurePosixPath(path).name]
        mixed = mix(old, now.get(path, ""))
        if mixed is not None:
            found[path] = mixed
    return found


def _mixed_package(old: str, new: str) -> str | None:
    try:
        was, is_now = json.loads(old), json.loads(new or "{}")
    except (ValueError, RecursionError):
        return None
    if not isinstance(was, dict) or not isinstance(is_now, dict):
        return None
    if npm_scripts(old) == npm_scripts(new) and all(was.get(key) == is_now.get(key) for key in _RUNNERS):
        return None
    mixed = {key: value for key, value in is_now.items() if key not in _RUNNERS}
    mixed |= {key: was[key] for key in _RUNNERS if key in was}
    return json.dumps(_with_scripts(mixed, was), indent=2) + "\n"


def _with_scripts(value: dict[str, object], was: Mapping[str, object]) -> dict[str, object]:
    """A package.json whose scripts around `test` are those of another one."""
    scripts, old = value.get("scripts"), was.get("scripts")
    mixed = {k: v for k, v in scripts.items() if k not in _AROUND} if isinstance(scripts, dict) else {}
    mixed |= {k: v for k, v in old.items() if k in _AROUND} if isinstance(old, dict) else {}
    return value | {"scripts": mixed}


_AROUND = ("pretest", "test", "posttest")


def _mixed_pyproject(old: str, new: str) -> str | None:
    import tomllib  # only here

    try:
        was, is_now = tomllib.loads(old), tomllib.loads(new)
    except (ValueError, RecursionError):
        return old if "[tool.pytest" in old else None
    wanted = (was.get("tool") or {}).get("pytest")
    if wanted == (is_now.get("tool") or {}).get("pytest"):
        return None
    mixed = _without(new, _is_pytest_toml) + _only(old, _is_pytest_toml)
    try:
        found = tomllib.loads(mixed)
    except ValueError:
        return old
    return mixed if (found.get("tool") or {}).get("pytest") == wanted else old


def _mixed_ini(old: str, new: str) -> str | None:
    if _only(old, _is_pytest_ini).strip() == _only(new, _is_pytest_ini).strip():
        return None
    return _without(new, _is_pytest_ini) + _only(old, _is_pytest_ini)


def _is_pytest_toml(section: str) -> bool:
    return section.startswith("tool.pytest")


def _is_pytest_ini(section: str) -> bool:
    return section in ("pytest", "tool:pytest")


_mixers: Mapping[str, Callable[[str, str], str | None]] = {
    "package.json": _mixed_package,
    "pyproject.toml": _mixed_pyproject,
    "setup.cfg": _mixed_ini,
    "tox.ini": _mixed_ini,
}


def _only(text: str, wanted: Callable[[str], bool]) -> str:
    return "\n" + "".join(part for name, part in _sections(text) if wanted(name))


def _without(text: str, unwanted: Callable[[str], bool]) -> str:
    return "".join(part for name, part in _sections(text) if not unwanted(name))


def _sections(text: str) -> list[tuple[str, str]]:
    """The sections of an INI or TOML file with their heads; what stands before the first has no name."""
    found: list[tuple[str, str]] = [("", "")]
    for line in text.splitlines():
        head = _TOML_HEAD.match(line) or re.match(r"^\[(.+?)\]\s*$", line)
        if head:
            found.append((head[1].strip(), ""))
        found[-1] = (found[-1][0], found[-1][1] + line + "\n")
    return found


# --- the command behind a check ---------------------------------------------------------------------------------------


def redefined(check: Check, text: str, old_text: str) -> str | None:
    """The file behind a check, with the command as it was at the base; None where that was not changed.

    `text` is what the file holds now, `old_text` what it held at the base.
    """
    name = PurePosixPath(check.behind).name
    if definition(check.command, {name: text})[1] == check.defined:
        return None
    if name != "package.json":
        return old_text
    try:
        was, is_now = json.loads(old_text), json.loads(text or "{}")
    except (ValueError, RecursionError):
        return old_text
    return json.dumps(_with_scripts(is_now, was), indent=2) + "\n" if isinstance(is_now, dict) else old_text


# --- what an approved plan says ---------------------------------------------------------------------------------------

_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$")


def section(plan: str, title: str) -> str:
    """The text below the heading of this title, up to the next heading; headings in code are none."""
    found: list[str] = []
    inside = fenced = False
    for line in plan.splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        heading = None if fenced else _HEADING.match(line)
        if heading:
            inside = heading[1].strip(" *:`").lower() == title.lower()
        elif inside:
            found.append(line)
    return "\n".join(found)


def lists(text: str, path: str) -> bool:
    """Whether a section of the plan names this file: its path, its name, or a folder above it."""
    words = set(re.findall(r"[\w./@+-]+", text))
    words |= {word.rstrip(".,").removeprefix("./").rstrip("/") for word in words}
    parts = PurePosixPath(path).parts
    above = {"/".join(parts[:n]) for n in range(1, len(parts) + 1)}
    return bool(words & {*above, parts[-1]})


def excuses(text: str, test: str) -> bool:
    """Whether a section of the plan names this test, by the last part of its name."""
    last = re.split(r"::|\.| > | › ", re.sub(r"\[.*\]$", "", test))[-1].strip(" ()")
    return len(last) > 2 and last in text
