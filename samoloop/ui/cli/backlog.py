"""`add` and `backlog`: tasks that wait for a session of their own."""

import os
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from samoloop.base.errors import UsageError
from samoloop.config.keys import Finish
from samoloop.ui.cli import complete
from samoloop.ui.cli.common import (
    as_settings,
    every_root,
    for_people_only,
    json_option,
    load_config,
    next_time,
    project_root,
    terminal_columns,
    warn,
)
from samoloop.ui.terminal.output import ask, say, say_json

_TEMPLATE = "# Say here what is to be done.\n"


@click.command("add")
@click.argument("task", required=False)
@click.option(
    "--file", "task_file", type=click.Path(), metavar="FILE", help="Read the task from a file, - for standard input."
)
@click.option("--name", metavar="NAME", help="Its name; made from the task if not given.")
@click.option(
    "--after",
    multiple=True,
    metavar="NAME",
    help="Start when this task, or session, is done, and from its branch; may be given several times.",
    shell_complete=complete.tasks,
)
@click.option("--at", metavar="TIME", help="Not before this time: 02:00, or '2026-12-01 02:00'.")
@click.option("--every", metavar="SCHEDULE", help="Again each time: '0 3 * * 1-5', daily, weekly, ...")
@click.option("--priority", type=int, default=0, help="The higher, the sooner.  [default: 0]")
@click.option("--workflow", help="The shape of the work.", shell_complete=complete.workflows)
@click.option("--provider", help="The CLI to use.", shell_complete=complete.providers)
@click.option("--base", metavar="REV", help="The commit to start from, or fetch.")
@click.option(
    "--finish",
    type=click.Choice([word.value for word in Finish]),
    help="What comes after done, as far as your settings let it.",
)
@click.option("--max-iterations", type=click.IntRange(1), help="Ask a person after so many iterations.")
@click.option("--max-time", metavar="DURATION", help="Ask a person after so much work, such as 2h.")
@click.option("--max-cost", type=click.FloatRange(0, min_open=True), help="Ask a person after so many USD.")
@click.option("--fleet", is_flag=True, help="For your fleet: any of its machines works on it.")
@click.option("--needs", metavar="WORDS", help="With --fleet: what a machine must have, such as gpu.")
@click.option("--edit", is_flag=True, help="Look it over in your editor first.")
def add(task: str | None, task_file: str | None, name: str | None, edit: bool, **given: Any) -> None:
    """Put a task into the backlog, for `samoloop up` to start when its turn comes.

    \b
    samoloop add "Add JWT auth"
    samoloop add "Log in with it" --after add-jwt-auth
    samoloop add "Look for dead code" --every "0 3 * * 1"
    """
    from samoloop.api import backlog
    from samoloop.config import task_files
    from samoloop.ui.cli.run import read_task

    for_people_only()
    root = project_root()
    text = read_task(task, task_file)
    if text is None and not edit:
        raise UsageError('there is no task: samoloop add "Add JWT auth", or --file FILE, or --edit')
    content = task_files.written(_TEMPLATE if text is None else text, keys_of(given, "--at"))
    added = None
    while added is None:
        content = _edited(content, template=text is None) if edit else content
        try:
            added = backlog.add(root, content, os.environ, time.time(), name=name or "")
        except UsageError as error:
            if not edit:
                raise
            say(f"{error}\nYour text is kept in {_kept(content)}", err=True)
            if ask("Enter to edit it again, q to give up", default="").strip():
                raise
    say(f"{added.name} is in the backlog: {task_files.path_of(root, added.name)}")
    if note := backlog.narrowed(added, load_config(root).finish)[1]:
        warn(f"  {note}")
    _say_when(root, added.name)


