"""Session folder, worktree and repository must stay what they were: looked at before anything is done in them."""

import os
from collections.abc import Mapping
from pathlib import Path

from samoloop.base.errors import SessionError
from samoloop.base.files import is_own
from samoloop.core.control import PRIVATE
from samoloop.core.records import Rooted
from samoloop.core.roots import Root, RootChanged, differences
from samoloop.core.session import Session

SESSION, WORKTREE, REPOSITORY = "session folder", "worktree", "repository"


def hold(session: Session) -> None:
    """Refuse folders that are not what they were, and remember those that are seen for the first time.

    The caller holds the session's lease. Raises RootChanged.
    """
    if fresh := check(session):
        session.record(Rooted(roots=fresh))


def check(session: Session) -> dict[str, Root]:
    """Refuse folders that are not what they were; returns those that are not known yet. Raises RootChanged."""
    return _compare(session, session.state().roots)


def take_anew(session: Session) -> dict[str, Root]:
    """Remember the folders as they are now, on a person's word; returns those that were others. Raises RootChanged."""
    known = session.state().roots
    changed = {name: root for name, root in _compare(session, {}).items() if known.get(name) != root}
    if changed:
        session.record(Rooted(roots=changed))
    return changed


def _compare(session: Session, known: Mapping[str, Root]) -> dict[str, Root]:
    state = session.state()
    created = state.created
    folders = {SESSION: session.dir, WORKTREE: created.worktree}
    if created.repo is not None:
        folders[REPOSITORY] = created.repo
    fresh, wrong = differences(known, folders)
    if (state.worktree_is_new or state.prepared is None) and not created.in_place:
        fresh.pop(WORKTREE, None)  # it may be half made, and is made again then
    wrong += [f"{path} is a link, or has another name elsewhere" for path in _links(session)]
    if wrong:
        raise RootChanged(f"{'; '.join(wrong)}: nothing was touched there. {_way_out(session, wrong)}")
    return fresh


def refuse_another(session: Session) -> None:
    """Raise RootChanged where the session folder is not the one that it was, SessionError where it is gone."""
    if not session.dir.is_symlink() and not session.dir.is_dir():
        raise SessionError(f"the session's folder {session.dir} is gone; its journal is {session.journal.path}")
    known = session.state().roots if session.journal.path.exists() else {}
    _, wrong = differences(known, {SESSION: session.dir})
    if wrong:
        raise RootChanged(f"{wrong[0]}: nothing was touched there. {_way_out(session, wrong)}")


def refuse_led_away(git_dir: Path, branch: str) -> None:
    """Raise RootChanged where git would write a branch or its log elsewhere than into the repository."""
    for path in _led_away(git_dir, branch):
        raise RootChanged(f"{path} is a link, or has another name elsewhere: look what it is, and remove it")


def _links(session: Session) -> list[Path]:
    """What a child laid in the place of folders that belong to these; where one of files lies, it is mended."""
    created = session.state().created
    if created.repo is None:
        private = session.control / PRIVATE
        return [private] if private.is_symlink() else _led_away(private, created.branch)
    return _led_away(created.repo, created.branch)


def _led_away(git_dir: Path, branch: str) -> list[Path]:
    """Links on the way to what git writes for a session, and a log of its branch that has another name elsewhere."""
    parts = branch.split("/")
    heads = ["/".join(("refs/heads", *parts[: n + 1])) for n in range(len(parts))]
    places = ["worktrees", "refs/samoloop", "refs/samoloop/sessions", *heads, *(f"logs/{head}" for head in heads)]
    linked = [git_dir / name for name in places if os.path.islink(f"{git_dir}/{name}")]  # noqa: PTH114 - no object for each
    log = git_dir / "logs" / heads[-1]
    return linked or ([log] if log.is_file() and not is_own(log) else [])


def _way_out(session: Session, wrong: list[str]) -> str:
    way = "Put back what was there"
    if any(sentence.startswith(f"the {WORKTREE}") for sentence in wrong) and not session.state().created.in_place:
        way = f"Move {session.worktree} away and the worktree is made anew from {session.branch}"
    return f"{way}; or, if it is you who changed it: samoloop repair {session.name}"
