"""A session's worktree: made, furnished with what a fresh one lacks, and made again where it is gone."""

import subprocess
from pathlib import Path
from typing import Any

from samoloop.base.effects import effect
from samoloop.base.errors import SessionError
from samoloop.config.loading import Config
from samoloop.git import checkpoint
from samoloop.git.included import copy_included
from samoloop.git.repo import Repo
from samoloop.git.worktree import Worktree, WorktreeGone
from samoloop.worker.report import tail
from samoloop.worker.worker import Worker

SETUP_SECONDS = 1800
_TAIL_BYTES = 2000
_NAMES_SHOWN = 10


def make_worktree(worker: Worker) -> tuple[Worktree, list[str]]:
    created = worker.state.created
    if created["in_place"]:
        return worker.worktree, [
            f"working in place in {created['worktree']}; its history is kept in {worker.private_repository}"
        ]
    repo = Repo.find(Path(created["root"]))
    repo.exclude(_excluded(worker.config))
    root = Path(created["worktree"])
    root.parent.mkdir(parents=True, exist_ok=True)
    line = repo.head_line(created["base"])
    worktree = repo.add_worktree(root, created["branch"], created["base"])
    return worktree, [f"branch {created['branch']} {line}", *_include(worker, repo, worktree)]


def _include(worker: Worker, repo: Repo, worktree: Worktree) -> list[str]:
    """Copy what `.worktreeinclude` names, and say it."""
    included = copy_included(repo, worktree, [worker.config.sessions_dir, worker.config.worktrees_dir])
    said = {"copied by .worktreeinclude": included.copied, "not copied, because git does not ignore it": included.left}
    return [f"{what}: {_some(names)}" for what, names in said.items() if names]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more


def _excluded(config: Config) -> list[str]:
    """Folders of ours inside the repository, which git must never show or commit."""
    places = [config.sessions_dir, config.worktrees_dir]
    return [f"/{place.relative_to(config.root).as_posix()}/" for place in places if place.is_relative_to(config.root)]


def run_setup(worker: Worker, worktree: Worktree) -> dict[str, Any] | None:
    """The project's own command for a fresh worktree, once, its output logged."""
    command = worker.config.setup
    if not command or worker.state.created["in_place"]:
        return None
    worker.view.say(f"setup: {command}")
    log = worker.session.logs / "000-init.log"
    with effect("run setup"), log.open("wb") as output:
        try:
            done = subprocess.run(
                ["sh", "-c", command],
                cwd=worktree.root,
                env=worker.child_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=SETUP_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise SessionError(f"the setup command {command!r} took over {SETUP_SECONDS} s; see {log}") from None
    if done.returncode != 0:
        raise SessionError(
            f"the setup command {command!r} ended with {done.returncode}; its output is in {log}, it ends:\n"
            f"{tail(log, _TAIL_BYTES)}\nmend it, then: samoloop resume {worker.session.name}"
        )
    return {"command": command, "exit_code": 0}


def mend_worktree(worker: Worker) -> list[str]:
    """Make a worktree again that a child or a person removed; sentences that say so, none where all was well."""
    if not worker.config.commit:
        return []
    try:
        _ = worker.worktree
    except WorktreeGone:
        created = worker.state.created
        if created.get("in_place"):
            raise
        repo = Repo.find(Path(created["root"]))
        gone = Worktree(Path(created["worktree"]), repo.git_dir, repo.git_dir, created["branch"])
        last = checkpoint.tip(gone, worker.ref)
        if last is None:
            raise
        _, note = repo.recreate_worktree(gone.root, gone.branch, last.code, last.head)
        return [note]
    return []
