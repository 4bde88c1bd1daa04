"""What a child did to what the worker goes by: the journal is put right, what only looks like one is named, and so is a
program that git would run.
"""

from samoloop.core.control import strangers
from samoloop.core.evidence import Evidence, Weight
from samoloop.core.journal import JournalChanged
from samoloop.git import checkpoint
from samoloop.worker.stations import Finished
from samoloop.worker.worker import Worker

_NAMED, _LONGEST = 4, 300  # keys that a sentence names, and characters of each


def journal_findings(worker: Worker, finished: Finished) -> list[Evidence]:
    """A journal that is not what the worker wrote is a human's affair. A station of a worker."""
    session = worker.session
    if not session.journal.put_right():
        return []
    why = (
        f"the journal {session.journal.path} was changed while the child of iteration {finished.started.iteration} "
        "was at work; it is again what the worker wrote. Look at what that child did before you go on"
    )
    worker.view.say(why)
    return [Evidence("journal", Weight.BLOCK, why)]


def refuse_shortened(worker: Worker) -> None:
    """Raise JournalChanged for a journal that has not got what the last checkpoint says it had."""
    if not worker.config.commit or not worker.store.git_dir.is_dir():
        return  # there is no checkpoint, or none yet
    last = checkpoint.tip(worker.store, worker.ref)
    worker.kept = checkpoint.kept_bytes(last)
    journal = worker.session.journal
    if last and checkpoint.is_shorter(journal.content, last):
        raise JournalChanged(
            f"{journal.path} has not got all that it had at the checkpoint {last.oid[:12]} ({last.summary}): look who "
            f"changed it, then `samoloop repair {worker.session.name}` puts it right"
        )


def stranger_findings(worker: Worker, finished: Finished) -> list[Evidence]:
    """Files in the session folder with names of the worker's, which nobody reads. A station of a worker."""
    return [
        Evidence("strangers", Weight.NOTE, f"{name} in the session's folder is not the worker's, and nobody reads it")
        for name in strangers(worker.session.dir)
        if worker.session.control != worker.session.dir
    ]


def program_findings(worker: Worker, finished: Finished) -> list[Evidence]:
    """Filters and merge drivers that git's configuration names since the worker began. A station of a worker."""
    if worker.state.created.repo is None:
        return []  # in place git runs none
    unknown = (worker.worktree.git if finished.committed else worker.store).unknown_programs()
    if not unknown:
        return []
    named = "; ".join(f"{key} = {value}"[:_LONGEST] for key, value in sorted(unknown.items())[:_NAMED])
    more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
    why = (
        f"git's configuration is not what it was when the worker began, and samoloop runs no program that it did not "
        f"name then: {named}{more}. Put it back, or go on with it: samoloop resume {worker.session.name}"
    )
    return [Evidence("programs", Weight.BLOCK, why)]
