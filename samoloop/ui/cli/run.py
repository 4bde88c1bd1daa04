"""`run`, `resume` and `stop`: starting a worker, and ending one."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from samoloop.api import handoff
from samoloop.api.handoff import FOCUSES, Handoff, Wishes
from samoloop.base.errors import SessionError, UsageError
from samoloop.config.keys import EFFORTS
from samoloop.config.loading import Config
from samoloop.core.session import LOCK, REPORT, Session, find
from samoloop.core.state import Condition, State
from samoloop.ui.cli.common import find_session, load_config, session_argument, speaker
from samoloop.worker import shared_limits

if TYPE_CHECKING:
    from samoloop.git.repo import Repo

TASK_LIMIT_BYTES = 8 * 1024 * 1024
START_SECONDS = 10.0

_CEILINGS = {"max_iterations": "iterations", "max_time": "wall", "max_cost": "cost"}


def worker_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What `run` and `resume` have in common."""
    options = [
        click.option("--provider", help="The CLI to use: claude, codex, gemini, opencode, mini, demo, or your own."),
        click.option("--model", help="The model, by the CLI's own name."),
        click.option("--effort", type=click.Choice(EFFORTS), help="How hard the model shall think."),
        click.option("--profile", help="A posture for every child: architect, developer, qa, ..."),
        click.option("--permissions", type=click.Choice(["full", "edits"]), help="What a child may do unasked."),
        click.option("--max-iterations", type=click.IntRange(1), help="Ask a person after so many iterations."),
        click.option("--max-time", metavar="DURATION", help="Ask a person after so much work, such as 2h."),
        click.option("--max-cost", type=click.FloatRange(0, min_open=True), help="Ask a person after so many USD."),
        click.option("--yes", is_flag=True, help="Take suggestions and approve the plan, this time."),
        click.option("--no-wait", is_flag=True, help="Exit with 3 instead of waiting for a person or a limit."),
        click.option("--allow-sleep", is_flag=True, help="Do not keep the machine from idle sleep."),
        click.option("--detach", is_flag=True, help="Work in the background; the terminal may close."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def as_settings(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, as the keys of the configuration that they stand for."""
    given = {key: value for key, value in flags.items() if value is not None}
    ceilings = {key: given.pop(flag) for flag, key in _CEILINGS.items() if flag in given}
    return {**given, **({"ceilings": ceilings} if ceilings else {})}


@click.command("run")
@click.argument("task", required=False)
@click.option("--file", "task_file", metavar="FILE", help="Read the task from a file, - for standard input.")
@click.option("--session", "name", metavar="NAME", help="The session's name; an unfinished one goes on.")
@click.option("--workflow", help="The shape of the work; see `samoloop workflows list`.")
@click.option("--repo", type=click.Path(path_type=Path), help="The repository, if not this one.")
@click.option("--base", default="HEAD", show_default=True, help="The commit to start from.")
@click.option("--in-place", is_flag=True, help="Work in this folder itself, without a branch; works without git.")
@click.option("--until", metavar="PHASE", help="End with this phase: planning gives a plan and no code.")
@click.option("--from", "source", metavar="SESSION", help="Mend what a test, audit, review or improve session found.")
@click.option("--focus", type=click.Choice(FOCUSES), help="What an audit looks for.")
@click.option("--dry-run", is_flag=True, help="Show phases, gates, limits, CLIs and prompt sizes; start nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with --dry-run.")
@worker_options
def run(
    task: str | None,
    task_file: str | None,
    name: str | None,
    workflow: str | None,
    repo: Path | None,
    base: str,
    in_place: bool,
    until: str | None,
    source: str | None,
    focus: str | None,
    dry_run: bool,
    as_json: bool,
    yes: bool,
    no_wait: bool,
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
    """
    refuse_inside_child()
    if as_json and not dry_run:
        raise UsageError("--json goes with --dry-run; a session that runs is read with `samoloop status --json`")
    root = _root(repo, in_place)
    words = read_task(task, task_file)
    settings = load_config(root, {**as_settings(flags), "workflow": workflow})
    wishes = Wishes(workflow, until, source, focus)
    how = How(yes, no_wait, allow_sleep, detach, flags=flags)
    found = find(settings.sessions_dir, name) if name else None
    if found and found.state().condition is not Condition.DONE:
        if words is not None:
            raise UsageError(
                f"{found.name} is not finished, so it takes no new task: go on with `samoloop resume {found.name}`, "
                "or choose another --session"
            )
        if flag := wishes.given or ("--dry-run" if dry_run else ""):
            raise UsageError(f"{flag} is for a new session, and {found.name} is not finished: choose another --session")
        return start(found, settings, replace(how, by=speaker()))
    given = handoff.prepare(settings, wishes, words)
    place = Place(root, None if in_place else base, name)
    if dry_run:
        return show_dry_run(given, place, as_json)
    session = new_session(given, place, as_settings(flags))
    return start(session, given.settings, how)


@click.command("resume")
@session_argument
@click.option("-m", "--message", help="Guidance for the next child.")
@click.option("--now", is_flag=True, help="Try at once, whatever limit was met.")
@click.option("--worker", "only_work", is_flag=True, hidden=True, help="Started by samoloop itself, not by a person.")
@worker_options
def resume(
    session_name: str | None,
    message: str | None,
    now: bool,
    only_work: bool,
    yes: bool,
    no_wait: bool,
    allow_sleep: bool,
    detach: bool,
    **flags: Any,
) -> int:
    """Go on with a session where it is: after a gate, a block, a stop or a crash.

    \b
    samoloop resume auth
    samoloop resume auth -m "Use sqlite."
    """
    refuse_inside_child()
    from samoloop.core import gates
    from samoloop.worker import outbox

    settings, session = find_session(session_name, lambda state: not _is_over(state))
    if _is_over(session.state()) and not outbox.is_left(session.dir):
        raise SessionError(f"{session.name} is done; its report: {session.dir / '_report.md'}")
    remembered = session.state().created.get("settings") or {}
    settings = load_config(settings.root, {**remembered, **as_settings(flags)})
    if message:
        gates.tell(session.dir, message, speaker())
    by = None if only_work else speaker()
    return start(session, settings, How(yes, no_wait, allow_sleep, detach, by, now, flags))


@click.command("stop")
@session_argument
@click.option("--now", is_flag=True, help="End the child too; its iteration runs again on resume.")
def stop(session_name: str | None, now: bool) -> None:
    """Let the running iteration finish, then stop.

    \b
    samoloop stop auth
    """
    from samoloop.base.locks import is_held

    _, session = find_session(session_name, lambda state: state.condition is not Condition.DONE)
    if not is_held(session.dir / LOCK):
        click.echo(f"No worker is at work on {session.name}.")
        return
    pid = int((session.dir / LOCK).read_text().strip() or 0)
    if pid <= 1:
        raise SessionError(f"the worker of {session.name} cannot be found: {session.dir / LOCK} names no process")
    os.kill(pid, signal.SIGUSR1)  # a person's wish, so `up` will not take the session up again
    if now:
        os.kill(pid, signal.SIGTERM)
    click.echo(f"Asked worker {pid} of {session.name} to stop " + ("now." if now else "after this iteration."))


def _is_over(state: State) -> bool:
    """Done, and its worker lived long enough to write the report and say so."""
    return state.condition is Condition.DONE and state.rests


def refuse_inside_child() -> None:
    """A child must not start workers of its own: they would outlive it and spend without a limit."""
    if "SAMOLOOP_MARKER" in os.environ:
        raise UsageError("this is a child's environment: a child works, it does not start or resume sessions")


def read_task(task: str | None, task_file: str | None) -> str | None:
    """The task from the argument, a file or standard input; None where none is given. Raises UsageError."""
    if task is not None and task_file is not None:
        raise UsageError("give the task as an argument or with --file, not both")
    if task_file is not None:
        task = _read_file(task_file)
    if task is not None and not task.strip():
        raise UsageError("the task is empty; say in a sentence what is to be done")
    return task


def _read_file(name: str) -> str:
    try:
        data = sys.stdin.buffer.read(TASK_LIMIT_BYTES + 1) if name == "-" else Path(name).read_bytes()
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
    return start if in_place else Repo.find(start).root


@dataclass(frozen=True)
class Place:
    """Where a new session is to work."""

    root: Path  # the project
    base: str | None  # the revision to start from; None is --in-place
    name: str | None  # as the person named it

    def check(self) -> "tuple[Repo | None, str | None]":
        """The repository and the commit. Raises UsageError or GitError."""
        from samoloop.core.session import check_name
        from samoloop.git.repo import Repo

        if self.name:
            check_name(self.name)
        if self.base is None:
            return None, None
        repo = Repo.find(self.root)
        return repo, repo.resolve(self.base)


def new_session(given: Handoff, place: Place, remembered: dict[str, Any]) -> Session:
    """A new session folder. Everything that can be refused is refused before it is made."""
    from samoloop.base.clock import Clock
    from samoloop.config import projects
    from samoloop.worker import launching, prepare

    repo, _ = place.check()
    launching.rehearse(given.settings, given.workflow, os.environ)
    projects.register(place.root, os.environ)
    return prepare.create(
        given.settings,
        given.workflow,
        given.task,
        repo=repo,
        base=place.base or "HEAD",
        name=place.name,
        settings=remembered,
        now=Clock().local,
    )


def show_dry_run(given: Handoff, place: Place, as_json: bool) -> int:
    """Show what `run` would do. What it would refuse is refused here too; nothing is written."""
    from samoloop.api import dry_run
    from samoloop.base.clock import Clock
    from samoloop.worker import launching

    _, commit = place.check()
    launching.rehearse(given.settings, given.workflow, os.environ)
    found = dry_run.look_ahead(given, base=commit, name=place.name, now=Clock().local())
    click.echo(json.dumps(found.to_json(), indent=2) if as_json else "\n".join(dry_run.lines(found)))
    return 0


@dataclass(frozen=True)
class How:
    """How a worker is to run, as the command line said it."""

    yes: bool = False
    no_wait: bool = False
    allow_sleep: bool = False
    detach: bool = False
    by: str | None = None  # the person who resumes; None resumes nothing
    now: bool = False  # try at once, whatever limit was met
    flags: Mapping[str, Any] = field(default_factory=dict)  # what a background worker must be told again


def start(session: Session, settings: Config, how: How) -> int:
    """Run a worker here, or in the background."""
    if how.now:
        for provider in settings.candidates(session.state().phase):
            shared_limits.forget(provider, os.environ)
    if how.detach:
        return start_detached(session, settings, how)
    from samoloop.children.awake import Awake
    from samoloop.children.processes import become_subreaper
    from samoloop.children.stop import StopRequest, install_handlers
    from samoloop.ui.terminal.screen import open_view
    from samoloop.worker import loop
    from samoloop.worker.worker import Worker, locked

    stop_request = StopRequest()
    with locked(session), open_view(session, stop_request) as view:
        install_handlers(stop_request)
        become_subreaper()
        worker = Worker(
            session,
            settings,
            stop=stop_request,
            view=view,
            awake=Awake(settings.keep_awake and not how.allow_sleep),
            yes=how.yes,
            no_wait=how.no_wait,
        )
        greet(worker)
        if how.by is not None:
            session.record("resumed", by=how.by, now=how.now)
        with delivering(worker):
            decision = loop.run(worker)
    click.echo(farewell(session))
    return 130 if stop_request.interrupted and decision.exit_code == 6 else decision.exit_code


@contextmanager
def delivering(worker: Any) -> Iterator[None]:
    """Bring what the worker announces to those who listen; nothing is started where nobody does."""
    config, session = worker.config, worker.session
    courier = None
    if config.outlets.readers:
        from samoloop.worker.courier import Courier

        courier = Courier(session.dir, config.root, config.outlets, config.telegram, worker.environ)
        courier.start()
    try:
        yield
    finally:
        worker.awake.off()
        for sentence in courier.close() if courier else []:
            worker.view.say(sentence)


def greet(worker: Any) -> None:
    """What a person should know before children start to work."""
    config, session = worker.config, worker.session
    worker.view.say(f"session {session.name}: {session.task}")
    phase = session.state().phase
    words = {
        "full": "permissions: full, so a child may run any command as you (permissions: edits restrains it)",
        "edits": "permissions: edits, so a child works in its CLI's restrained mode",
    }
    worker.view.say(f"{config.provider_for(phase)}, {words[config.permissions]}")


def farewell(session: Session) -> str:
    """The last lines: where it stands, and where to read on."""
    state = session.state()
    lines = [f"{session.name}: {state.condition}" + (f", {state.reason}" if state.reason else "")]
    if state.condition is Condition.DONE:
        lines = [f"{session.name}: done. {state.summary}".rstrip()]
        if not state.created.get("in_place"):
            lines.append(f"  branch    {session.branch}")
    if (session.dir / REPORT).exists():
        lines.append(f"  report    {session.dir / REPORT}")
    if state.condition is not Condition.DONE:
        lines.append(f"  go on     samoloop resume {session.name}")
    return "\n".join(lines)


def start_detached(session: Session, settings: Config, how: How) -> int:
    """A worker of its own session, which neither the terminal nor the ssh connection takes along."""
    from samoloop.base.clock import Clock
    from samoloop.base.locks import is_held

    if is_held(session.dir / LOCK):
        raise SessionError(f"a worker is at work on {session.name} already; watch it: samoloop log {session.name} -f")
    if how.by is not None:
        session.record("resumed", by=how.by, now=how.now)
    argv = [sys.executable, "-m", "samoloop", "resume", session.name, "--worker"]
    flags = {"--yes": how.yes, "--no-wait": how.no_wait, "--allow-sleep": how.allow_sleep}
    argv += [flag for flag, given in flags.items() if given]
    argv += [f"--{name.replace('_', '-')}={value}" for name, value in how.flags.items() if value is not None]
    log = session.logs / "worker.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv,
            cwd=settings.root,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    clock = Clock()
    deadline = clock.monotonic() + START_SECONDS
    while not is_held(session.dir / LOCK) and process.poll() is None and clock.monotonic() < deadline:
        clock.wait([], 0.02)
    if process.poll() not in (None, 0, 3, 4, 6):
        raise SessionError(f"the worker ended at once with {process.returncode}; it said:\n{log.read_text()[-1000:]}")
    click.echo(f"{session.name} is at work in the background (process {process.pid}).")
    for word, command in (("watch", "log -f"), ("where", "status"), ("stop", "stop")):
        click.echo(f"  {word:<6} samoloop {command} {session.name}")
    return 0
