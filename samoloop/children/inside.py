"""Whether a command was started by a child: seen by what its process descends from, which no variable can hide."""

import os
from collections.abc import Mapping

from samoloop.base import proc
from samoloop.base.errors import UsageError
from samoloop.base.locks import taken_by
from samoloop.children.child import MARKER
from samoloop.children.processes import variable
from samoloop.core.control import BASE_LOCK, CHILD_LOCK, FLEET_LOCK, LOCK

_PARENT, _SESSION = 1, 3  # of `proc.stat`
_LOOKS = 5  # a process that ends meanwhile breaks off the line


def refuse_inside_child(environ: Mapping[str, str]) -> None:
    """What starts, stops or changes a session, or answers for a person, is for people. Raises UsageError in a child.

    Where there is no /proc, a mark in `environ` is all that tells.
    """
    if is_inside_child(environ):
        raise UsageError(
            "this is inside a child: a child works and asks, only a human answers, approves, starts, stops or changes "
            "sessions"
        )


def is_inside_child(environ: Mapping[str, str]) -> bool:
    return MARKER in environ or _descends_from_child()


def _descends_from_child() -> bool:
    below = ""  # the process session of the one that was looked at before, a child of this one
    for pid, session in _line():
        if variable(pid, MARKER):
            return True
        taken = taken_by(pid)
        # A worker: its own commands share its session, what came back to it does not. A machine of a fleet holds one
        # session while it hands it over, and starts the workers of others.
        if below and LOCK in taken and FLEET_LOCK not in taken:
            return below != session
        if taken & {CHILD_LOCK, BASE_LOCK}:
            return True
        below = session
    return False


def _line() -> list[tuple[int, str]]:
    """This process and all that it descends from, each with its process session."""
    for _ in range(_LOOKS):
        line, pid = [], os.getpid()
        while pid and (fields := proc.stat(pid)):
            line.append((pid, fields[_SESSION]))
            pid = int(fields[_PARENT])
        if not pid:  # it came to the end
            break
    return line
