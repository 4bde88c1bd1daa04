"""Phase `init`: branch, worktree, what a fresh worktree lacks, and the first files. No child, no tokens."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from datetime import datetime
from pathlib import Path
from typing import Any

from samoloop.base.errors import UsageError
from samoloop.base.files import sha256, write_atomic
from samoloop.base.values import frozen
from samoloop.config.loading import Config
from samoloop.core import control, gates, overview, words
from samoloop.core.decision import Condition
from samoloop.core.gates import Gate, Verdict, file_hash, read_text
from samoloop.core.gates.plan_approval import APPROVAL, approval_text
from samoloop.core.records import (
    Created,
    FromBacklog,
    GateClosed,
    GateOpened,
    GateShown,
    Halted,
    Moved,
    Prepared,
    Rested,
)
from samoloop.core.session import Session, all_sessions, new_folder, slug_of, sound_sessions, task_of, title_of
from samoloop.core.signals import BadSignal, GateKind, Signal
from samoloop.core.workflow import Workflow
from samoloop.git import checkpoint
from samoloop.git.repo import Repo
from samoloop.worker.documents import newest_documents
from samoloop.worker.keeping import unkept
from samoloop.worker.roots import hold, refuse_led_away
from samoloop.worker.worker import Worker
from samoloop.worker.worktrees import make_worktree, run_setup

_HANDED = "handed over with --plan"


@frozen
class Brought:
    """What a person brings to a new session."""

    files: Mapping[str, str] = field(default_factory=dict)  # documents: name -> text
    plan: str = ""  # which of them is a plan that the person approves by handing it over
    said: str = _HANDED  # how they approve it
    by: str = ""
    phase: str = ""  # where the work stands already; empty for the start
    asks: Signal | None = None  # what a person is asked there before it goes on
    asked_in: str = ""  # the phase whose gate that is
    blocked: str = ""  # why it rests until a person resumes it
    branch: str = ""  # that holds the work so far; empty for a new one
    worktree: Path | None = None  # of that branch, where there is one


def create(
    config: Config,
    workflow: Workflow,
    task: str,
    *,
    repo: Repo | None,
    base: str | None,
    start: str = "",
    name: str | None,
    settings: Mapping[str, Any],
    environment: Mapping[str, Any],
    brought: Brought = Brought(),
    backlog: FromBacklog | None = None,
    mark: str = "",
    now: Callable[[], datetime],
) -> Session:
    """A new session folder with its first record, from the commit `base`; `repo` None is --in-place.

    `start` is what the person calls that commit. `settings` were said by the person and `environment` by theirs: both
    are remembered. A task of the backlog gets one session, whoever asks for it how often; one with the `mark` of a
    fleet is never taken for this machine's own. Raises UsageError.
    """
    slug = name or slug_of(task)
    with new_folder(config.sessions_dir, slug, now()) as (folder, session_name):
        if backlog:
            refuse_again(config.sessions_dir, backlog)
        if brought.branch:
            refuse_second(config.sessions_dir, brought.branch)
        branch = repo.new_branch_name(config.branch_prefix, slug) if repo else f"{config.branch_prefix}{slug}"
        branch = brought.branch or branch
        if mark:
            write_atomic(control.place_of(folder) / control.FLEET, mark)
        write_atomic(folder / overview.TASK_FILE, task if task.endswith("\n") else task + "\n")
        Session(folder).record(
            Created(
                session=session_name,
                title=title_of(task),
                task_sha256=sha256(task),
                backlog=backlog,
                workflow=workflow,
                settings=settings,
                environment=environment,
                repo=repo.git_dir if repo else None,
                root=config.root,
                base=base,
                start=start,
                branch=branch,
                worktree=brought.worktree or (config.worktrees_dir / session_name if repo else config.root),
                in_place=repo is None,
                found=brought.worktree is not None,
            )
        )
        _take(Session(folder), brought)
        _stand(Session(folder), brought)
        if repo and brought.branch:
            refuse_led_away(repo.git_dir, branch)
        elif repo and base:  # before the next one looks for a free name
            refuse_led_away(repo.git_dir, branch)
            repo.make_branch(branch, base)
    return Session(config.sessions_dir / session_name)


def refuse_second(sessions: Path, branch: str) -> None:
    """Raise UsageError where a session has the branch that is not over: two would work against each other."""
    for session in sound_sessions(sessions):
        state = session.state()
        over = state.condition is Condition.DONE and state.archived
        if session.branch == branch and not over:
            raise UsageError(
                f"the session {session.name} works on {branch}: go on with `samoloop resume {session.name}`"
                if state.condition is not Condition.DONE
                else f"the session {session.name} has {branch}: `samoloop archive {session.name}` gives it free"
            )


def refuse_again(sessions: Path, backlog: FromBacklog) -> None:
    """Raise UsageError where the task of the backlog, or that time of its schedule, has a session."""
    for session in all_sessions(sessions):
        known = task_of(session)
        if known and (known.task, known.due) == (backlog.task, backlog.due):
            raise UsageError(f"the task {backlog.task} has the session {session.name}")


def _take(session: Session, brought: Brought) -> None:
    """The documents that a person brings, and the approval of the plan among them, bound to its text."""
    for name, text in brought.files.items():
        write_atomic(session.dir / name, text)
    if not brought.plan:
        return
    text = brought.files[brought.plan]
    gate = Gate("g0", GateKind.PLAN_APPROVAL, session.state().phase, 0, brought.plan, sha256(text))
    write_atomic(kept_plan(session, sha256(text)), text)
    approved = approval_text(gate, Verdict.APPROVE, brought.said, shown=sha256(text), by=brought.by)
    write_atomic(session.dir / APPROVAL, approved)
    session.record(
        GateClosed(
            gate=gate.id,
            kind=gate.kind,
            verdict=Verdict.APPROVE,
            by=brought.by,
            comment=brought.said,
            sha256=gate.sha256,
            file=gate.file,
        )
    )


def _stand(session: Session, brought: Brought) -> None:
    """Where the work stands already: its phase, what holds it up, and the gate that is open."""
    if brought.phase:
        session.record(Moved(source=session.state().phase, target=brought.phase, by=brought.by))
    if brought.blocked:
        session.record(Halted(condition=Condition.BLOCKED, reason=brought.blocked))
    if brought.asks:
        checked = gates.check_request(brought.asks, session.dir, session.dir, {})
        if isinstance(checked, BadSignal):
            raise UsageError(f"the gate of {brought.asked_in} cannot be opened: {checked.reason}")
        gate, text = gates.prepare("g1", checked, brought.asked_in, 0, session.dir, session.dir, {})
        session.record(GateOpened(gate=gate, reason=words.asked(gate)))
        gates.put(gate, text, session.dir)
        session.record(GateShown(gate=gate.id))
    if brought.blocked or brought.asks:
        session.record(Rested(overview=file_hash(session.dir / overview.FILE_NAME)))


def _listed(session: Session) -> str:
    """The documents that are there before the first child, as lines of the overview."""
    return "".join(f"- {name}\n" for name in newest_documents(session.dir))


def kept_plan(session: Session, digest: str) -> Path:
    """Where the text of an approved plan is kept, by its hash."""
    return session.control / f"_plan-{digest[:16]}.md"


def _as_approved(worker: Worker) -> Iterator[str]:
    """A plan that was handed over is carried out as it was then: what became of its copy meanwhile goes."""
    session = worker.session
    for record in session.journal:
        if isinstance(record, GateClosed) and record.file and record.sha256:
            path, text = session.dir / record.file, read_text(kept_plan(session, record.sha256))
            if text is not None and sha256(text) == record.sha256 != file_hash(path):
                write_atomic(path, text)
                yield (
                    f"{record.file} was changed after it was handed over: it is again what was approved. To have it "
                    "otherwise, hand the changed plan over as another session"
                )


def prepare(worker: Worker) -> None:
    """Do `init`; may be run again after a crash. Raises SessionError where the setup command fails."""
    session, state = worker.session, worker.state
    worktree, lines = make_worktree(worker)
    setup = None if state.created.found else run_setup(worker, worktree)
    here = state.live_workflow.phase(state.phase)
    phase = here.name if here.child else state.live_workflow.first_with_child
    path = session.dir / overview.FILE_NAME
    lines += _as_approved(worker)
    if not path.exists():
        task = read_text(session.dir / overview.TASK_FILE) or session.task
        write_atomic(path, overview.skeleton(session.task, task, phase) + _listed(session))
    if worker.config.commit:
        snapshot = worktree.snapshot()
        last = checkpoint.tip(worker.store, worker.ref)
        if last is None:
            checkpoint.make(
                worktree,
                session.dir,
                worker.ref,
                snapshot,
                summary="000 init: session created",
                journal=unkept(worker),
                iteration=0,
            )
        tree = sha256(f"{snapshot.tree} {checkpoint.fingerprint(session.dir)}")
    else:
        tree = None
    session.record(Prepared(phase=phase, notes=tuple(lines), setup=setup, tree=tree))
    hold(session)
    for line in lines:
        worker.view.say(line)
