"""Commands about a session's past: `diff`, `rewind`, `fork`, `archive`, `clean`, `repair`."""

import os
from itertools import chain
from typing import TYPE_CHECKING

import click

from samoloop.base.errors import UsageError
from samoloop.base.printable import one_line
from samoloop.config.project import sessions_folder
from samoloop.core.state import Condition
from samoloop.ui.cli import complete
from samoloop.ui.cli.common import (
    find_session,
    for_people_only,
    project_root,
    say_wrapped,
    session_argument,
    speaker,
    terminal_columns,
)
from samoloop.ui.cli.fleet_copies import kept_of_archived, remove_kept, renew_copies
from samoloop.ui.cli.follows import say_what_follows
from samoloop.ui.terminal.output import say, say_in_pager
from samoloop.ui.terminal.paint import tone_of_change
from samoloop.ui.terminal.words import wrapped

if TYPE_CHECKING:
    from samoloop.api.clean import Left
    from samoloop.fleet.cleaning import Kept


@click.command("diff")
@session_argument
@click.option(
    "-n",
    "--iteration",
    type=int,
    help="Of this iteration alone.",
    shell_complete=complete.iterations,
)
@click.option("--session", "own", is_flag=True, help="Of the session's own files: plan, overview, documents.")
@click.option("--plan", is_flag=True, help="Between the plan that you were shown last and the one before.")
@click.option("--stat", is_flag=True, help="Only which files, and how many lines.")
def diff(session_name: str | None, iteration: int | None, own: bool, plan: bool, stat: bool) -> None:
    """Show what a session changed in the code: its whole branch, or one iteration.

    \b
    samoloop diff auth
    samoloop diff auth -n 7 --stat
    samoloop diff auth --plan
    """
    from samoloop.api import changes

    if plan and (own or stat or iteration is not None):
        raise UsageError("--plan compares two plans: leave out --session, --stat and -n")
    session = find_session(session_name)
    if plan:
        lines = changes.plan(session, os.environ)
    else:
        found = (changes.own_files if own else changes.code)(session, os.environ, iteration, stat=stat)
        lines = found.rstrip("\n").split("\n") if found.strip() else []
    if not lines:
        what = "the plan" if plan else "its own files" if own else "the code"
        say(f"{session.name} has changed nothing in {what}" + (f" in iteration {iteration}." if iteration else "."))
        return
    say_in_pager((line, "plain" if stat else tone_of_change(line)) for line in lines)


@click.command("rewind")
@click.argument("session_name", metavar="SESSION", shell_complete=complete.sessions)
@click.argument("iteration", type=int, shell_complete=complete.iterations)
def rewind(session_name: str, iteration: int) -> None:
    """Put code and session folder back to the end of an earlier iteration; the present stays reachable.

    \b
    samoloop rewind auth 4
    """
    from samoloop.api.rewind import rewind as go_back

    for_people_only()
    session = find_session(session_name)
    for line in go_back(session, iteration, speaker(), os.environ):
        say(line)
    say_what_follows(session)


@click.command("fork")
@click.argument("session_name", metavar="SESSION", shell_complete=complete.sessions)
@click.argument("iteration", type=int, shell_complete=complete.iterations)
@click.option("--session", "name", required=True, metavar="NEW", help="The new session's name.")
def fork(session_name: str, iteration: int, name: str) -> None:
    """Start a new session, with its own branch and worktree, from the end of an earlier iteration.

    \b
    samoloop fork auth 4 --session auth-sqlite
    """
    from samoloop.api.rewind import fork as branch_off

    for_people_only()
    session = find_session(session_name)
    new = branch_off(session, iteration, name, os.environ)
    say(f"{new.name} starts after iteration {iteration} of {session.name}, on branch {new.branch}.")
    say(f"Go on with: samoloop resume {new.name}")


@click.command("archive")
@session_argument
@click.option("--force", is_flag=True, help="Also of a session that is not finished.")
def archive(session_name: str | None, force: bool) -> None:
    """Put a session away that is over: `list` hides it, and its worktree goes, if it is clean.

    The branch, the folder and the checkpoints stay.

    \b
    samoloop archive auth
    """
    from samoloop.api.rewind import archive as put_away

    for_people_only()
    session = find_session(session_name, lambda state: state.condition is Condition.DONE)
    state = session.state()
    if state.condition is not Condition.DONE and not force:
        raise UsageError(
            f"{session.name} is not finished ({state.condition} in {state.phase}): go on with it, or remove its "
            f"worktree all the same with: samoloop archive {session.name} --force"
        )
    say(put_away(session, speaker(), os.environ))


@click.command("clean")
@click.option("--yes", is_flag=True, help="Remove what can go.")
def clean(yes: bool) -> None:
    """List worktrees and branches of sessions that are over: what can go without a loss, and why the others stay.

    A branch can go where its commits are in the branch that it started from or at a remote, a worktree where all in it
    is in its branch, and both where the session is archived or merged. The session's folder and checkpoints stay.
    What a fleet keeps of an archived session can go where all of it is here.

    \b
    samoloop clean
    samoloop clean --yes
    """
    from samoloop.api import clean as cleaning

    root = project_root()
    renew_copies(sessions_folder(root, os.environ))
    kept = kept_of_archived(sessions_folder(root, os.environ))
    if yes:
        for_people_only()
        done = False
        for line in chain(cleaning.remove(root, os.environ, speaker()), remove_kept(kept) if kept else ()):
            say_wrapped(line)
            done = True
        if not done:
            say("There is nothing that can go.")
        return
    left = cleaning.look(root, os.environ)
    found = [(one.goes, _of_left(one)) for one in left] + [(not one.stays, _of_kept(one)) for one in kept]
    for title, goes in (("can go, with --yes", True), ("stays", False)):
        texts = [text for can_go, text in found if can_go is goes]
        if texts:
            say((title, "strong"))
        for text in texts:
            for line in wrapped(one_line(text, 1000), terminal_columns()):
                say(f"  {line}")
    if not found:
        say("No worktree and no branch of a session is left here.")


def _of_left(left: "Left") -> str:
    parts = [f"worktree {left.worktree}" if left.worktree else "", f"branch {left.branch}" if left.branch else ""]
    what = " and ".join(filter(None, parts))
    return f"{left.name}: {what}; {left.why}" if what else f"{left.name}: {left.why}"


def _of_kept(kept: "Kept") -> str:
    return f"{kept.name}: {kept.what}; {kept.stays or 'it is archived, and all of it is here'}"


@click.command("repair")
@click.argument("session_name", metavar="SESSION", shell_complete=complete.sessions)
def repair(session_name: str) -> None:
    """Put a session's journal right from its checkpoints, and take its folders as they are now.

    For a session that says that its journal or a folder is not what it was, when you have looked why.

    \b
    samoloop repair auth
    """
    from samoloop.api.repair import repair as put_right

    for_people_only()
    session = find_session(session_name)
    for line in put_right(session, speaker()):
        say(line)
    say_what_follows(session)
