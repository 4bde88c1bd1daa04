"""Where the files that travel with the package are."""

from functools import cache
from pathlib import Path


@cache
def folder(name: str) -> Path:
    """The folder `phase_prompts`, `skills` or `examples`: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / name
    return inside if inside.is_dir() else package.parent / name
