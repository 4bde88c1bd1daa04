"""`fleet`: sessions that several machines share. What needs the extra is imported only where it is used."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from samoloop.base.errors import UsageError
from samoloop.config.project import find_root
from samoloop.fleet.extra import need
from samoloop.ui.cli.common import (
    find_session,
    for_people_only,
    json_option,
    say_wrapped,
    session_argument,
    speaker,
    warn,
)
from samoloop.ui.terminal.output import say, say_json

if TYPE_CHECKING:
    from samoloop.core.session import Session
    from samoloop.fleet.database import Database
    from samoloop.fleet.here import Here


@click.group("fleet")
def fleet() -> None:
    """Share sessions with other machines: a Postgres says who runs which, git carries them.

    \b
    samoloop fleet init --database postgresql://USER:PASSWORD@HOST/NAME
    samoloop fleet work              on each machine, in your project
    samoloop run "Add JWT auth" --fleet
    samoloop fleet status
    """


@contextmanager
def reached() -> "Iterator[tuple[Here, Database]]":
    """This machine's part, and the database, whose tables are those of this version."""
    need()
    from samoloop.fleet.database import Database
    from samoloop.fleet.here import here

    this = here(os.environ)
    with Database(this.database, this.machine) as database:
        database.check()
        yield this, database


@fleet.command("init")
@click.option(
    "--database", "url", metavar="URL", help="postgresql://USER:PASSWORD@HOST/NAME; remembered for you alone."
)
def init(url: str | None) -> None:
    """Make the fleet's tables in an empty database, or find them there; on each machine, it is remembered there.

    \b
    samoloop fleet init --database postgresql://fleet:secret@db.example.org/fleet
    """
    for_people_only()
    need()
    from samoloop.config.fleet_section import remember
    from samoloop.fleet.address import masked
    from samoloop.fleet.database import Database
    from samoloop.fleet.here import here

    this = here(os.environ, url or "")
    with Database(this.database, this.machine) as database:
        database.init()
        machines = [one.name for one in database.machines()]
    where = masked(this.database, this.database)
    say_wrapped(f"The fleet's tables are in {where}; its machines: {', '.join(machines) or 'none yet'}.")
    if url:
        say_wrapped(f"The address stands in {remember(url, os.environ)}, which nobody else can read.")
    say("Next, on each machine, in your project: samoloop fleet work")


@fleet.command("work")
@click.option("--slots", type=click.IntRange(1, 100), default=2, show_default=True, help="Children at once, at most.")
@click.option(
    "--providers", metavar="NAMES", help="The CLIs to offer, such as claude,codex.  [default: all that are here]"
)
@click.option("--tags", metavar="WORDS", help="What else this machine has, such as gpu.")
@click.option("--allow-sleep", is_flag=True, help="Do not keep the machine from idle sleep.")
def work(slots: int, providers: str | None, tags: str | None, allow_sleep: bool) -> int:
    """Take the fleet's sessions on this machine, until you end it; Ctrl-C finishes what runs and hands it over.

    Starting it says yes to the settings that the projects here have now.

    \b
    samoloop fleet work --slots 4
    samoloop fleet work --providers claude --tags gpu
    """
    for_people_only()
    need()
    import asyncio

    from samoloop.base.files import make_folder
    from samoloop.base.locks import Lock
    from samoloop.children.awake import Awake
    from samoloop.children.processes import hide_environment
    from samoloop.children.stop import StopRequest, install_handlers
    from samoloop.config.keys import SECRETS
    from samoloop.config.loading import load
    from samoloop.fleet import here as this_machine
    from samoloop.fleet.machine import Machine

    environ = dict(os.environ)
    this = this_machine.here(environ)
    projects = this_machine.served(find_root(Path.cwd()), this, environ, warn)
    if not projects:
        raise UsageError("no project of the fleet is on this machine: go to a clone of one, then samoloop fleet work")
    settings = [load(project.root, environ) for project in projects.values()]
    telegram = next((one.telegram for one in settings if one.outlets.telegram), None)
    found = this_machine.clis(settings, environ)
    wanted = tuple(words(providers)) if providers else found
    if missing := [name for name in wanted if name not in found]:
        raise UsageError(
            f"--providers {', '.join(missing)}: not installed here; there are: {', '.join(found) or 'none'}"
        )
    lock = this_machine.lock_file(environ)
    make_folder(lock.parent)
    stop = StopRequest()
    awake = Awake(not allow_sleep)
    with Lock.take(lock, 1.0, f"{os.getpid()}\n"):
        install_handlers(stop)
        hide_environment(SECRETS)
        machine = Machine(this, projects, wanted, tuple(words(tags or "")), slots, environ, say_wrapped, stop, telegram)
        awake.on()
        try:
            asyncio.run(machine.run())
        finally:
            awake.off()
    return 130 if stop.interrupted else 0


