"""`run`, `resume` and `stop`: starting a worker, and ending one."""

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from samoloop.api.asked import FOCUSES, How, Order, Wishes
from samoloop.base.errors import LockHeld, ProviderError, UsageError
from samoloop.config.keys import EFFORTS, KNOWN, Finish
from samoloop.config.project import find_root
from samoloop.core import old_session
from samoloop.core.control import is_fleets
from samoloop.core.decision import EXIT_CODES
from samoloop.core.rules import Decision, Kind
from samoloop.core.session import REPORT, Session, find, is_session
from samoloop.core.state import Condition, State
from samoloop.ui.cli import complete
from samoloop.ui.cli.common import (
    as_settings,
    find_session,
    for_people_only,
    is_terminal,
    load_config,
    sandbox_option,
    say_wrapped,
    session_argument,
    speaker,
    terminal_columns,
)
from samoloop.ui.terminal.output import say, say_json

if TYPE_CHECKING:
    from samoloop.api.go_on import OpenView
    from samoloop.children.stop import StopRequest
    from samoloop.worker.view import View
    from samoloop.worker.worker import Worker

_DATED = re.compile(r"^\d\d-\d\d-\d\d-")
TASK_LIMIT_BYTES = 8 * 1024 * 1024


def worker_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What `run` and `resume` have in common."""
    options = [
        click.option(
            "--provider",
            help=f"The CLI to use: {', '.join(KNOWN)}, or your own.",
            shell_complete=complete.providers,
        ),
        click.option("--model", help="The model, by the CLI's own name."),
        click.option("--effort", type=click.Choice(EFFORTS), help="How hard the model shall think."),
        click.option(
            "--profile",
            help="A posture for every child: architect, developer, qa, ...",
            shell_complete=complete.profiles,
        ),
        click.option("--permissions", type=click.Choice(["full", "edits"]), help="What a child may do unasked."),
        sandbox_option,
        click.option("--max-iterations", type=click.IntRange(1), help="Ask a person after so many iterations."),
        click.option("--max-time", metavar="DURATION", help="Ask a person after so much work, such as 2h."),
        click.option("--max-cost", type=click.FloatRange(0, min_open=True), help="Ask a person after so many USD."),
        click.option(
            "--finish",
            type=click.Choice([word.value for word in Finish]),
            help="When it is done: push its branch, or open a pull request too.",
        ),
        click.option("--yes", is_flag=True, help="Take suggestions and approve the plan, this time."),
        click.option("--no-wait", is_flag=True, help="Exit with 3 instead of waiting for a person or a limit."),
        click.option("--no-input", is_flag=True, help="Ask nothing at this terminal; answers come from elsewhere."),
        click.option("--allow-sleep", is_flag=True, help="Do not keep the machine from idle sleep."),
        click.option("--detach", is_flag=True, help="Work in the background; the terminal may close."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command("run")
@click.argument("task", required=False)
@click.option(
    "--file", "task_file", type=click.Path(), metavar="FILE", help="Read the task from a file, - for standard input."
)
@click.option(
    "--session",
    "name",
    metavar="NAME",
    shell_complete=complete.sessions,
    help="Its name; an unfinished one goes on, a folder made by hand is taken over.",
)
@click.option(
    "--workflow", help="The shape of the work; see `samoloop workflows list`.", shell_complete=complete.workflows
)
@click.option("--repo", type=click.Path(path_type=Path), help="The repository, if not this one.")
@click.option(
    "--base",
    metavar="REV",
    help="The commit to start from; fetch is the remote's default branch, freshly fetched.  [default: HEAD]",
)
@click.option("--branch", metavar="NAME", help="Work on this branch of yours, instead of a new one.")
@click.option("--in-place", is_flag=True, help="Work in this folder itself, without a branch; works without git.")
@click.option(
    "--until",
    metavar="PHASE",
    help="End with this phase: planning gives a plan and no code.",
    shell_complete=complete.phases,
)
@click.option(
    "--from",
    "source",
    metavar="SESSION",
    help="Mend what a test, audit, review or improve session found.",
    shell_complete=complete.sessions,
)
@click.option("--from-ci", is_flag=True, help="Mend what failed in the last CI run on this branch, or on --branch.")
@click.option(
    "--plan", type=click.Path(path_type=Path), metavar="FILE", help="Carry out this plan; handing it over approves it."
)
@click.option("--focus", type=click.Choice(FOCUSES), help="What an audit looks for.")
@click.option("--fleet", "fleets", is_flag=True, help="Hand it to your fleet: any of its machines works on it.")
@click.option("--needs", metavar="WORDS", help="With --fleet: what a machine must have, such as gpu.")
@click.option("--dry-run", is_flag=True, help="Show phases, gates, limits, CLIs and prompt sizes; start nothing.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print each event as JSON, one a line; the last is the outcome.",
)
@worker_options
def run(
    task: str | None,
    task_file: str | None,
    name: str | None,
    workflow: str | None,
    repo: Path | None,
    base: str | None,
    branch: str | None,
    in_place: bool,
    until: str | None,
    source: str | None,
    from_ci: bool,
    focus: str | None,
    plan: Path | None,
    fleets: bool,
    needs: str | None,
    dry_run: bool,
    as_json: bool,
    yes: bool,
    no_wait: bool,
    no_input: bool,
    allow_sleep: bool,
    detach: bool,
    **flags: Any,
) -> int:
    """Hand off a task: a branch, a worktree, and one fresh child per iteration until it is done.

    \b
    samoloop run "Add JWT auth"
    samoloop run --file task.md --session auth --detach
    samoloop run "Add JWT auth" --until planning --dry-run
    samoloop run --from 26-11-20-audit
    samoloop run --from-ci
    samoloop run --plan docs/11-21-0930-plan-auth.md
    """
    for_people_only()
    _refuse_both(("--in-place", in_place), ("--base", base), ("--branch", branch))
    _refuse_both(("--in-place", in_place), ("--fleet", fleets))
    _refuse_both(("--detach", detach), ("--fleet", fleets))
    if needs and not fleets:
        raise UsageError("--needs is for a session of the fleet: add --fleet")
    root = _root(repo, in_place)
    words = read_task(task, task_file)
    folder, name = _made_by_hand(load_config(root).sessions_dir, name) if name else (None, None)
    if from_ci:
        _refuse_together(("--from-ci", from_ci), ("--from", source), ("--plan", plan), ("--focus", focus))
        words, at = _from_ci(root, repo, branch, words)
        base, workflow = base or ("" if in_place or branch else at), workflow or "fix"
    wishes = Wishes(workflow, until, source, focus, plan, folder, branch)
    how = How(said=as_settings(flags), yes=yes, no_wait=no_wait, allow_sleep=allow_sleep)
    found = find(load_config(root, how.said).sessions_dir, name) if name else None
    if found and found.state().condition is not Condition.DONE:
        if words is not None:
            raise UsageError(
                f"{found.name} is not finished, so it takes no new task: go on with `samoloop resume {found.name}`, "
                "or choose another --session"
            )
        if flag := wishes.given or ("--dry-run" if dry_run else ""):
            raise UsageError(f"{flag} is for a new session, and {found.name} is not finished: choose another --session")
        if fleets:
            return give_to_fleet(found, needs)
        return start(
            found, replace(how, by=speaker(), attended=True), detach, asks=not no_input and not as_json, as_json=as_json
        )
    if words is None and name and found is None and (old := old_session.named(load_config(root).sessions_dir, name)):
        raise UsageError(f"{old.name} is a session of samocode: samoloop import {old}, then samoloop resume {name}")
    order = Order(root, words, wishes, None if in_place else base or "", name, how.said, speaker(), elsewhere=fleets)
    if dry_run:
        return show_dry_run(order, as_json)
    from samoloop.api.hand_off import hand_off

    if fleets:
        from samoloop.ui.cli.fleet import reached

        with reached():
            pass  # nothing is made that could not be handed over
        return give_to_fleet(hand_off(order, os.environ), needs)
    return start(hand_off(order, os.environ), how, detach, asks=not no_input and not as_json, as_json=as_json)


@click.command("resume")
@session_argument
@click.option("-m", "--message", help="Guidance for the next child.")
@click.option("--now", is_flag=True, help="Try at once, whatever limit was met.")
@click.option("--worker", "only_work", is_flag=True, hidden=True, help="Started by samoloop itself, not by a person.")
@click.option("--once", is_flag=True, hidden=True, help="With --worker: one iteration; whoever asks holds the session.")
@click.option("--by", hidden=True, help="With --worker: the person for whom it was started.")
@click.option("--said", hidden=True, help="With --worker: the settings that the person gave, as JSON.")
@click.option("--shown", default="", hidden=True, help="With --worker: the hash of the settings that they were shown.")
@worker_options
def resume(
    session_name: str | None,
    message: str | None,
    now: bool,
    only_work: bool,
    once: bool,
    by: str | None,
    said: str | None,
    shown: str,
    yes: bool,
    no_wait: bool,
    no_input: bool,
    allow_sleep: bool,
    detach: bool,
    **flags: Any,
) -> int:
    """Go on with a session where it is: after a gate, a block, a stop or a crash; with -m also after its end.

    \b
    samoloop resume auth
    samoloop resume auth -m "Use sqlite."
    """
    for_people_only()
    how = How(said=as_settings(flags), now=now, yes=yes, no_wait=no_wait, allow_sleep=allow_sleep)
    if only_work:
        how = replace(how, once=once, by=by, said=json.loads(said or "{}"), shown=shown)
        return start(Session(Path(session_name or "")), how, False)
    session = find_session(session_name, lambda state: bool(message) or not _is_over(state))
    if message is not None and not message.strip():
        raise UsageError(f'say what the next child should know: samoloop resume {session.name} -m "..."')
    how = replace(how, by=speaker(), words=message or "", attended=True)
    try:
        return start(session, how, detach, asks=not no_input)
    except LockHeld as error:
        if not message:
            raise
        raise LockHeld(f'{error}. Your words were not taken; tell it: samoloop tell {session.name} "..."') from None


@click.command("stop")
@session_argument
@click.option("--now", is_flag=True, help="End the child too; its iteration runs again on resume.")
def stop(session_name: str | None, now: bool) -> None:
    """Let the running iteration finish, then stop.

    \b
    samoloop stop auth
    """
    from samoloop.api.stop import stop as ask_to_stop

    for_people_only()
    session = find_session(session_name, lambda state: state.condition is not Condition.DONE)
    if is_fleets(session.dir):
        from samoloop.ui.cli.fleet import ask_machine_to_stop

        say(ask_machine_to_stop(session, now))
        return
    pid = ask_to_stop(session, now=now)
    if pid is None:
        say(f"No worker is at work on {session.name}.")
        return
    say(f"Asked worker {pid} of {session.name} to stop " + ("now." if now else "after this iteration."))


def _made_by_hand(sessions: Path, name: str) -> tuple[Path | None, str]:
    """The folder that the name means, where it is no session yet, and the name that its session gets."""
    path = Path(name).absolute() if os.sep in name else sessions / name
    if name.startswith(".") or not path.is_dir() or path.is_symlink() or is_session(path):
        return None, path.name if path.parent == sessions.absolute() else name
    return path, _DATED.sub("", path.name)


def _from_ci(root: Path, folder: Path | None, branch: str | None, words: str | None) -> tuple[str, str]:
    """The task that the CI's log makes, and the branch that it is about."""
    from samoloop.api import from_ci
    from samoloop.git.repo import Repo

    at = branch or from_ci.branch_at(folder or Path.cwd())
    return from_ci.as_task(Repo.find(root), at, words, os.environ), at


