"""What the commands share: the project they are in, the session that is meant, and who is speaking."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from samoloop.base.errors import UsageError
from samoloop.config.project import find_root, sessions_folder
from samoloop.core import session
from samoloop.core.session import Session
from samoloop.core.state import State
from samoloop.ui.cli import complete
from samoloop.ui.cli.fleet_copies import give_on_later, renew_copies
from samoloop.ui.terminal.output import say

if TYPE_CHECKING:
    from samoloop.config.loading import Config
    from samoloop.worker.lease import Lease


_CEILINGS = {"max_iterations": "iterations", "max_time": "wall", "max_cost": "cost"}
sandbox_option = click.option(
    "--sandbox", type=click.Choice(["auto", "required", "off"]), help="Whether a child is started in a sandbox."
)
session_argument = click.argument("session_name", metavar="[SESSION]", required=False, shell_complete=complete.sessions)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def as_settings(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, as the keys of the configuration that they stand for."""
    given = {key: value for key, value in flags.items() if value is not None}
    ceilings = {key: given.pop(flag) for flag, key in _CEILINGS.items() if flag in given}
    if "sandbox" in given:
        given["sandbox"] = {"mode": given["sandbox"]}
    return {**given, **({"ceilings": ceilings} if ceilings else {})}


def project_root(start: Path | None = None) -> Path:
    """The main checkout, or the folder of sessions in place, that the command is in. Raises UsageError."""
    here = (start or Path.cwd()).resolve()
    root = find_root(here)
    if root is None:
        raise UsageError(
            f"{here} is in no git repository and holds no sessions: go to your project, or start with "
            "`samoloop run --in-place`"
        )
    return root


def every_root() -> list[Path]:
    """Every registered project, and the one that the command is in."""
    from samoloop.api.sessions import roots

    return roots(os.environ, find_root(Path.cwd()))


def load_config(root: Path, flags: Mapping[str, Any] | None = None) -> "Config":
    from samoloop.config import loading  # 15 ms that `status` and `list` need not pay

    return loading.load(root, os.environ, flags)


def find_session(name: str | None, wanted: Callable[[State], bool] = lambda state: True) -> Session:
    """The session that is meant: without a name the one whose worktree or folder the command is in, if it is in one."""
    folder = sessions_folder(project_root(), os.environ)
    name = name or session_here(folder)
    renew_copies(folder, name)
    found = session.resolve(folder, name, wanted)
    give_on_later(found)
    return found


def session_here(folder: Path) -> str | None:
    """The session whose worktree or folder the command is in."""
    from samoloop.base.files import real
    from samoloop.git import checkout

    here, sessions = Path.cwd(), real(folder)
    if here.is_relative_to(sessions) and here != sessions:
        return here.relative_to(sessions).parts[0]
    found = checkout.locate(here)
    if found is None or not found.linked:
        return None
    known = session.Session(folder / found.top.name)  # a worktree is called as its session
    is_its = session.is_session(known.dir) and real(known.worktree) == found.top
    return known.name if is_its else None


def for_people_only() -> None:
    """Refuse a command that starts, stops or changes sessions, or speaks for a person, inside a child.

    From then on those that several machines share are held by their fleet.
    """
    from samoloop.children.inside import refuse_inside_child  # of no use to those that look
    from samoloop.worker.lease import OWN

    refuse_inside_child(os.environ)
    OWN.installed = _fleet_lease


def _fleet_lease() -> "Lease":
    from samoloop.fleet.extra import need

    need()
    from samoloop.fleet.lease import FleetLease

    return FleetLease(os.environ, speaker())


def speaker(by: str = "command") -> str:
    """Who uses the command line, for the journal, and by what they say it."""
    import getpass

    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        name = f"uid {os.getuid()}"
    return f"{name} ({by})"


def warn(sentence: str) -> None:
    """Say what only shows to standard error, broken between words where that is a terminal."""
    from samoloop.ui.cli import failures

    failures.say(sentence)


def say_wrapped(text: str, tone: str = "plain") -> None:
    """Say lines so that they fit the terminal."""
    from samoloop.ui.terminal.words import wrapped

    columns = terminal_columns()
    for line in wrapped(text, columns):
        say((line, tone))


def terminal_columns() -> int | None:
    """How wide the terminal is that the output goes to; None where it goes to none."""
    import shutil

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def is_terminal() -> bool:
    return sys.stdout.isatty() and sys.stdin.isatty()


def next_time(text: str, option: str) -> float:
    """When that is next, in epoch seconds: `07:30`, or a day with it. Raises UsageError for no time, or one past."""
    import re
    import time
    from datetime import datetime, timedelta

    from samoloop.base.clock import local_zone
    from samoloop.config.task_files import moment

    now, zone, days = time.time(), local_zone(), [text]
    if clock := re.fullmatch(r"(\d{1,2}):(\d\d)", text.strip()):
        today = datetime.fromtimestamp(now, zone).date()
        days = [f"{today + timedelta(days=more):%Y-%m-%d} {int(clock[1]):02d}:{clock[2]}" for more in (0, 1)]
    try:
        found = [moment(day, zone) for day in days]
    except ValueError as error:
        raise UsageError(f"{option} {text}: {error}") from None
    if found[-1] <= now:
        raise UsageError(f"{option} {text} is past: leave it out, or give a time that is to come")
    return next(epoch for epoch in found if epoch > now)
