"""Commands for when nobody is there: `up`, `service`, `projects`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from samoloop.ui.cli.common import for_people_only, json_option, next_time, speaker
from samoloop.ui.terminal.output import say, say_json

if TYPE_CHECKING:
    from samoloop.core.session import Session
    from samoloop.queue.handing import Fleet


JOBS, MOST_JOBS = 2, 100  # children at once, where nothing else is said; the most that can be said
_jobs_option = click.option(
    "--jobs", type=click.IntRange(1, MOST_JOBS), default=JOBS, show_default=True, help="Children at once, at most."
)


@click.command("up")
@_jobs_option
@click.option("--until", metavar="TIME", help="End at this time, such as 07:30; what runs finishes its iteration.")
@click.option(
    "--budget", type=click.FloatRange(0, min_open=True), metavar="USD", help="End when so much was spent over all."
)
@click.option("--once", is_flag=True, help="Exit when every session waits for a person, a time, or is over.")
@click.option("--json", "as_json", is_flag=True, help="Print each event as JSON, one a line.")
@click.option("--allow-sleep", is_flag=True, help="Do not keep the machine from idle sleep.")
@click.option("--forks", type=int, hidden=True, help="Started by `up` itself: a descriptor on which it asks for forks.")
def up(
    jobs: int, until: str | None, budget: float | None, once: bool, as_json: bool, allow_sleep: bool, forks: int | None
) -> int:
    """Work on the backlogs and the unfinished sessions of your projects; never past a gate.

    \b
    samoloop up --jobs 4
    samoloop up --until 07:30 --budget 20
    """
    if forks is not None:
        from samoloop.ui.cli import warm

        return warm.serve(forks)
    from contextlib import closing

    from samoloop.base.files import make_folder
    from samoloop.base.locks import Lock
    from samoloop.base.places import state_folder
    from samoloop.children.awake import Awake
    from samoloop.children.processes import hide_environment
    from samoloop.children.stop import StopRequest, install_handlers
    from samoloop.config.keys import SECRETS
    from samoloop.config.loading import load
    from samoloop.queue.background import LOCK
    from samoloop.queue.night import Night
    from samoloop.queue.pool import Pool
    from samoloop.queue.pull_requests import PullRequests
    from samoloop.queue.reminders import Reminders
    from samoloop.queue.runner import Processes
    from samoloop.queue.source import Projects

    for_people_only()
    folder = state_folder(os.environ)
    make_folder(folder)
    environ = dict(os.environ)
    _register_here(environ)
    night = Night(environ, next_time(until, "--until") if until else None, budget) if until or budget else None
    stop = StopRequest()
    tell = _say_as_event if as_json else say
    with Lock.take(folder / LOCK, 1.0, f"{os.getpid()}\n"), closing(Processes(environ)) as processes:
        install_handlers(stop)
        hide_environment(SECRETS)
        awake = Awake(not allow_sleep)
        source = Projects(environ, tell, fleet=lambda: _fleet(environ))
        reminders, pull_requests = Reminders(environ), PullRequests(environ, tell)

        def each_look(now: float) -> None:
            reminders.look(now)
            pull_requests.look(now)

        pool = Pool(
            source,
            processes,
            jobs,
            tell,
            slots=load(folder, environ).slots,
            night=night,
            stop=stop,
            each_look=each_look,
        )
        if as_json:
            pool.started, pool.ended = _started_as_event, _ended_as_event
        awake.on()
        try:
            pool.run(once)
        finally:
            awake.off()
        if stop.interrupted:
            tell("Finishing the running iterations; Ctrl-C again ends the children.")
            pool.finish()
            return 130
        if night or once:
            for line in source.summary():
                tell(line)
    return 0


def _fleet(environ: Mapping[str, str]) -> "Fleet":
    """Who takes the tasks that say `fleet`. Raises UsageError where its packages are not here."""
    from samoloop.fleet.extra import need

    need()
    from samoloop.fleet.handing import Handing

    return Handing(environ, speaker("up"))


def _say_as_event(sentence: str) -> None:
    from samoloop.ui.terminal.event_lines import say_event

    say_event("said", "", {"text": sentence})


def _started_as_event(session: "Session") -> None:
    """A worker began to go on with a session."""
    from samoloop.ui.terminal.event_lines import say_event

    say_event("started", session.name, {"folder": str(session.dir)})


def _ended_as_event(session: "Session", code: int) -> None:
    """It ended: where the session stands now, as `list --json` tells it."""
    from samoloop.api.status import row
    from samoloop.core.session import Session
    from samoloop.ui.terminal.event_lines import say_event

    say_event("ended", session.name, {"exit_code": code, **row(Session(session.dir))})


def _register_here(environ: Mapping[str, str]) -> None:
    """The project that the command is in, where it has a backlog, which somebody may have written by hand."""
    from samoloop.config.project import BACKLOG, find_root
    from samoloop.config.projects import register

    root = find_root(Path.cwd())
    if root and (root / BACKLOG).is_dir():
        register(root, environ)


@click.group("service")
def service() -> None:
    """Run `samoloop up` after login or reboot."""


@service.command("install")
@_jobs_option
@click.option("--allow-sleep", is_flag=True, help="Do not keep the machine from idle sleep.")
def install(jobs: int, allow_sleep: bool) -> None:
    """Install it for you: a systemd user unit, or a launchd agent on macOS."""
    from samoloop.queue import service as units

    for_people_only()
    say("\n".join(units.install(os.environ, jobs, not allow_sleep)))


@service.command("status")
def status() -> None:
    """Say whether it is installed and runs."""
    from samoloop.queue import service as units

    say("\n".join(units.status(os.environ)))


@service.command("uninstall")
def uninstall() -> None:
    """Remove it; sessions stay as they are."""
    from samoloop.queue import service as units

    for_people_only()
    say("\n".join(units.uninstall(os.environ)))


@click.group("projects")
def projects() -> None:
    """The projects that have sessions."""


@projects.command("list")
@json_option
def list_projects(as_json: bool) -> None:
    """List them."""
    from samoloop.config.projects import registered

    roots = registered(os.environ)
    if as_json:
        say_json([{"root": str(root), "exists": root.is_dir()} for root in roots])
        return
    for root in roots:
        say(f"{root}" + ("" if root.is_dir() else "  (gone)"))
    if not roots:
        say("None yet: a project registers itself with its first session.")


@projects.command("forget")
@click.argument("root", type=click.Path(path_type=Path))
def forget(root: Path) -> None:
    """Forget one; its sessions stay as they are."""
    from samoloop.config.projects import forget as drop

    for_people_only()
    drop(root.expanduser().absolute(), os.environ)
    say(f"Forgot {root}.")