def _is_over(state: State) -> bool:
    """Done, and its worker lived long enough to write the report and say so."""
    return state.condition is Condition.DONE and state.rests


def _refuse_both(*given: tuple[str, object]) -> None:
    _refuse_together(*given, why="each says where the work starts")


def _refuse_together(*given: tuple[str, object], why: str = "each says what is to be done") -> None:
    """Raise UsageError where more than one of these options, which exclude each other, was given."""
    if len(said := [name for name, value in given if value]) > 1:
        raise UsageError(f"{' and '.join(said)} do not go together: {why}")


def read_task(task: str | None, task_file: str | None) -> str | None:
    """The task from the argument, a file or standard input; None where none is given. Raises UsageError."""
    from samoloop.ui.cli import COMMANDS

    if task is not None and task_file is not None:
        raise UsageError("give the task as an argument or with --file, not both")
    if task is not None and task.strip() in COMMANDS:
        raise UsageError(f"{task.strip()!r} is a command, and no task: samoloop {task.strip()}")
    if task_file is not None:
        task = _read_file(task_file)
    if task is not None and not task.strip():
        raise UsageError("the task is empty; say in a sentence what is to be done")
    return task


def _read_file(name: str) -> str:
    try:
        with nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb") as file:
            data = file.read(TASK_LIMIT_BYTES + 1)
    except OSError as error:
        raise UsageError(f"the task cannot be read from {name}: {error.strerror}") from None
    if len(data) > TASK_LIMIT_BYTES:
        raise UsageError(
            f"the task in {name} is larger than {TASK_LIMIT_BYTES // 1024 // 1024} MB; "
            "put the matter in a file of the repository and name it"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"the task in {name} is not UTF-8 text") from None


