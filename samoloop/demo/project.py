"""A fresh repository with one commit, from a folder of files; it needs no identity of the person's in git."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from samoloop.base.errors import UsageError
from samoloop.demo.visit import IDENTITY
from samoloop.git.calls import environment, execute, failure

_LEFT_BEHIND = shutil.ignore_patterns("__pycache__", "node_modules", ".*_cache")


def make_repository(source: Path, target: Path, extra: Mapping[str, str]) -> Path:
    """Copy `source` to `target`, add the `extra` files (name to text) and commit it all. Returns the resolved target.

    Raises UsageError where something is in the way, GitError where git is missing or refuses.
    """
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise UsageError(f"{target} is there already and not empty: name a folder that is new")
    try:
        shutil.copytree(source, target, ignore=_LEFT_BEHIND, dirs_exist_ok=True)
        for name, text in extra.items():
            (target / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"the project cannot be made in {target}: {error.strerror or error}") from None
    for arguments in (
        ("init", "--quiet", "--template=", "--initial-branch=main"),
        ("add", "--all"),
        ("commit", "--quiet", "-m", "Start"),
    ):
        done = execute((*IDENTITY, *arguments), cwd=target, environ=environment())
        if done.returncode:
            raise failure(arguments, done, target)
    return target.resolve()
