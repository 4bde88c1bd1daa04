"""Effects name themselves: whoever wants to know is called just before and just after each of them.

An effect is what another process, or the next worker, can find. Between two of them a worker may die at any time, so
their names are the list of all that has to be survived. Nobody looks on but a test.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def unobserved(point: str) -> None:
    """Nobody looks on."""


observer: Callable[[str], None] = unobserved  # called with "before ..." and "after ..." the name of an effect


@contextmanager
def effect(name: str) -> Iterator[None]:
    """Around the one act that others can see. One that fails has no "after"."""
    observer(f"before {name}")
    yield
    observer(f"after {name}")


def on_file(verb: str, name: str) -> str:
    """The name of an effect on a file, without what is different each time: `write N.json`."""
    return f"{verb} {re.sub('[0-9]+', 'N', name)}"
