"""The `samoloop` command. Each subcommand is imported only when it is used, so that `--help` stays fast."""

import importlib
import io
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from samoloop import __version__

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# command -> (module:attribute, one line of help)
COMMANDS = {
    "run": ("run:run", "Hand off a task."),
    "import": ("imports:import_", "Go on with a session of samocode, the predecessor."),
    "resume": ("run:resume", "Go on with a session, with a word of guidance if you like."),
    "stop": ("run:stop", "Let the running iteration finish, then stop (--now ends the child)."),
    "tell": ("gate:tell", "Give guidance to the next child."),
    "questions": ("gate:questions_", "Show the questions that wait for you."),
    "answer": ("gate:answer", "Answer questions: Q1=A Q2='words', or 'done'."),
    "approve": ("gate:approve", "Approve the plan."),
    "changes": ("gate:changes", "Send the plan back with a comment."),
    "reject": ("gate:reject", "Reject the plan and stop the session."),
    "waive": ("waive:waive", "Let a check or a kind of evidence pass in one session."),
    "learn": ("learn:learn", "Take over what a session proposes to remember."),
    "list": ("look:list_", "List the sessions."),
    "watch": ("watch:watch", "Watch all sessions live on one screen; answer, stop, read a log."),
    "web": ("web:web", "Look at all sessions in a browser, and answer there."),
    "status": ("look:status", "Show where a session stands."),
    "show": ("show:show", "Show what is to be judged: report, plan, documents, code."),
    "search": ("stats:search", "Search in what all sessions say: tasks, documents, answers, logs."),
    "stats": ("stats:stats", "Show what sessions cost and where their time went."),
    "report": ("look:report", "Print the report; --html writes it as one file."),
    "log": ("look:log", "Read what a child did; -f follows."),
    "prompt": ("look:prompt", "Print what the next child would be told."),
    "diff": ("history:diff", "Show what a session, or one iteration, changed in the code."),
    "rewind": ("history:rewind", "Go back to the end of an earlier iteration."),
    "fork": ("history:fork", "Start a new session from an earlier iteration."),
    "repair": ("history:repair", "Put right a session whose journal or folders were changed."),
    "archive": ("history:archive", "Put away a session that is over; its worktree goes."),
    "clean": ("history:clean", "List worktrees and branches that can go; remove them."),
    "finish": ("finish:finish", "Push the branch of a session that is done; open a pull request."),
    "checks": ("checks:checks", "Show the checks that samoloop runs itself; run them now."),
    "evidence": ("checks:evidence", "Hold the receipts of the checks against the branch as it is now."),
    "add": ("backlog:add", "Put a task into the backlog."),
    "backlog": ("backlog:backlog", "Show the backlog as a tree; drop, hold or hurry a task."),
    "up": ("always:up", "Work on the backlogs and unfinished sessions of your projects."),
    "service": ("always:service", "Run `up` after login or reboot."),
    "projects": ("always:projects", "List or forget the projects that have sessions."),
    "fleet": ("fleet:fleet", "Share sessions with other machines."),
    "mcp": ("mcp:mcp", "Serve other programs (MCP): they hand off, and decide nothing."),
    "telegram": ("telegram:telegram", "Set up the bot, and test it."),
    "relay": ("relay:relay", "Listen on Telegram for all sessions of this machine."),
    "signal": ("data:signal", "The signal's schema; check a signal file."),
    "workflows": ("data:workflows", "List, show and check workflows."),
    "skills": ("skills:skills", "Install the skills for your CLIs; run one without a session."),
    "init": ("init:init", "Write a commented .samoloop.yaml."),
    "sandbox": ("sandbox:sandbox", "Run a command where a child would work, with what a child has."),
    "completion": ("completion:completion", "Complete names by the Tab key, in bash, zsh and fish."),
    "doctor": ("doctor:doctor", "Check git, the CLIs, folders and configuration."),
    "example": ("example:example", "List the examples; run one in a fresh folder."),
    "demo": ("demo:demo", "Watch a whole session, with no model and no network."),
}


class LazyGroup(click.Group):
    """A group whose commands are named in a table and imported when used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            from samoloop.ui.cli import failures

            found = failures.meant(args[0], COMMANDS)
            hint = f"did you mean samoloop {found}?" if found else "samoloop --help lists them."
            ctx.fail(f"There is no command {args[0]!r}: {hint}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem[Any]]":
        from click.shell_completion import CompletionItem

        found = [CompletionItem(name, help=text) for name, (_, text) in COMMANDS.items() if name.startswith(incomplete)]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

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
    """Run the command line; whatever goes wrong is one sentence and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an old terminal's encoding may lack the arrows
    try:
        sys.exit(_run(sys.argv[1:] if args is None else args))
    except (Exception, KeyboardInterrupt) as error:
        sys.exit(
            0 if "_SAMOLOOP_COMPLETE" in os.environ else _refusal(error)
        )  # a shell completes words, and no sentence


def _run(args: list[str]) -> int:
    _check(args)
    result: Any = cli.main(args=args, prog_name="samoloop", standalone_mode=False)
    return result if isinstance(result, int) else 0


def _check(args: list[str]) -> None:
    """Refuse what no journal could hold."""
    from samoloop.base.errors import UsageError

    for word in args:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise UsageError(f"{word!r} is not UTF-8 text; put it in a file and name that with --file") from None


def _refusal(error: Exception | KeyboardInterrupt) -> int:
    """Say what went wrong; returns the exit code."""
    from samoloop.base.errors import SamoloopError
    from samoloop.ui.cli import failures

    match error:
        case click.exceptions.Abort() | KeyboardInterrupt():
            failures.say("Interrupted.")
            return 130
        case click.exceptions.NoArgsIsHelpError():
            failures.say(error.message)
            return error.exit_code
        case click.UsageError() if error.ctx:
            failures.say(f"{error.ctx.get_usage()}\n\nsamoloop: {failures.of_click(error)}")
            return error.exit_code
        case click.ClickException():
            failures.say(f"samoloop: {failures.of_click(error)}")
            return error.exit_code
        case SamoloopError():
            failures.say(f"samoloop: {error}")
            return error.exit_code
        case OSError():
            failures.say(f"samoloop: {failures.of_system(error)}")
            return 2
    failures.say(f"samoloop: {failures.keep(error)}")
    return 2
