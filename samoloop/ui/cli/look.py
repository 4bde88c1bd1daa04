"""Commands that only look: `list`, `status`, `report`, `log`, `prompt`. They take no lock and change no session."""

import importlib.util
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from samoloop.api.status import at_work, is_put_away, last_tool, ranked, row, standing
from samoloop.base.clock import Clock
from samoloop.base.errors import UsageError
from samoloop.base.printable import one_line
from samoloop.config.project import find_root, sessions_folder
from samoloop.core.control import is_fleets
from samoloop.core.session import Session, all_sessions
from samoloop.core.state import Condition
from samoloop.ui.cli import complete
from samoloop.ui.cli.common import (
    every_root,
    find_session,
    json_option,
    load_config,
    project_root,
    say_wrapped,
    session_argument,
    session_here,
    terminal_columns,
    warn,
)
from samoloop.ui.cli.fleet_copies import renew_copies
from samoloop.ui.terminal.output import pass_on, say, say_json

if TYPE_CHECKING:
    from samoloop.api.logs import Sink
    from samoloop.config.loading import Config


@click.command("list")
@click.option("--all", "every", is_flag=True, help="Those of all projects.")
@click.option("--archived", is_flag=True, help="Also those that were archived.")
@json_option
def list_(every: bool, archived: bool, as_json: bool) -> None:
    """List the sessions of this project: first those that wait for you, then what is at work, then what is over.

    \b
    samoloop list
    samoloop list --all
    samoloop list --archived --json
    """
    roots = every_root() if every else [project_root()]
    found = _all_of(roots)
    shown = [session for session in found if archived or not is_put_away(session)]
    rows = [row for row in map(row_now, shown) if archived or not row["archived"]]
    if as_json:
        say_json(ranked(rows))
        return
    hidden = len(found) - len(rows)
    if not rows:
        there = "any project" if every else str(sessions_folder(roots[0], os.environ))
        say(f'There is no session in {there}{" but archived ones" if hidden else ""}; start one: samoloop run "TASK"')
    else:
        _say_overview(ranked(rows), projects=every)
    if hidden and terminal_columns():
        say((f"{hidden} archived: samoloop list --archived", "dim"))


def _all_of(roots: Sequence[Path]) -> list[Session]:
    folders = [sessions_folder(root, os.environ) for root in roots]
    for folder in folders:
        renew_copies(folder)
    return [session for folder in folders for session in all_sessions(folder)]


def row_now(session: Session) -> dict[str, Any]:
    """A row of `list`, with what a child at work does."""
    found = row(session)
    return found | {"last_tool": last_tool(session, os.environ) if found["child_alive"] else ""}


def _say_overview(rows: list[dict[str, Any]], *, projects: bool = False) -> None:
    from samoloop.ui.terminal.overview import overview

    for text, tone in overview(rows, Clock().now(), terminal_columns(), projects=projects):
        say((text, tone))


@click.command("status")
@session_argument
@json_option
def status(session_name: str | None, as_json: bool) -> None:
    """Show where a session stands, what it waits for, and the commands that go on from there.

    Outside of a project: the sessions of all projects, those first that wait for you.

    \b
    samoloop status
    samoloop status auth --json
    """
    from samoloop.ui.terminal.status_text import status_lines

    if session_name is None and find_root(Path.cwd()) is None and every_root():
        _say_all(as_json)
        return
    session = _one_session(session_name, as_json)
    if session is None:
        return
    found = standing(session)
    if as_json:
        say_json(found)
        return
    for text, tone in status_lines(found, Clock().now()):
        say_wrapped(text, tone)


def _say_all(as_json: bool) -> None:
    """The sessions of every project that are not put away."""
    rows = ranked(row for row in map(row_now, _all_of(every_root())) if not row["archived"])
    if as_json:
        say_json(rows)
    elif rows:
        _say_overview(rows, projects=True)
    else:
        say("No project has a session but archived ones: samoloop list --all --archived")


def _one_session(name: str | None, as_json: bool) -> Session | None:
    """The session that is meant. Where it may be one of several, their overview is shown, and nothing is returned."""
    folder = sessions_folder(project_root(), os.environ)
    if name or as_json or session_here(folder):
        return find_session(name)
    renew_copies(folder)
    shown = [session for session in all_sessions(folder) if not is_put_away(session)]
    rows = ranked(row for row in map(row_now, shown) if not row["archived"])
    unfinished = [row for row in rows if row["condition"] != "done"]
    one = unfinished if len(unfinished) == 1 else rows
    if len(one) <= 1:
        return next((known for known in shown if one and str(known.dir) == one[0]["folder"]), None) or find_session(
            None
        )
    _say_overview(rows)
    say(("\nOne of them in full: samoloop status NAME", "dim"))
    return None


