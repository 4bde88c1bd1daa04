"""Copies of a fleet's sessions: where no `fleet work` runs here, a command looks after what it shows or changes."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import click

from samoloop.base.errors import SamoloopError
from samoloop.core.control import is_fleets
from samoloop.core.session import Session, all_sessions, resolve, sound_sessions

if TYPE_CHECKING:
    from samoloop.fleet.cleaning import Kept

RENEW_SECONDS = 5.0  # between two looks at the remote for somebody who goes on looking


def renew_copies(folder: Path, name: str | None = None) -> None:
    """Make copies of a fleet's sessions as new as the remote, where no `fleet work` here does it: all of a folder, or
    the one that is meant."""
    from samoloop.ui.cli import failures

    for said in _renewed(folder, name):
        failures.say(said)


def _renewed(folder: Path, name: str | None = None) -> Iterator[str]:
    """Sentences of what was not taken over, and why copies may be behind."""
    meant = all_sessions(folder) if name is None else [resolve(folder, name)]
    shared = [one for one in meant if is_fleets(one.dir)]
    if not shared or not _looks_after():
        return
    from samoloop.base.errors import sentence
    from samoloop.fleet import unattended

    try:
        yield from unattended.renew(shared, os.environ)
    except (SamoloopError, OSError) as error:
        yield f"what is here may be behind the fleet: {sentence(error)}"


@contextmanager
def kept_new(folders: Callable[[], Iterable[Path]], tell: Callable[[str], object]) -> Iterator[None]:
    """Renew the copies again and again beside somebody who looks at them. What goes wrong is told once, from a thread,
    and "" when it does no more."""
    over = Event()

    def look() -> None:
        told = ""
        while True:
            try:
                said = " ".join(one for folder in folders() for one in _renewed(folder))
            except (SamoloopError, OSError) as error:  # a disk that is gone, say
                said = str(error)
            if said != told:
                tell(said)
                told = said
            if over.wait(RENEW_SECONDS):
                return

    Thread(target=look, daemon=True, name="copies").start()
    try:
        yield
    finally:
        over.set()


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


def kept_of_archived(folder: Path) -> "list[Kept]":
    """What remote and database keep of archived sessions of a fleet; nothing, with a word, where they do not answer."""
    from samoloop.fleet.extra import are_here

    known = sound_sessions(folder) if are_here() else []
    archived = [one for one in known if is_fleets(one.dir) and one.state().archived]
    if not archived:
        return []
    from samoloop.base.errors import sentence
    from samoloop.fleet import cleaning
    from samoloop.ui.cli import failures
    from samoloop.ui.cli.fleet import reached

    try:
        with reached() as (_, database):
            return cleaning.look(archived, database)
    except (SamoloopError, OSError) as error:
        failures.say(f"what the fleet keeps of archived sessions is not known now: {sentence(error)}")
        return []


def remove_kept(kept: "Sequence[Kept]") -> Iterator[str]:
    """Have it go, as far as it can; a sentence for each."""
    from samoloop.fleet import cleaning
    from samoloop.ui.cli.fleet import reached

    with reached() as (_, database):
        yield from cleaning.remove(kept, os.environ, database)