def _root(repo: Path | None, in_place: bool) -> Path:
    """The project's main checkout; with --in-place the folder itself."""
    from samoloop.git.repo import Repo

    start = (repo or Path.cwd()).resolve()
    if not start.is_dir():
        raise UsageError(f"there is no folder {start}")
    return start if in_place else Repo.find(find_root(start) or start).root


def show_dry_run(order: Order, as_json: bool) -> int:
    """Show what `run` would do. What it would refuse is refused here too; nothing is written.

    A CLI that cannot be started is no reason to refuse: one may look before one installs it.
    """
    from samoloop.api import dry_run, hand_off
    from samoloop.base.clock import Clock
    from samoloop.worker import launching

    planned = hand_off.plan(order, os.environ, fetches=False)
    try:
        launching.rehearse(planned.settings, planned.workflow, os.environ, elsewhere=order.elsewhere)
        missing = ""
    except ProviderError as error:
        missing = str(error)
    found = dry_run.look_ahead(planned, name=order.name, now=Clock().local(), environ=os.environ, missing=missing)
    if as_json:
        say_json(found.to_json())
    else:
        say("\n".join(dry_run.lines(found)))
    return 0


def start(session: Session, how: How, detached: bool, *, asks: bool = False, as_json: bool = False) -> int:
    """Run a worker here, or in the background; `asks`: the person at this terminal is asked what gates wait for.

    With `as_json` standard output gets one object for each event, a line each, and people look at standard error.
    """
    if detached and not is_fleets(session.dir):  # of which nothing runs here for long
        return start_detached(session, how, as_json)
    from samoloop.api.go_on import go_on, stoppable
    from samoloop.ui.terminal.screen import open_view
    from samoloop.worker.lease import FILES, OWN
    from samoloop.worker.stations import Stations

    @contextmanager
    def as_events(session: Session, stop: "StopRequest") -> "Iterator[View]":
        from samoloop.ui.terminal.event_lines import EventLines
        from samoloop.worker.view import Several

        with open_view(session, stop, sys.stderr) as seen:
            yield Several((seen, EventLines(session.name)))

    view: OpenView = open_view
    if asks and is_terminal():
        from samoloop.ui.terminal.asking import asking_view  # not for a worker whom nobody sees

        view = asking_view(speaker("terminal"))
    with stoppable() as stop:
        shared = is_fleets(session.dir) and not how.once
        if shared:  # nobody is kept off the session while this one waits
            how = replace(how, no_wait=True)
        decision = go_on(
            session,
            how,
            open_view=as_events if as_json else view,
            stop=stop,
            lease=FILES if how.once else OWN,
            more=Stations(before=(_elsewhere,)) if shared else None,
        )
    if shared and decision.kind is Kind.STOPPED:
        say(f"{session.name}: a machine of the fleet goes on with it; where it is: samoloop fleet status", err=as_json)
        return 0
    code = 130 if stop.interrupted and decision.exit_code == EXIT_CODES[Kind.STOPPED] else decision.exit_code
    if as_json:
        say_outcome(session, code)
    else:
        say(farewell(session))
    return code


