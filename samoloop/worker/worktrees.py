"""A session's worktree: made, furnished with what a fresh one lacks, and made again where it is gone."""

import math
import subprocess

from samoloop.base.effects import effect
from samoloop.base.errors import SessionError
from samoloop.base.files import make_ignored_folder, open_log, tail
from samoloop.children.child import MARKER
from samoloop.core.records import Setup, WorktreeNew, WorktreeReady
from samoloop.git import checkpoint
from samoloop.git.included import copy_included
from samoloop.git.repo import Repo
from samoloop.git.worktree import Worktree, WorktreeGone
from samoloop.worker import box
from samoloop.worker.roots import hold
from samoloop.worker.worker import Worker

SETUP_SECONDS = 1800
_TAIL_BYTES = 2000
_NAMES_SHOWN = 10


def make_worktree(worker: Worker) -> tuple[Worktree, list[str]]:
    """The worktree, and what is to be said of it beside where it starts, which was said first of all."""
    created = worker.state.created
    if created.base is None:  # in place
        return worker.worktree, [
            f"working in place in {created.worktree}; its history is kept in {worker.private_repository}"
        ]
    repo = _repository(worker)
    root = created.worktree
    if created.found:
        return repo.add_worktree(root, created.branch, created.base), []
    make_ignored_folder(root.parent)
    worktree = repo.add_worktree(root, created.branch, created.base)
    return worktree, _include(worker, repo, worktree)


def _include(worker: Worker, repo: Repo, worktree: Worktree) -> list[str]:
    """Copy what `.worktreeinclude` names, and say it."""
    included = copy_included(repo, worktree, [worker.config.sessions_dir, worker.config.worktrees_dir])
    said = {"copied by .worktreeinclude": included.copied, "not copied, because git does not ignore it": included.left}
    return [f"{what}: {_some(names)}" for what, names in said.items() if names]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more


def run_setup(worker: Worker, worktree: Worktree) -> Setup | None:
    """The project's own command for a fresh worktree, once, its output logged."""
    command = worker.config.setup
    if not command or worker.state.created.in_place:
        return None
    worker.view.say(f"setup: {command}")
    log = worker.session.logs / "000-init.log"
    with effect("run setup"), open_log(log) as output:
        try:
            done = box.run(
                worker,
                ["sh", "-c", command],
                name=f"the setup command {command!r}",
                cwd=worktree.root,
                environ={**worker.child_environment(), MARKER: "setup"},  # it runs what children wrote
                seconds=SETUP_SECONDS,
                output=output,
                patience=lambda: 0.0 if worker.stop.finish else math.inf,
            )
        except subprocess.TimeoutExpired:
            raise SessionError(f"the setup command {command!r} took over {SETUP_SECONDS} s; see {log}") from None
    if done.returncode != 0:
        raise SessionError(
            f"the setup command {command!r} ended with {done.returncode}; its output is in {log}, it ends:\n"
            f"{tail(log, _TAIL_BYTES)}\nmend it, then: samoloop resume {worker.session.name}"
        )
    return Setup(command=command, exit_code=0)


def ready_worktree(worker: Worker) -> None:
    """The worktree for the next child: one that was made again gets what `prepare` gave the first, and it is told."""
    if not worker.alone:
        mend_worktree(worker)
    if not worker.state.worktree_is_new:
        return
    worktree = worker.worktree
    lines = _include(worker, _repository(worker), worktree)
    setup = run_setup(worker, worktree)
    if setup:
        lines.append(f"the setup command ran: {setup.command}")
    for line in lines:
        worker.view.say(line)
    what = "; ".join(lines) or "nothing was copied or installed"
    note = f"The worktree was made anew from the branch {worktree.branch}, so all that git ignores is new: {what}."
    worker.session.record(WorktreeReady(notes=(note,), setup=setup))
    hold(worker.session)


def mend_worktree(worker: Worker) -> list[str]:
    """Make a worktree again that a child or a person removed; sentences that say so, none where all was well.

    Raises WorktreeGone where git has neither its branch nor a checkpoint.
    """
    worker.look_anew()
    state = worker.state
    if state.created.in_place:
        return []
    if state.worktree_is_new:  # no child has worked in it
        _repository(worker).clear_half_made(state.created.worktree)
    try:
        _ = worker.worktree
    except WorktreeGone as error:
        note = _make_again(worker, error)
        worker.view.say(note)
        return [note]
    return []


def _make_again(worker: Worker, gone: WorktreeGone) -> str:
    state, store = worker.state, worker.store
    root, branch = state.created.worktree, state.created.branch
    last = checkpoint.tip(store, worker.ref)
    head = last.head if last else store.ref(f"refs/heads/{branch}")
    if head is None:
        raise gone
    if root.is_dir() and any(root.iterdir()):
        note = _repository(worker).remember_worktree(root, branch, head)
        worker.session.record(WorktreeReady(notes=(note,)))
        return note
    if not state.worktree_is_new:
        worker.session.record(WorktreeNew(why=str(gone)))
    return _repository(worker).recreate_worktree(root, branch, last.code if last else head, head)


def _repository(worker: Worker) -> Repo:
    return Repo.find(worker.state.created.root)
