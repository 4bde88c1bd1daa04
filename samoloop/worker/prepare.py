"""Phase `init`: branch, worktree, what a fresh worktree lacks, and the first files. No child, no tokens."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from samoloop.base.files import sha256, write_atomic
from samoloop.config.loading import Config
from samoloop.core import overview
from samoloop.core.gates import read_text
from samoloop.core.records import Created, Prepared
from samoloop.core.session import Session, new_folder, slug_of, title_of
from samoloop.core.workflow import Workflow
from samoloop.git import checkpoint
from samoloop.git.repo import Repo
from samoloop.worker.keeping import unkept
from samoloop.worker.roots import hold, refuse_led_away
from samoloop.worker.worker import Worker
from samoloop.worker.worktrees import make_worktree, run_setup


def create(
    config: Config,
    workflow: Workflow,
    task: str,
    *,
    repo: Repo | None,
    base: str | None,
    name: str | None,
    settings: Mapping[str, Any],
    environment: Mapping[str, Any],
    now: Callable[[], datetime],
) -> Session:
    """A new session folder with its first record, from the commit `base`; `repo` None is --in-place.

    `settings` were said by the person and `environment` by theirs: both are remembered.
    """
    slug = name or slug_of(task)
    with new_folder(config.sessions_dir, slug, now()) as (folder, session_name):
        branch = repo.new_branch_name(config.branch_prefix, slug) if repo else f"{config.branch_prefix}{slug}"
        write_atomic(folder / overview.TASK_FILE, task if task.endswith("\n") else task + "\n")
        Session(folder).record(
            Created(
                session=session_name,
                title=title_of(task),
                task_sha256=sha256(task),
                workflow=workflow,
                settings=settings,
                environment=environment,
                repo=repo.git_dir if repo else None,
                root=config.root,
                base=base,
                branch=branch,
                worktree=config.worktrees_dir / session_name if repo else config.root,
                in_place=repo is None,
            )
        )
        if repo and base:  # before the next one looks for a free name
            refuse_led_away(repo.git_dir, branch)
            repo.make_branch(branch, base)
    return Session(config.sessions_dir / session_name)


def prepare(worker: Worker) -> None:
    """Do `init`; may be run again after a crash. Raises SessionError where the setup command fails."""
    session, state = worker.session, worker.state
    worktree, lines = make_worktree(worker)
    setup = run_setup(worker, worktree)
    phase = state.live_workflow.first_with_child
    path = session.dir / overview.FILE_NAME
    if not path.exists():
        task = read_text(session.dir / overview.TASK_FILE) or session.task
        write_atomic(path, overview.skeleton(session.task, task, phase))
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
