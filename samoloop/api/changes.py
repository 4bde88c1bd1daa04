"""What a session has changed: in the code, in its own folder, and in its plan between two looks of a person."""

import difflib
from collections.abc import Iterator, Mapping, Sequence

from samoloop.api.assembly import onlooker
from samoloop.base.errors import SessionError
from samoloop.base.values import frozen
from samoloop.core import gates
from samoloop.core.records import GateOpened
from samoloop.core.session import Session
from samoloop.core.signals import GateKind
from samoloop.git import checkpoint
from samoloop.git.calls import Git
from samoloop.git.compare import Changed, around, changed_files, diff_stat, patch, patch_of
from samoloop.worker.keeping import base_of
from samoloop.worker.worker import Worker

_AT_ONCE = 10  # files of a patch


def code(session: Session, environ: Mapping[str, str], iteration: int | None = None, *, stat: bool = False) -> str:
    """The code of the whole branch, uncommitted work of a child included, or what one iteration changed in it.

    Raises GitError for an iteration that is not there.
    """
    found = _compared(session, environ, iteration)
    return "" if found is None else diff_stat(*found) if stat else patch(*found)


@frozen
class Change:
    """What a branch or an iteration changed, file by file, so that nobody has to hold all of it."""

    files: tuple[Changed, ...]
    compared: tuple[Git, str, str] | None

    def patches(self, files: Sequence[Changed]) -> Iterator[str]:
        """The patch of some of its files, in pieces of a few files each."""
        if self.compared:
            store, old, new = self.compared
            for start in range(0, len(files), _AT_ONCE):
                yield patch_of(store, old, new, files[start : start + _AT_ONCE])


def by_file(session: Session, environ: Mapping[str, str], iteration: int | None = None) -> Change:
    """The code as `code` compares it. Raises GitError for an iteration that is not there."""
    found = _compared(session, environ, iteration)
    return Change(tuple(changed_files(*found)) if found else (), found)


def _compared(session: Session, environ: Mapping[str, str], iteration: int | None) -> tuple[Git, str, str] | None:
    """The repository, and the two commits between which the code of the branch or of an iteration lies."""
    worker = onlooker(session, environ)
    if iteration is not None:
        before, target = around(worker.store, worker.ref, iteration)
        return worker.store, (before.code if before else target.code), target.code
    found = _newest_code(worker)
    return None if found is None else (worker.store, base_of(worker, found), found)


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
