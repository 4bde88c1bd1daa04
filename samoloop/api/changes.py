"""What a session has changed: in the code, in its own folder, and in its plan between two looks of a person."""

import difflib
from collections.abc import Mapping

from samoloop.api.assembly import onlooker
from samoloop.base.errors import SessionError
from samoloop.core import gates
from samoloop.core.records import GateOpened
from samoloop.core.session import Session
from samoloop.core.signals import GateKind
from samoloop.git import checkpoint
from samoloop.git.compare import around, diff_stat, patch
from samoloop.worker.keeping import base_of
from samoloop.worker.worker import Worker


def code(session: Session, environ: Mapping[str, str], iteration: int | None = None, *, stat: bool = False) -> str:
    """The code of the whole branch, uncommitted work of a child included, or what one iteration changed in it.

    Raises GitError for an iteration that is not there.
    """
    worker = onlooker(session, environ)
    if iteration is not None:
        before, target = around(worker.store, worker.ref, iteration)
        old, new = (before.code if before else target.code), target.code
    else:
        found = _newest_code(worker)
        if found is None:
            return ""
        old, new = base_of(worker, found), found
    return diff_stat(worker.store, old, new) if stat else patch(worker.store, old, new)


def _newest_code(worker: Worker) -> str | None:
    """The last snapshot, unless the branch has gone on since: a person may have put commits on it."""
    last = checkpoint.tip(worker.store, worker.ref) if worker.config.commit else None
    branch = worker.state.created.branch
    tip = worker.store.ref(f"refs/heads/{branch}") if branch and not worker.state.created.in_place else None
    return last.code if last and tip in (None, last.head, last.code) else tip


def own_files(session: Session, environ: Mapping[str, str], iteration: int | None = None, *, stat: bool = False) -> str:
    """The files of the session itself, since it began or in one iteration, named as they lie in the project."""
    worker = onlooker(session, environ)
    if iteration is not None:
        before, target = around(worker.store, worker.ref, iteration)
    else:
        before, last = None, checkpoint.tip(worker.store, worker.ref)
        if last is None:
            return ""
        target = last
    old = before.tree if before else worker.store.line("mktree")
    root = worker.state.created.root
    folder = session.dir.relative_to(root) if session.dir.is_relative_to(root) else session.dir.name
    return diff_stat(worker.store, old, target.tree) if stat else patch(worker.store, old, target.tree, f"{folder}/")


def plan(session: Session, environ: Mapping[str, str]) -> list[str]:
    """The lines of a patch between the plan that was shown last and the one before it, or what it has become since.

    Raises SessionError where no plan was shown.
    """
    worker = onlooker(session, environ)
    shown: list[tuple[str, str]] = []  # name, text
    for record in session.journal.read():
        if isinstance(record, GateOpened) and record.gate.kind is GateKind.PLAN_APPROVAL and record.gate.file:
            _put(shown, record.gate.file, _as_of(worker, record.gate.iteration, record.gate.file))
    if not shown:
        raise SessionError(f"{session.name} has shown no plan yet")
    name = shown[-1][0]
    if len(shown) < 2 or session.state().gate is None:
        _put(shown, name, gates.read_text(session.dir / name))
    (old, before), (new, after) = shown[-2:] if len(shown) > 1 else (shown[0], shown[0])
    return list(difflib.unified_diff(before.splitlines(), after.splitlines(), old, new, lineterm=""))


def _put(shown: list[tuple[str, str]], name: str, text: str | None) -> None:
    if text is not None and (not shown or shown[-1][1] != text):
        shown.append((name, text))


def _as_of(worker: Worker, iteration: int, name: str) -> str | None:
    """A file of the session as it was when the iteration ended."""
    last = next((one for one in checkpoint.timeline(worker.store, worker.ref) if one.iteration == iteration), None)
    found = checkpoint.read(worker.store, last.oid, name) if last else None
    return found.decode(errors="replace") if found is not None else None