def _elsewhere(worker: "Worker") -> Decision:
    """What a person said is recorded here; a machine of the fleet goes on from there."""
    return Decision(Kind.STOPPED, worker.state.phase, "a machine of the fleet goes on")


def give_to_fleet(session: Session, needs: str | None) -> int:
    """Hand the session to the fleet: its machines go on with it."""
    from samoloop.ui.cli.fleet import reached, words

    with reached() as (this, database):
        from samoloop.fleet.moving import hand_in

        for line in hand_in(session, this, database, os.environ, speaker(), tuple(words(needs or ""))):
            say_wrapped(line)
    for word, command in (("watch", "fleet status"), ("where", f"status {session.name}")):
        say(f"  {word:<6} samoloop {command}")
    return 0


def say_outcome(session: Session, code: int) -> None:
    """Where the session stands, as `status --json` tells it, with the exit code of this command: the last event."""
    from samoloop.api.status import standing
    from samoloop.ui.terminal.event_lines import say_event

    say_event("outcome", session.name, {**standing(session), "exit_code": code})


def farewell(session: Session) -> str:
    """The last lines: where it stands, where to read on, and what a person can do."""
    from samoloop.base.printable import one_line, printable
    from samoloop.core.headline import concluded, headline
    from samoloop.core.next_steps import outlook
    from samoloop.ui.terminal.words import wrapped

    state, ahead = session.state(), outlook(session, at_work=False)
    lines = [f"{session.name}: {state.condition}" + (f", {state.reason}" if state.reason else "")]
    if state.failure and state.condition is not Condition.FAILED:  # it failed at a gate, which stays open
        lines.insert(0, f"{session.name}: the worker failed, {state.failure}")
    if state.condition is Condition.DONE:
        lines = [f"{session.name}: {headline(concluded(session.journal))}", *filter(None, [state.summary])]
        if not state.created.in_place:
            lines.append(f"  branch    {session.branch}")
    if (session.dir / REPORT).exists():
        lines.append(f"  report    {session.dir / REPORT}")
    width = max((len(one_line(step.command)) for step in ahead.steps), default=0)
    lines += [f"  {one_line(step.command):<{width}}  # {one_line(step.what)}" for step in ahead.steps]
    return "\n".join(wrapped(printable("\n".join(lines)), terminal_columns()))


def start_detached(session: Session, how: How, as_json: bool = False) -> int:
    """A worker in the background, and what to type to watch it."""
    from samoloop.api.detach import detach
    from samoloop.api.go_on import greeting
    from samoloop.api.settings import settings_of
    from samoloop.api.unseen import as_they_are, unseen_changes
    from samoloop.base.files import sha256
    from samoloop.config.samocode import unread

    settings = settings_of(session, os.environ, how.said)
    lines = [*greeting(session, settings), *unread(settings.root, os.environ), *unseen_changes(session, settings)]
    if how.attended:
        how = replace(how, shown=sha256(as_they_are(session, settings)))
    pid = detach(session, how, os.environ)
    say("\n".join(lines), err=as_json)
    if as_json:
        say_outcome(session, 0)
        return 0
    say(f"{session.name} is at work in the background (process {pid}).")
    for word, command in (("watch", "log -f"), ("where", "status"), ("stop", "stop")):
        say(f"  {word:<6} samoloop {command} {session.name}")
    return 0
