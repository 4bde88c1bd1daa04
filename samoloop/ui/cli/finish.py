"""The command that brings a session's branch to where others see it."""

import os
from pathlib import Path

import click

from samoloop.api.asked import How
from samoloop.base.errors import SamoloopError, UsageError, sentence
from samoloop.config.keys import Finish
from samoloop.config.project import sessions_folder
from samoloop.config.schema import positive_seconds
from samoloop.core.rules import Kind
from samoloop.core.session import Session, sound_sessions
from samoloop.core.state import Condition
from samoloop.ui.cli.common import find_session, for_people_only, project_root, session_argument
from samoloop.ui.terminal.output import say


@click.command("finish")
@session_argument
@click.option("--push", is_flag=True, help="Push its branch, whatever the settings say.")
@click.option("--pr", "opens", is_flag=True, help="Push it and open a pull request, whatever the settings say.")
@click.option(
    "--watch", is_flag=True, help="Look after pull requests, and go on where one needs it, until all are closed."
)
@click.option("--every", default="1m", metavar="DURATION", help="With --watch: how often to look.  [default: 1m]")
@click.option("--seen", default="", metavar="SHA", help="Go by git's settings as they were shown.")
def finish(session_name: str | None, push: bool, opens: bool, watch: bool, every: str, seen: str) -> int:
    """Push the branch of a session that is done, and open a pull request, as `finish` in your settings says.

    May be said again: what was pushed is not pushed again, and there is one pull request.

    \b
    samoloop finish auth
    samoloop finish auth --pr
    samoloop finish auth --watch
    """
    from samoloop.api.finish import finish as bring_out

    for_people_only()
    if push and opens:
        raise UsageError("--pr pushes too: leave out --push")
    what = Finish.PUSH if push else Finish.PR if opens else None
    if watch:
        return _watch(session_name, opens, every)
    session = find_session(session_name, lambda state: state.condition is Condition.DONE)
    for line in bring_out(session, os.environ, what, seen):
        say(line)
    return 0


def _watch(session_name: str | None, opens: bool, every: str) -> int:
    """Look after one session's pull request, or after all of this project that the settings want one of."""
    from samoloop.api.go_on import go_on, stoppable
    from samoloop.api.pull_request import Seen, is_watched, look, wanted
    from samoloop.base.clock import Clock
    from samoloop.ui.terminal.screen import open_view

    try:
        seconds = positive_seconds(every)
    except ValueError as error:
        raise UsageError(f"--every: {error}") from None
    folder = sessions_folder(project_root(), os.environ)
    named = find_session(session_name) if session_name else None
    if named and not opens and not wanted(named, os.environ):
        raise UsageError(
            f"your settings want no pull request of {named.name}: samoloop finish {named.name} --pr --watch"
        )
    over: set[Path] = set()
    said: set[str] = set()
    how = How(no_wait=True, said={"finish": Finish.PR.value} if opens else {})
    with stoppable() as stop:
        while not stop.finish:
            every_one = [Session(named.dir)] if named else sound_sessions(folder)
            left = [session for session in every_one if session.dir not in over]
            watched = [session for session in left if named or is_watched(session, os.environ)]
            for session in watched:
                try:
                    seen = look(session, os.environ)
                except (SamoloopError, OSError) as error:  # such as a network that is gone
                    seen = Seen(sentence(error))
                if seen.says and seen.says not in said:
                    said.add(seen.says)
                    say(seen.says)
                if seen.goes_on:
                    decision = go_on(Session(session.dir), how, open_view=open_view, stop=stop)
                if seen.is_over or (seen.goes_on and decision.kind is not Kind.DONE):
                    over.add(session.dir)
            if all(session.dir in over for session in watched):
                return 0
            Clock().wait([stop.finish_fd], seconds)
    return 130 if stop.interrupted else 0
