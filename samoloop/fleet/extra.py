"""Whether the packages of a fleet are here; without them all else works as ever."""

import importlib.util

from samoloop.base.errors import UsageError

_PACKAGES = ("procrastinate", "psycopg")


def need() -> None:
    """Raise UsageError that says how to get them."""
    if any(importlib.util.find_spec(name) is None for name in _PACKAGES):
        raise UsageError("a fleet needs more packages than one machine: pip install 'samoloop[fleet]'")
