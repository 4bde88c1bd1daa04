"""The `samoloop` command. Each subcommand is imported only when it is used, so that `--help` stays fast."""

import importlib
import io
import sys
from typing import Any

import click

from samoloop import __version__

# command -> (module:attribute, one line of help)
COMMANDS = {
    "run": ("run:run", "Hand off a task."),
    "resume": ("run:resume", "Go on with a session, with a word of guidance if you like."),
    "stop": ("run:stop", "Let the running iteration finish, then stop (--now ends the child)."),
    "tell": ("gate:tell", "Give guidance to the next child."),
    "questions": ("gate:questions_", "Show the questions that wait for you."),
    "answer": ("gate:answer", "Answer questions: Q1=A Q2='words', or 'done'."),
    "approve": ("gate:approve", "Approve the plan."),
    "changes": ("gate:changes", "Send the plan back with a comment."),
    "reject": ("gate:reject", "Reject the plan and stop the session."),
    "list": ("look:list_", "List the sessions."),
    "status": ("look:status", "Show where a session stands."),
    "log": ("look:log", "Read what a child did; -f follows."),
    "prompt": ("look:prompt", "Print what the next child would be told."),
    "diff": ("history:diff", "Show what an iteration changed."),
    "rewind": ("history:rewind", "Go back to the end of an earlier iteration."),
    "fork": ("history:fork", "Start a new session from an earlier iteration."),
    "archive": ("history:archive", "Remove the worktree of a session that is over."),
    "up": ("always:up", "Go on with every unfinished session of your projects."),
    "service": ("always:service", "Run `up` after login or reboot."),
    "projects": ("always:projects", "List or forget the projects that have sessions."),
    "telegram": ("telegram:telegram", "Set up the bot, and test it."),
    "relay": ("relay:relay", "Listen on Telegram for all sessions of this machine."),
    "signal": ("data:signal", "The signal's schema; check a signal file."),
    "workflows": ("data:workflows", "List, show and check workflows."),
    "skills": ("skills:skills", "Install the skills for your CLIs; run one without a session."),
    "init": ("init:init", "Write a commented .samoloop.yaml."),
    "doctor": ("doctor:doctor", "Check git, the CLIs, folders and configuration."),
    "example": ("example:example", "List the examples; run one in a fresh folder."),
    "demo": ("demo:demo", "Watch a whole session, with no model and no network."),
}


class LazyGroup(click.Group):
    """A group whose commands are named in a table and imported when used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(f"samoloop.ui.cli.{module}"), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="samoloop %(version)s")
def cli() -> None:
    """Hand a task to your AI coding CLI, walk away, come back to finished work.

    \b
    samoloop run "Add JWT auth"     start in this git repository
    samoloop status                 where it stands
    samoloop demo                   see it all, no model needed
    """


def main(args: list[str] | None = None) -> None:
    """Run the command line; what a person can mend is one sentence and an exit code."""
    from samoloop.base.errors import SamoloopError

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an old terminal's encoding may lack the arrows
    try:
        result: Any = cli.main(args=args, standalone_mode=False)
        sys.exit(result if isinstance(result, int) else 0)
    except click.exceptions.Abort:
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except SamoloopError as error:
        click.echo(f"samoloop: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        click.echo(f"samoloop: {error.strerror or error}{where}; nothing that was recorded is lost", err=True)
        sys.exit(2)
