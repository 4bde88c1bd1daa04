"""`learn`: a person takes over what a session found out about the project."""

import os

import click

from samoloop.base.errors import UsageError
from samoloop.core.state import Condition
from samoloop.ui.cli import complete
from samoloop.ui.cli.common import find_session, for_people_only, is_terminal, terminal_columns
from samoloop.ui.terminal.output import ask, say
from samoloop.ui.terminal.words import wrapped


@click.command("learn")
@click.argument("words", nargs=-1, metavar="[SESSION] [NUMBER]...", shell_complete=complete.sessions)
def learn(words: tuple[str, ...]) -> None:
    """Take over what a finished session proposes to remember: into .samoloop/learned.md, of which children are told.

    \b
    samoloop learn auth
    samoloop learn auth 1 3
    """
    from samoloop.api import learned

    for_people_only()
    name = words[0] if words and not words[0].isdecimal() else None
    session = find_session(name, lambda state: state.condition is Condition.DONE)
    numbers = _numbers(words[1:] if name else words)
    there = learned.proposals(session)
    if not there:
        say(f"{session.name} proposes nothing to be learned.")
        return
    if not numbers:
        columns = terminal_columns()
        for number, one in enumerate(there, 1):
            mark = "  (taken)" if learned.is_taken(session, one) else ""
            say("\n".join(wrapped(f"{number}. {one.line}{mark}", columns)))
            say(("\n".join(wrapped(f"   {one.evidence}", columns)), "dim"))
        numbers = _asked(len(there)) if is_terminal() else []
        if not numbers:
            say(f"Nothing was taken. Take some: samoloop learn {session.name} 1")
            return
    said = "\n".join(learned.take(session, numbers, os.environ))
    say("\n".join(wrapped(said, terminal_columns())))


def _asked(count: int) -> list[int]:
    """The numbers that the person at the terminal names."""
    typed = ask("Which shall every session here be told (1 3, all, or none)", default="none").strip().casefold()
    if typed in ("all", "none"):
        return list(range(1, count + 1)) if typed == "all" else []
    return _numbers(typed.replace(",", " ").split())


def _numbers(words: "tuple[str, ...] | list[str]") -> list[int]:
    for word in words:
        if not word.isdecimal() or len(word) > 3:
            raise UsageError(f"{word[:40]!r} is no number of a proposal: samoloop learn SESSION 1 3")
    return [int(word) for word in words]
