"""Copies of a fleet's sessions: where no `fleet work` runs here, a command looks after what it shows or changes."""

import os
from pathlib import Path

import click

from samoloop.base.errors import SamoloopError
from samoloop.core.control import is_fleets
from samoloop.core.session import Session, all_sessions, resolve


def renew_copies(folder: Path, name: str | None = None) -> None:
    """Make copies of a fleet's sessions as new as the remote, where no `fleet work` here does it: all of a folder, or
    the one that is meant."""
    meant = all_sessions(folder) if name is None else [resolve(folder, name)]
    shared = [one for one in meant if is_fleets(one.dir)]
    if not shared or not _looks_after():
        return
    from samoloop.base.errors import sentence
    from samoloop.fleet import unattended
    from samoloop.ui.cli import failures

    try:
        for said in unattended.renew(shared, os.environ):
            failures.say(said)
    except (SamoloopError, OSError) as error:
        failures.say(f"what is here may be behind the fleet: {sentence(error)}")


def give_on_later(session: Session) -> None:
    """Give what the command does to a copy to the remote when it ends, where no `fleet work` here does it."""
    if not is_fleets(session.dir) or not _looks_after():
        return
    from samoloop.ui.cli import failures

    def give_on() -> None:
        for said in given_on(session):
            failures.say(said)

    click.get_current_context().call_on_close(give_on)


def given_on(session: Session) -> list[str]:
    """Give what a person did to a copy to the remote, where no `fleet work` here does it; sentences of what was not
    taken."""
    if not is_fleets(session.dir) or not _looks_after():
        return []
    from samoloop.base.errors import sentence
    from samoloop.fleet import unattended

    try:
        return unattended.give_on(session, os.environ)
    except (SamoloopError, OSError) as error:
        return [f"what you did is kept, and handed over by the next command on {session.name}: {sentence(error)}"]


def _looks_after() -> bool:
    """Whether this command looks after copies: a person's does, where nobody else here does."""
    from samoloop.children.inside import is_inside_child
    from samoloop.fleet.extra import are_here

    if not are_here() or is_inside_child(os.environ):
        return False
    from samoloop.fleet import unattended

    return unattended.is_so(os.environ)
