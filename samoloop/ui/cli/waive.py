"""The command that lets a kind of evidence pass."""

import click

from samoloop.core.state import ENDED
from samoloop.ui.cli.common import find_session, for_people_only, session_argument, speaker
from samoloop.ui.cli.follows import say_what_follows
from samoloop.ui.terminal.output import say


@click.command("waive")
@click.argument("name")
@session_argument
@click.option("-m", "--message", required=True, help="Why, for the report.")
def waive(name: str, session_name: str | None, message: str) -> None:
    """Let a check or a kind of evidence pass in one session: it is told and reported, and vetoes no longer.

    NAME is a check, or one of tree, plan, documents, shortcut, checks, "old tests", "new tests".

    \b
    samoloop waive plan -m "item 1.4 is for another session" auth
    """
    from samoloop.api.waive import waive as let_pass

    for_people_only()
    session = find_session(session_name, lambda state: state.condition not in ENDED)
    say(let_pass(session, name, message, speaker()))
    say_what_follows(session)