@click.command("report")
@session_argument
@click.option("--html", "html", type=click.Path(dir_okay=False, path_type=Path), help="Write it as one HTML file.")
def report(session_name: str | None, html: Path | None) -> None:
    """Print the report of a session as it stands: what was done, and what shows that it is sound.

    \b
    samoloop report auth
    samoloop report auth --html auth.html
    """
    from samoloop.api.report_page import page
    from samoloop.api.reporting import report as report_of
    from samoloop.base.files import write_atomic

    session = find_session(session_name)
    text = report_of(session, os.environ)
    if html is None:
        say(text, end="")
        return
    try:
        write_atomic(html, page(text, session.task, _figures(session)))
    except OSError as error:
        raise UsageError(f"the report cannot be written to {html}: {error.strerror}") from None
    say(f"The report of {session.name} is in {html}")


def _figures(session: Session) -> list[str]:
    """Pictures for the report; none where the packages of the page are not there."""
    if importlib.util.find_spec("pygal") is None:
        return []
    from samoloop.ui.web import charts

    return [charts.figure(bars) for bars in charts.of_session(session.journal)]


@click.command("log")
@session_argument
@click.option(
    "-n",
    "--iteration",
    type=int,
    help="The iteration; the last one if not given.",
    shell_complete=complete.iterations,
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is new, until the session rests.")
@click.option("--raw", is_flag=True, help="What the CLI printed, byte for byte.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per event.")
def log(session_name: str | None, iteration: int | None, follow: bool, raw: bool, as_json: bool) -> None:
    """Read what a child did: its words, its tool calls, what went wrong, and what followed.

    \b
    samoloop log auth
    samoloop log auth -n 7
    samoloop log auth -f
    """
    from samoloop.api import logs
    from samoloop.children.inside import is_inside_child

    session = find_session(session_name)
    sink = _sink(load_config(project_root()), session, raw=raw, as_json=as_json)
    try:
        if is_fleets(session.dir) and not is_inside_child(os.environ):  # a child may read what is here
            _log_of_fleet(session, iteration, sink, follow=follow)
        elif follow:
            logs.follow(session, iteration, sink, lambda: at_work(session))
        else:
            logs.show(session, iteration, sink)
    except KeyboardInterrupt:
        return
    if follow and not raw and not as_json:
        _say_standing(Session(session.dir))


def _log_of_fleet(session: Session, iteration: int | None, sink: "Sink", *, follow: bool) -> None:
    """The same of a session whose children may have run on other machines."""
    from samoloop.api import logs
    from samoloop.fleet.log_parts import Reading

    reading = Reading(session, os.environ, warn)
    if not follow:
        reading.bring(iteration)
        logs.show(session, iteration, sink)
        return
    warn(
        f"{session.name} is the fleet's: of a child on another machine, the newest part of its log comes at the end of "
        "its iteration."
    )
    logs.follow(session, iteration, sink, lambda: True, reading.renew)


@click.command("prompt")
@session_argument
@json_option
def prompt(session_name: str | None, as_json: bool) -> None:
    """Print exactly what the next child would be told (--json: byte for byte); its size by part goes to standard error.

    \b
    samoloop prompt auth
    """
    from samoloop.api.assembly import onlooker
    from samoloop.api.preview import preview

    session = find_session(session_name, lambda state: state.condition is not Condition.DONE)
    found = preview(onlooker(session, os.environ))
    if as_json:
        size = len(found.text.encode())
        say_json({"session": session.name, **asdict(found), "bytes": size})
        return
    say(found.text, end="")
    warn(f"{len(found.text.encode()):,} bytes, {found.phase}, iteration {found.iteration}. {found.note}".rstrip())
    warn("\n".join(f"{size:>7,}  {name}" for name, size in found.parts.items()))
    if found.additions:
        warn(f"It names a file of {len(found.additions.encode()):,} bytes with what is new:\n\n{found.additions}")


def _sink(settings: "Config", session: Session, *, raw: bool, as_json: bool) -> "Sink":
    """What `log` writes, and how."""
    from samoloop.ui.terminal import log_output

    return log_output.Noting(_plain_sink(settings, session, raw=raw, as_json=as_json), warn)


def _plain_sink(settings: "Config", session: Session, *, raw: bool, as_json: bool) -> "Sink":
    from samoloop.ui.terminal import log_output

    if raw:
        return log_output.Raw(pass_on, terminal=sys.stdout.isatty())
    shows = log_output.Readable(lambda line: say((line.text, line.tone)), time.time)
    sink = log_output.AsJson(lambda event: say_json(event, indent=None)) if as_json else shows
    return log_output.ByEvents(log_output.reader_for(session, lambda: settings, warn), sink)


def _say_standing(session: Session) -> None:
    """Why nothing more comes, and what to do."""
    found = standing(session)
    why = f": {found['decided'] or found['reason']}" if found["decided"] or found["reason"] else ""
    why = f", waits for {found['waits_for']}" if found["waits_for"] else why
    say((one_line(f"{session.name} is {found['condition']}{why}"), "strong"))
    for step in found["next"]:
        say(f"  {one_line(step['command'])}  # {one_line(step['what'])}")
