"""Whether the packages of a fleet are here; without them all else works as ever."""

import importlib.util

from samoloop.base.errors import UsageError

_PACKAGES = ("procrastinate", "psycopg")


def are_here() -> bool:
    return all(importlib.util.find_spec(name) for name in _PACKAGES)


def need() -> None:
    """Raise UsageError that says how to get them."""
    if not are_here():
        raise UsageError("a fleet needs more packages than one machine: pip install 'samoloop[fleet]'")
