"""What git keeps of an iteration: the child's leftovers as a commit, session and code as a checkpoint."""

from collections.abc import Sequence

from samoloop.base.errors import SamoloopError
from samoloop.base.files import sha256
from samoloop.core.evidence import Evidence, Weight
from samoloop.core.records import Started
from samoloop.core.rules import Decision
from samoloop.git import checkpoint
from samoloop.git.commit import Committed, commit
from samoloop.git.compare import commits_between, diff_stat, patch
from samoloop.git.staging import A_PERSONS, A_SECRET
from samoloop.worker.stations import Finished
from samoloop.worker.worker import Worker
from samoloop.worker.worktrees import mend_worktree

_NAMED = 5  # files that a sentence names


def keep_work(worker: Worker, started: Started) -> Committed:
    """Commit what the child left, whatever state it left it in."""
    message = f"samoloop: {worker.session.undated}, iteration {started.iteration} ({started.phase})"
    worktree = worker.worktree
    return commit(
        worktree,
        message,
        since=started.head or worktree.snapshot().head,
        stashes=started.stashes,
    )


def content(worker: Worker, committed: Committed | None) -> str | None:
    """What the session consists of now, as one hash; None where that is not known because commits are off."""
    if committed is None:
        return None
    return sha256(f"{committed.snapshot.tree} {checkpoint.fingerprint(worker.session.dir)}")


def worth_a_look(committed: Committed | None, evidence: Sequence[Evidence]) -> tuple[str, ...]:
    """What a person is told of an iteration beside what follows from it: what git kept, and what was seen."""
    found = (
        [*committed.notes, *(f"{skipped.path}: {skipped.why}" for skipped in committed.skipped)] if committed else []
    )
    return tuple(dict.fromkeys([*found, *(seen.text for seen in evidence if seen.weight is Weight.NOTE)]))


def git_findings(worker: Worker, finished: Finished) -> list[Evidence]:
    """What git has to say to the next child; a branch that only a human can sort out blocks. A station of a worker."""
    committed = finished.committed
    if committed is None:
        return []
    blocks = [Evidence("git", Weight.BLOCK, committed.blocked)] if committed.blocked else []
    secrets = [f"{skipped.path}: {skipped.why}" for skipped in committed.skipped if skipped.why == A_SECRET]
    notes = [Evidence("git", Weight.NOTE, note) for note in (*committed.notes, *secrets[:_NAMED])]
    return [*blocks, *(Evidence("git", Weight.UNFINISHED, why) for why in _not_on_the_branch(committed)), *notes]


def _not_on_the_branch(committed: Committed) -> list[str]:
    """What the branch lacks of the worktree, with the way to mend it; a person's own file or a secret is not missed."""
    missed = [skipped for skipped in committed.skipped if skipped.why not in (A_PERSONS, A_SECRET)]
    if committed.unfinished or not missed:
        return list(committed.unfinished)
    named = "; ".join(f"{skipped.path[:200]}: {skipped.why[:300]}" for skipped in missed[:_NAMED])
    more = f" and {len(missed) - _NAMED} more" if len(missed) > _NAMED else ""
    return [f"Not in the branch: {named}{more}. Commit it, remove it, or let .gitignore name it."]


def keep_checkpoint(
    worker: Worker,
    started: Started,
    committed: Committed | None,
    line: bytes,
    decision: Decision,
    *,
    adopted: bool,
) -> None:
    """One checkpoint an iteration; after a crash it may have been made already."""
    if committed is None:
        return
    worktree, iteration, attempt = worker.worktree, started.iteration, started.attempt
    if adopted:
        last = checkpoint.tip(worker.store, worker.ref)
        worker.kept = checkpoint.kept_bytes(last)
        if last and (last.iteration, last.attempt) == (iteration, attempt):
            return
    made = checkpoint.make(
        worktree,
        worker.session.dir,
        worker.ref,
        committed.snapshot,
        summary=f"{iteration:03d} {started.phase}: {decision.kind}",
        journal=unkept(worker, line),
        iteration=iteration,
        attempt=attempt,
    )
    worker.kept = checkpoint.kept_bytes(made)
    if made.first:
        worker.view.say(f"{worker.ref} was deleted; the checkpoints start anew at iteration {iteration}")


def keep_present(worker: Worker, summary: str) -> None:
    """A checkpoint of session and code as they are between two iterations, unless commits are off."""
    if not worker.config.commit:
        return
    mend_worktree(worker)
    worktree, part = worker.worktree, unkept(worker)
    made = checkpoint.make(worktree, worker.session.dir, worker.ref, worktree.snapshot(), summary=summary, journal=part)
    worker.kept = checkpoint.kept_bytes(made)


def unkept(worker: Worker, line: bytes = b"") -> checkpoint.Part:
    """What of the journal goes into the next checkpoint, with the `line` that is to be written after it."""
    if worker.kept is None:
        worker.kept = checkpoint.kept_bytes(checkpoint.tip(worker.store, worker.ref))
    return checkpoint.Part(worker.session.journal.content, worker.kept, line)


def result(worker: Worker) -> tuple[list[tuple[str, str]], str]:
    """What the session's branch has beyond its base: commits (id, subject), oldest first, and `git diff --stat`."""
    created, store = worker.state.created, worker.store
    try:
        tip = store.ref(f"refs/heads/{created.branch}")
        if tip is None:
            return [], ""
        base = base_of(worker, tip)
        return commits_between(store, base, tip), diff_stat(store, base, tip)
    except SamoloopError:
        return [], ""


def code_so_far(worker: Worker) -> str:
    """All that the session has changed in the code, as a diff; as of its last checkpoint, uncommitted work included."""
    store = worker.store
    last = checkpoint.tip(store, worker.ref) if worker.config.commit else None
    return patch(store, base_of(worker, last.code), last.code) if last else ""


def base_of(worker: Worker, tip: str) -> str:
    """The commit that the session's work begins after; in place the first one of its own history. Raises GitError."""
    return worker.state.created.base or worker.store.line("rev-list", "--max-parents=0", tip).split()[0]
