"""Slow checks of the base, run while the first children work: one after the other, in a copy that no child reaches.

The worker that began them ends them with itself. What is left of them where it was killed the next one ends; they are
run again when that matters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from samoloop.base import programs
from samoloop.base.durations import format_seconds
from samoloop.base.effects import effect
from samoloop.base.errors import ProviderError, SamoloopError, sentence
from samoloop.base.files import remove, sha256
from samoloop.base.locks import is_held
from samoloop.base.values import frozen
from samoloop.checks import copies, running
from samoloop.checks.check import Check
from samoloop.checks.running import Job, Ran
from samoloop.children.stop import StopRequest
from samoloop.core.control import BASE_LOCK
from samoloop.worker.worker import Worker

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

COPIED_BYTES = 2_000_000_000  # of a worktree; what is larger would hold up the first child
_LOOK_SECONDS = 0.25  # between two looks whether the worker shall stop


@frozen
class _Runs:
    """What a worker has at work, in a thread: there each run is awaited, bounded and swept like any other."""

    thread: ThreadPoolExecutor
    stop: StopRequest
    runs: list[tuple[Check, Future[Ran]]]  # in their order


_at_work: dict[Path, _Runs] = {}  # by session folder


def begin(worker: Worker, checks: Sequence[Check], job: Callable[[Check, Path], Job]) -> str:
    """Run these; `job` tells how, given the copy. Why that cannot be: empty where they run."""
    copy = _copy(worker)
    if not copies.can_be_made():
        return "there is no bubblewrap that makes copies"
    if worker.state.created.in_place:
        return "the folder of a session in place is not copied"
    try:
        with effect("copy base"):
            copies.keep(worker.worktree.root, copy, COPIED_BYTES)
        jobs = [job(check, copy) for check in checks]
    except (SamoloopError, OSError) as error:
        _remove(worker)
        return sentence(error)
    from concurrent.futures import ThreadPoolExecutor  # only here: few sessions need it

    thread, stop = ThreadPoolExecutor(1, "base"), StopRequest()
    runs = [(check, thread.submit(_run, job, stop)) for check, job in zip(checks, jobs, strict=True)]
    _at_work[worker.session.dir] = _Runs(thread, stop, runs)
    return ""


def _run(job: Job, stop: StopRequest) -> Ran:
    try:
        return running.run(job, stop)
    except (ProviderError, OSError):
        return running.lost(job.stem)  # it is run where it is needed, which says what is the matter


def are_at_work(worker: Worker) -> bool:
    return worker.session.dir in _at_work


def ended(worker: Worker) -> list[tuple[Check, Ran]]:
    """What has ended since one last asked, with what came of it."""
    at_work = _at_work.get(worker.session.dir)
    if at_work is None:
        return []
    done = [(check, run) for check, run in at_work.runs if run.done()]
    at_work.runs[:] = [(check, run) for check, run in at_work.runs if not run.done()]
    if not at_work.runs:
        end(worker)
    found = [(check, run.result()) for check, run in done if not run.cancelled()]
    return [(check, ran) for check, ran in found if not ran.is_lost]


def wait_for(worker: Worker) -> list[tuple[Check, Ran]]:
    """What has ended, after the one that runs now, within its limit; those after it are not begun any more.

    Two checks of a session never run at once: they may want the same port or the same database. Raises Cut where the
    worker shall stop.
    """
    from concurrent.futures import wait

    at_work = _at_work.get(worker.session.dir)
    if at_work is None:
        return []
    for check, run in [pair for pair in reversed(at_work.runs) if not pair[1].cancel() and not pair[1].done()]:
        limit = format_seconds(check.seconds)
        worker.view.say(f"check {check.name} is still at work at the base: waiting for it, {limit} in all at most")
        while not run.done():
            if worker.stop.now:
                end(worker)
                raise programs.Cut(f"the check {check.name} was ended, because samoloop was asked to stop")
            wait([run], _LOOK_SECONDS)
    return ended(worker)


def end(worker: Worker) -> None:
    """End what is at work: nobody needs it any more, or this worker ends."""
    if at_work := _at_work.pop(worker.session.dir, None):
        at_work.stop.ask_now()
        at_work.thread.shutdown(cancel_futures=True)
        _remove(worker)


def clear(worker: Worker) -> None:
    """End and remove what is left of those of a worker that was killed."""
    if are_at_work(worker):
        return
    lock = worker.session.control / BASE_LOCK
    if is_held(lock):
        running.end_left(marker(worker), lock)
    if _copy(worker).exists():
        _remove(worker)


def marker(worker: Worker) -> str:
    return f"base-{sha256(str(worker.session.dir))[:16]}"


def _copy(worker: Worker) -> Path:
    return worker.config.worktrees_dir / f".{worker.session.name}-base"


def _remove(worker: Worker) -> None:
    with effect("remove copy of base"):
        remove(_copy(worker))