def words(text: str) -> list[str]:
    return [word for word in text.replace(",", " ").split() if word]


@fleet.command("status")
@json_option
def status(as_json: bool) -> None:
    """Show the machines, and where each session of the fleet is.

    \b
    samoloop fleet status
    samoloop fleet status --json
    """
    from samoloop.ui.terminal.fleet_text import fleet_lines

    with reached() as (this, database):
        from samoloop.fleet.standing import standing

        found = standing(database.machines(), database.sessions(), this.lease_seconds)
    if as_json:
        say_json(found)
        return
    for text, tone in fleet_lines(found):
        say_wrapped(text, tone)


def ask_machine_to_stop(session: "Session", now: bool) -> str:
    """Tell the machine at work on a session of the fleet that a person wants it stopped; a sentence that says so."""
    with reached() as (_, database):
        from samoloop.fleet.moving import stop

        return stop(session, now, database)


@fleet.command("drain")
@click.argument("machine", metavar="[MACHINE]", required=False)
def drain(machine: str | None) -> None:
    """Let a machine finish and hand over what runs, take nothing new, and end; this one where none is named.

    \b
    samoloop fleet drain
    samoloop fleet drain anns-laptop
    """
    for_people_only()
    with reached() as (this, database):
        name = machine or this.machine
        if not database.drain(name):
            there = ", ".join(one.name for one in database.machines()) or "none"
            raise UsageError(f"no machine of the fleet is called {name}; there are: {there}")
    say_wrapped(f"{name} takes nothing new, and ends when what runs there is handed over.")


@fleet.command("move")
@session_argument
@click.option("--here", "home", is_flag=True, help="To this machine, as a session of its own: the fleet lets it go.")
@click.option("--to", "machine", metavar="MACHINE", help="To this machine of the fleet alone; `any` lets all take it.")
def move(session_name: str | None, home: bool, machine: str | None) -> None:
    """Hand a session of this machine to the fleet, take one back, or say which machine it is to run on.

    \b
    samoloop fleet move auth
    samoloop fleet move auth --to gpu-box
    samoloop fleet move auth --here
    """
    for_people_only()
    if home and machine:
        raise UsageError("--here and --to exclude each other")
    session = find_session(session_name)
    with reached() as (this, database):
        from samoloop.fleet import moving

        for line in moving.move(
            session, home=home, machine=machine or "", this=this, database=database, environ=os.environ, by=speaker()
        ):
            say_wrapped(line)


@fleet.command("try")
def try_() -> int:
    """See a fleet of two machines on this one, where one dies and the other goes on; nothing of it stays.

    \b
    pip install 'samoloop[fleet-try]'
    samoloop fleet try
    """
    for_people_only()
    need()
    import time

    from samoloop.demo.two_machines import Trial

    began = time.monotonic()

    def tell(who: str, what: str) -> None:
        shade = "bad" if "DIES" in what else "tool" if who == "you" else "plain"
        say_wrapped(f"{time.monotonic() - began:5.1f}  {who:<7} {what}", shade)

    say("A fleet of two machines on this one. The model is a script; the rest is real.\n")
    try:
        with Trial(tell) as trial:
            trial.play()
    except KeyboardInterrupt:
        say("\nEnded; everything is stopped and removed.")
        return 130
    say("\nEverything is stopped and removed. On machines of your own: docs/fleet.md")
    return 0
