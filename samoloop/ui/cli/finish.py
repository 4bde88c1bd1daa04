"""The command that brings a session's branch to where others see it."""

import os

import click

from samoloop.base.errors import UsageError
from samoloop.config.keys import Finish
from samoloop.core.state import Condition
from samoloop.ui.cli.common import find_session, for_people_only, session_argument
from samoloop.ui.terminal.output import say


@click.command("finish")
@session_argument
@click.option("--push", is_flag=True, help="Push its branch, whatever the settings say.")
@click.option("--pr", "opens", is_flag=True, help="Push it and open a pull request, whatever the settings say.")
@click.option("--seen", default="", metavar="SHA", help="Go by git's settings as they were shown.")
def finish(session_name: str | None, push: bool, opens: bool, seen: str) -> None:
    """Push the branch of a session that is done, and open a pull request, as `finish` in your settings says.

    May be said again: what was pushed is not pushed again, and there is one pull request.

    \b
    samoloop finish auth
    samoloop finish auth --pr
    """
    from samoloop.api.finish import finish as bring_out

    for_people_only()
    if push and opens:
        raise UsageError("--pr pushes too: leave out --push")
    session = find_session(session_name, lambda state: state.condition is Condition.DONE)
    for line in bring_out(session, os.environ, Finish.PUSH if push else Finish.PR if opens else None, seen):
        say(line)
