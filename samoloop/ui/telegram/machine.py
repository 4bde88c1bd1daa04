"""What a person who is not at the machine can have done there: by the same entrances as every other face uses."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from samoloop.api import backlog, changes, learned
from samoloop.api.asked import How, Order
from samoloop.api.detach import detach
from samoloop.api.hand_off import hand_off
from samoloop.api.stop import stop
from samoloop.base.errors import SamoloopError, SessionError
from samoloop.config import task_files
from samoloop.config.loading import load
from samoloop.core.control import is_fleets
from samoloop.core.session import Session, find
from samoloop.ui.cli.fleet import ask_machine_to_stop


class Machine:
    """Each act may take a moment and raises SamoloopError or OSError with nothing done."""

    def start(self, root: Path, name: str, task: str) -> None:
        """Hand off a task, and start a worker in the background; a repeated call is refused."""
        if find(load(root, os.environ).sessions_dir, name):
            raise SessionError(f"there is a session {name} already")
        detach(hand_off(Order(root, task, name=name), os.environ), How(), os.environ)

    def resume(self, session_dir: Path, by: str) -> None:
        """Start a worker in the background for a person; at a fleet's gate its machines see what was done there."""
        session = Session(session_dir)
        if is_fleets(session_dir) and session.state().gate is not None:
            return
        detach(session, How(by=by), os.environ)

    def stop(self, session_dir: Path, now: bool) -> bool:
        """Ask the worker to stop; False where there is none."""
        return stop(Session(session_dir), now=now) is not None

    def stop_in_fleet(self, session_dir: Path, now: bool) -> str:
        """Ask the machine of the fleet that is at work on it, or is next, to stop; a sentence that says so."""
        return ask_machine_to_stop(Session(session_dir), now)

    def add(self, root: Path, task: str, after: Sequence[str]) -> str:
        """Put a task into the backlog, once, however often it is asked for; its name."""
        content = task_files.written(task, {"after": tuple(after)})
        text = content if not after else task_files.split(content)[1]
        for one in backlog.look(root, os.environ, time.time()).stands:
            if one.task and (one.task.text, one.task.after) == (text, tuple(after)):
                return one.name
        return backlog.add(root, content, os.environ, time.time()).name

    def backlog(self, root: Path) -> list[Mapping[str, Any]]:
        """How each task of a project stands."""
        found = backlog.look(root, os.environ, time.time())
        return [backlog.row(found, one) for one in found.stands]

    def learn(self, session_dir: Path, numbers: Sequence[int]) -> list[str]:
        """Take over what a session proposes; sentences that say what was done."""
        return learned.take(Session(session_dir), numbers, os.environ)

    def diff(self, session_dir: Path) -> str:
        """All that a session has changed in the code so far."""
        return changes.code(Session(session_dir), os.environ)


def attempt(act: Callable[[], object]) -> str:
    """What went wrong with an act; empty where nothing did."""
    try:
        act()
    except (SamoloopError, OSError) as error:
        return str(error)
    return ""
