"""What a child did to the worker's own files: the journal is put right, and what only looks like one is named."""

from samoloop.core.control import strangers
from samoloop.core.evidence import Evidence, Weight
from samoloop.worker.stations import Finished
from samoloop.worker.worker import Worker


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


def stranger_findings(worker: Worker, finished: Finished) -> list[Evidence]:
    """Files in the session folder with names of the worker's, which nobody reads. A station of a worker."""
    return [
        Evidence("strangers", Weight.NOTE, f"{name} in the session's folder is not the worker's, and nobody reads it")
        for name in strangers(worker.session.dir)
        if worker.session.control != worker.session.dir
    ]