def keys_of(given: Mapping[str, Any], at: str) -> dict[str, Any]:
    """The options of `add` as the keys of a task's file; `at` is what people call the one of the time.

    Raises UsageError for a time that is none, or past.
    """
    from samoloop.base.clock import local_zone

    keys = as_settings(given)
    if "at" in keys:
        keys["at"] = f"{datetime.fromtimestamp(next_time(keys['at'], at), local_zone()):%Y-%m-%d %H:%M}"
    return keys


def _kept(content: str) -> Path:
    """Where a text is that could not be added, so that it is not lost."""
    from samoloop.base.files import make_folder, write_atomic
    from samoloop.base.places import state_folder

    path = state_folder(os.environ) / "not-added.md"
    make_folder(path.parent)
    write_atomic(path, content)
    return path


def _edited(content: str, *, template: bool) -> str:
    """What the person makes of it in their editor. Raises UsageError where they leave it."""
    found = click.edit(content, extension=".md", require_save=template)
    if found is None or not found.strip() or found.strip() == _TEMPLATE.strip():
        raise UsageError("nothing was added: the text was not saved, or says nothing")
    return found


def _say_when(root: Path, name: str) -> None:
    """How the new task stands, as the list tells it."""
    from samoloop.api import backlog
    from samoloop.base.clock import Clock
    from samoloop.ui.terminal.backlog_tree import tree

    found = backlog.look(root, os.environ, time.time())
    row = {**backlog.row(found, found.named(name)), "after": []}
    for text, tone in tree([row], Clock().now(), terminal_columns()):
        say((f"  {text}", tone))
    say("  samoloop up starts it" if row["stands"] == "ready" else "  samoloop backlog shows them all")


@click.group("backlog", invoke_without_command=True)
@click.option("--all", "every", is_flag=True, help="Those of all projects.")
@json_option
@click.pass_context
def backlog(ctx: click.Context, every: bool, as_json: bool) -> None:
    """Show the tasks that wait for a session, and what became of the others: a tree, each below what it waits for.

    \b
    samoloop backlog
    samoloop backlog --all --json
    samoloop backlog first add-jwt-auth
    """
    if ctx.invoked_subcommand is not None:
        if every or as_json:
            raise UsageError(f"--all and --json are for the list, not for `samoloop backlog {ctx.invoked_subcommand}`")
        return
    from samoloop.api import backlog
    from samoloop.base.clock import Clock
    from samoloop.ui.terminal.backlog_tree import heading, tree

    projects = every_root() if every else [project_root()]
    now = Clock()
    looks = [backlog.look(root, os.environ, now.epoch()) for root in projects]
    if as_json:
        say_json([backlog.row(found, one) for found in looks for one in found.stands])
        return
    shown = [found for found in looks if found.stands]
    for number, found in enumerate(shown):
        if every:
            say((("\n" if number else "") + heading(str(found.root))[0], "head"))
        rows = [backlog.row(found, one) for one in found.stands]
        for text, tone in tree(rows, now.now(), terminal_columns()):
            say((text, tone))
    if not shown:
        say('The backlog is empty; put a task into it: samoloop add "TASK"')


_task = click.argument("name", metavar="NAME", shell_complete=complete.tasks)


@backlog.command("drop")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=complete.tasks)
def drop(names: tuple[str, ...]) -> None:
    """Take tasks out of the backlog; their files are kept in `.samoloop/backlog/dropped/`."""
    from samoloop.api import backlog

    for_people_only()
    say("\n".join(backlog.drop(project_root(), names, os.environ, time.time())))


@backlog.command("hold")
@_task
@click.option("--off", is_flag=True, help="Let it go.")
def hold(name: str, off: bool) -> None:
    """Start a task only when you let it go."""
    from samoloop.api import backlog

    for_people_only()
    say(backlog.hold(project_root(), name, not off, os.environ, time.time()))


@backlog.command("first")
@_task
def first(name: str) -> None:
    """Start a task before all others that can start."""
    from samoloop.api import backlog

    for_people_only()
    say(backlog.first(project_root(), name, os.environ, time.time()))
