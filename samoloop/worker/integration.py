"""What other sessions did and a child has to merge first, in a session that builds on several of them."""

from pathlib import Path

from samoloop.base.errors import SamoloopError
from samoloop.base.printable import one_line
from samoloop.core.evidence import Evidence, Weight
from samoloop.core.records import Merge
from samoloop.core.session import Session
from samoloop.core.workflow import INTEGRATION
from samoloop.worker.stations import Finished
from samoloop.worker.worker import Worker

_SAID = 300  # characters of a task, and of a summary


def integration_part(worker: Worker) -> str:
    """For a child of the phase `integration`: what is to be merged, and what it was for. A station of a worker."""
    backlog = worker.state.created.backlog
    if backlog is None or worker.state.phase != INTEGRATION:
        return ""
    sessions = worker.session.dir.parent
    return "\n".join(["## To be merged", "", *(_line(merge, sessions) for merge in backlog.merges)])


def _line(merge: Merge, sessions: Path) -> str:
    start = f"- `{merge.commit}` (`{merge.branch}`)"
    try:
        state = Session(sessions / merge.session).state()
    except (SamoloopError, OSError):  # it was put away meanwhile; or it is a revision that the task names
        return start
    made = f"; what it did: {one_line(state.summary, _SAID)}" if state.summary else ""
    return f"{start}: {one_line(state.created.title, _SAID)}{made}; its session folder: `{sessions / merge.session}`"


def integration_findings(worker: Worker, finished: Finished) -> list[Evidence]:
    """The phase is not left before all of it is in the branch. A station of a worker."""
    backlog = worker.state.created.backlog
    if backlog is None or finished.started.phase != INTEGRATION or not finished.leaves() or finished.committed is None:
        return []
    head = finished.committed.snapshot.head
    missing = [merge for merge in backlog.merges if not _is_in(worker, merge.commit, head)]
    if not missing:
        return []
    named = ", ".join(f"{merge.branch} ({merge.commit[:12]})" for merge in missing)
    return [Evidence(INTEGRATION, Weight.VETO, f"Not merged into the branch yet: {named}.")]


def _is_in(worker: Worker, commit: str, head: str) -> bool:
    return worker.store.call("merge-base", "--is-ancestor", commit, head).returncode == 0
