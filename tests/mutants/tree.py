"""A copy of the tree to be spoiled."""

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
_LEFT_OUT = (".git", ".venv", ".cache", ".mypy_cache", ".pytest_cache", ".ruff_cache", "__pycache__", "dist", "build")


def copy_tree(target: Path) -> Path:
    """All that tests need, and nothing that was made."""
    shutil.copytree(ROOT, target, ignore=shutil.ignore_patterns(*_LEFT_OUT), symlinks=True)
    return target
