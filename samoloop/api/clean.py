"""What is left of sessions that are over: which worktrees and branches can go without a loss, and why the others stay.

A branch goes only where all its commits are in the default branch, the one that it started from, the one that the
person is on, or at a remote; a worktree only where nothing is in it that its branch does not have. What cannot be told
stays.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from samoloop.api.assembly import onlooker
from samoloop.api.hand_off import AS_IT_IS
from samoloop.api.status import at_work
from samoloop.base import errors
from samoloop.base.errors import SamoloopError
from samoloop.base.values import frozen
from samoloop.config import loading
from samoloop.config.loading import Config
from samoloop.core.decision import Condition
from samoloop.core.records import Archived
from samoloop.core.session import Session, all_sessions
from samoloop.git import surroundings
from samoloop.git.repo import Repo
from samoloop.git.worktree import checked_out
from samoloop.worker.lease import locked
from samoloop.worker.roots import check
from samoloop.worker.worker import Worker


@frozen
class Left:
    """What a session left, or nobody that is known."""

    name: str  # of the session; of the branch, or of the folder, where there is none
    why: str  # it can go, or stays
    worktree: Path | None = None  # that can go
    branch: str = ""  # that can go
    tip: str = ""  # of that branch

    @property
    def goes(self) -> bool:
        return bool(self.worktree or self.branch)


class Stays(Exception):
    """Why something is left where it is."""


def look(root: Path, environ: Mapping[str, str]) -> list[Left]:
    """All that is left in the project, what can go first. Raises SamoloopError."""
    config, repo = loading.load(root, environ), Repo.find(root)
    sessions = all_sessions(config.sessions_dir)
    found = [left for session in sessions if (left := _of(session, repo, environ))]
    found += _of_nobody(sessions, config, repo)
    return sorted(found, key=lambda left: not left.goes)


def remove(root: Path, environ: Mapping[str, str], by: str) -> Iterator[str]:
    """Remove what can go; a sentence for each as it is done. Each is looked at again, with its session held."""
    repo = Repo.find(root)
    for left in look(root, environ):
        if not left.goes:
            continue
        session = Session(loading.load(root, environ).sessions_dir / left.name)
        try:
            with locked(session):
                now = _of(session, repo, environ, held=True)
                if now and now.goes:
                    yield _remove(session, repo, now, environ, by)
                elif now:
                    yield f"{left.name} stays: {now.why}"
        except (SamoloopError, OSError) as error:
            yield f"{left.name} stays: {errors.sentence(error)}"


def _remove(session: Session, repo: Repo, left: Left, environ: Mapping[str, str], by: str) -> str:
    parts = []
    if left.worktree:
        onlooker(session, environ).worktree.remove()
        session.record(Archived(by=by))
        parts.append(f"the worktree {left.worktree}")
    if left.branch:
        repo.store.run("update-ref", "-d", f"refs/heads/{left.branch}", left.tip)
        parts.append(f"the branch {left.branch} (it was at {left.tip[:12]})")
    return f"Removed of {left.name}: {' and '.join(parts)}"


def _of(session: Session, repo: Repo, environ: Mapping[str, str], *, held: bool = False) -> Left | None:
    """What a session left; None where that is nothing."""
    try:
        created = session.state().created
        if created.in_place or created.repo is None:
            return None
        worktree = created.worktree if created.worktree.exists() else None
        tip = repo.store.ref(f"refs/heads/{created.branch}") or ""
        if worktree is None and not tip:
            return None
        return _judged(onlooker(session, environ), repo, Left(session.name, "", worktree, created.branch, tip), held)
    except Stays as why:
        return Left(session.name, str(why))
    except (SamoloopError, OSError) as error:
        return Left(session.name, errors.sentence(error))


def _judged(worker: Worker, repo: Repo, left: Left, held: bool) -> Left | None:
    """What of it can go. Raises Stays, and SamoloopError where it cannot be told."""
    session, state = worker.session, worker.state
    if not held and at_work(session):
        raise Stays("it is at work")
    if state.condition is not Condition.DONE and not state.archived:
        raise Stays(f"it is not finished ({state.condition} in {state.phase})")
    if not left.tip:
        raise Stays(f"its branch {left.branch} is gone, and with it what the worktree could be compared with")
    check(session)
    inside = _holds(worker, repo, left.tip)
    if not inside:
        raise Stays(f"{left.branch} has commits that are in no other branch, here or at a remote")
    if not (state.archived or inside in _homes(worker, repo)):
        raise Stays(f"it is neither archived nor merged; its commits are in {inside} alone")
    if left.worktree:
        _refuse_unclean(worker, left)
    elsewhere = checked_out(repo.git_dir, f"refs/heads/{left.branch}", worker.worktree if left.worktree else None)
    if elsewhere:
        raise Stays(f"{left.branch} is checked out in {elsewhere}")
    if state.created.found or state.created.start == AS_IT_IS:  # the branch is the person's
        return replace(left, branch="", why="its worktree is clean; the branch is yours") if left.worktree else None
    return replace(left, why=f"its commits are in {inside}")


def _refuse_unclean(worker: Worker, left: Left) -> None:
    now = worker.worktree.state()
    if now.operation:
        raise Stays(f"a {now.operation} is in progress in {left.worktree}")
    if now.changed:
        raise Stays(f"uncommitted in {left.worktree}: {now.changed} file{'s' * (now.changed > 1)}")
    if now.head != left.tip:
        raise Stays(f"{left.worktree} is not at the tip of {left.branch}")


def _homes(worker: Worker, repo: Repo) -> list[str]:
    """The branches to which its work was to come: the default one, the one that it started from, the one that the
    person is on. By short name, here and at the remotes."""
    start, present = worker.state.created.start.partition(",")[0], surroundings.head(repo.git_dir)
    found = (repo.default_branch(), start, present.removeprefix("refs/heads/"))
    names = list(dict.fromkeys(name for name in found if name and name != worker.session.branch))
    remotes = repo.store.line("remote").split()
    return [*names, *(f"{remote}/{name}" for remote in remotes for name in names)]


def _holds(worker: Worker, repo: Repo, tip: str) -> str:
    """A branch that has all commits of the session's: one of its homes, else one at a remote; empty for none."""
    words = ("for-each-ref", "--contains", tip, "--format=%(refname:lstrip=2)")
    homes = _homes(worker, repo)
    here = [name for name in repo.store.line(*words, "refs/heads/", "refs/remotes/").splitlines() if name in homes]
    there = repo.store.line(*words, "refs/remotes/").splitlines()
    return next(iter([*here, *there]), "")


def _of_nobody(sessions: list[Session], config: Config, repo: Repo) -> Iterator[Left]:
    """Worktrees and branches with a session's name, of which no session is known."""
    names = {session.name for session in sessions}
    folders = sorted(config.worktrees_dir.iterdir()) if config.worktrees_dir.is_dir() else []
    for folder in folders:
        if folder.is_dir() and folder.name not in names and not folder.name.startswith("."):
            yield Left(str(folder), "no session here has it: look what it is, then `git worktree remove` takes it")
    known = set()
    for session in sessions:
        try:
            known.add(session.branch)
        except (SamoloopError, OSError):
            return  # its branch cannot be told from one of nobody's
    listed = repo.store.line("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads/").splitlines()
    for branch in listed:
        if branch.startswith(config.branch_prefix) and branch not in known:
            yield Left(branch, "no session here has it: look at it, then `git branch -d` takes it where it is merged")
