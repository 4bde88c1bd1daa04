"""A task of the backlog becomes a session: on the branch of the one before it, or on what several of them made.

What git can merge without a choice is merged; the rest is the first action of a child in that session. Nothing is
chosen here: a branch that is gone, with work that is nowhere else, is said, and the task waits.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from samoloop.api import hand_off
from samoloop.api.asked import Order, Wishes
from samoloop.api.backlog import Found, narrowed, settings_of
from samoloop.base.errors import UsageError
from samoloop.base.values import frozen
from samoloop.config import loading
from samoloop.config.project import sessions_folder
from samoloop.core.backlog import Stands
from samoloop.core.records import FromBacklog, Merge
from samoloop.core.session import Session
from samoloop.git import joining
from samoloop.git.repo import Repo


@frozen
class Ground:
    """What a session starts on, and what it has to merge first."""

    base: str = ""  # a revision; empty: by the settings
    called: str = ""  # what a person calls it
    merges: tuple[Merge, ...] = ()
    notes: tuple[str, ...] = ()  # clauses for a person


def start(found: Found, stands: Stands, environ: Mapping[str, str], mark: str = "") -> tuple[Session, tuple[str, ...]]:
    """The session of a task that is ready, and what is to be said of it; with the `mark` of a fleet it is to be the
    fleet's. No child starts.

    It may be asked for again and by several at once: there is one session. Raises SamoloopError, with nothing made.
    """
    task = stands.task
    if task is None:
        raise UsageError(f"{stands.name} cannot be used: {stands.why}")
    finish, note = narrowed(task, loading.load(found.root, environ).finish)
    ground = ground_of(found.root, stands, [found.session_of(name) for name in task.after], environ)
    link = FromBacklog(task=task.name, due=stands.at if task.every and stands.at else 0.0, merges=ground.merges)
    order = Order(
        found.root,
        task.text,
        Wishes(workflow=task.workflow),
        base=ground.base,
        called=ground.called,
        name=task.name,
        said=settings_of(task) | ({"finish": str(finish)} if finish else {}),
        backlog=link,
        elsewhere=bool(mark),
        mark=mark,
    )
    return hand_off.hand_off(order, environ), (*ground.notes, *([note] if note else []))


def ground_of(root: Path, stands: Stands, before: Sequence[str], environ: Mapping[str, str]) -> Ground:
    """On what the task starts, whose `before` are the sessions that it waited for."""
    task = stands.task
    base = task.base if task and task.base else ""
    if not before:
        return Ground(base)
    repo, folder = Repo.find(root), sessions_folder(root, environ)
    usual = base or loading.load(root, environ).base
    known = repo.store.resolve("HEAD" if usual == hand_off.FETCH else usual) or repo.resolve("HEAD")
    tips, notes = [], []
    for name in before:
        tip, note = _tip(repo, Session(folder / name), known)
        tips += [tip] if tip else []
        notes += [note] if note else []
    if not tips:
        return Ground(base, notes=tuple(notes))
    if base:
        tips = [Merge(session="", branch=usual, commit=repo.resolve(usual)), *tips]
    joined = joining.join(repo, [tip.commit for tip in tips], [tip.branch for tip in tips])
    left = tuple(tip for tip in tips if tip.commit in joined.left)
    called = " and ".join(dict.fromkeys(tip.branch for tip in tips if tip not in left))
    if left:
        notes.append(f"a child merges {', '.join(tip.branch for tip in left)} first, which git cannot do by itself")
    return Ground(joined.commit, called, left, tuple(notes))


def _tip(repo: Repo, session: Session, base: str) -> tuple[Merge | None, str]:
    """What a session left: None where the commit `base` holds it, and a clause where a person should know."""
    state = session.state()
    if state.created.in_place:
        return None, f"{session.name} worked in place, so what it left is in no branch"
    head, branch = state.ended.head if state.ended else None, session.branch
    tip = repo.store.ref(f"refs/heads/{branch}")
    if tip is None:
        if head is None or joining.is_in(repo, head, base):
            return None, ""
        if other := joining.branch_with(repo, head):
            note = f"the branch {branch} of {session.name} is gone, and its work is taken from {other}"
            return Merge(session=session.name, branch=other, commit=head), note
        raise UsageError(
            f"the branch {branch} of {session.name} is gone, and its work is in no other: `git branch {branch} "
            f"{head[:12]}` brings it back; where it was squashed or is unwanted, take {session.undated} out of `after`"
        )
    if joining.is_in(repo, tip, base):
        return None, ""
    rewritten = head is not None and not joining.is_in(repo, head, tip)
    note = f"the branch {branch} was rewritten since {session.name} was done, and is taken as it is now"
    return Merge(session=session.name, branch=branch, commit=tip), note if rewritten else ""
