"""A list of tasks that a person approved becomes files in the backlog. The worker writes them, no child does."""

from collections.abc import Mapping

from samoloop.base.clock import local_zone
from samoloop.base.errors import SessionError, UsageError
from samoloop.checks import breakdown
from samoloop.checks.breakdown import Wanted
from samoloop.checks.lived import approval, lived
from samoloop.checks.plan import approved_plan
from samoloop.config import task_files, workflow_files
from samoloop.config.project import sessions_folder
from samoloop.core import gates, signals
from samoloop.core.decision import Decision
from samoloop.core.evidence import Evidence, Weight
from samoloop.core.records import GateOpened, RoomRecord
from samoloop.core.session import all_sessions
from samoloop.core.signals import GateKind, Signal
from samoloop.worker.report import FILLED
from samoloop.worker.stations import Finished
from samoloop.worker.worker import Worker

_SOURCE = "plan"


def breakdown_findings(worker: Worker, finished: Finished) -> list[Evidence]:
    """What keeps a list from becoming a backlog, before a person is asked to approve it. A station of a worker."""
    wanted, phase = finished.wanted, worker.state.live_workflow.phase(finished.started.phase)
    if not phase.backlog or wanted is None or wanted.gate is not GateKind.PLAN_APPROVAL:
        return []
    signal = signals.read(worker.session.dir / signals.FILE_NAME)
    if isinstance(signal, Signal):
        signal = gates.completed(signal, worker.session.dir, finished.started.time)
    name = signal.file or "" if isinstance(signal, Signal) else ""
    path = gates.behaviour(GateKind.PLAN_APPROVAL).named(name, worker.session.dir, worker.session.worktree)
    found = _faults(worker, breakdown.tasks((gates.read_text(path) or "") if path else ""))
    if not found:
        return []
    why = f"The list {name} cannot become a backlog: {breakdown.in_words(found)}. Mend the file and ask again."
    return [Evidence(_SOURCE, Weight.VETO, why)]


def fill_backlog(worker: Worker) -> Decision | None:
    """Write the tasks of a list that was approved, once. A station of a worker, before a child.

    Raises SessionError where the approved text is lost, or the backlog cannot take a task any more. What a worker that
    was killed has written already is taken as it is.
    """
    workflow = worker.state.live_workflow
    making = next((phase.name for phase in workflow.phases if phase.backlog), None)
    if making is None or workflow.names.index(worker.state.phase) <= workflow.names.index(making):
        return None
    records = lived(worker.session.journal)
    asked = {record.gate.id for record in records if isinstance(record, GateOpened) and record.gate.phase == making}
    closed = approval(records)  # the last one, which may be of a plan that came later
    if closed is None or closed.gate not in asked:
        return None
    digest = closed.sha256
    made = (
        record.values.get("sha256") for record in records if isinstance(record, RoomRecord) and record.name == FILLED
    )
    if digest in made:
        return None
    text = approved_plan(worker)
    if text is None:
        raise SessionError(f"the text of {closed.file} as it was approved is not known any more: go back and ask again")
    wanted = breakdown.in_order(breakdown.tasks(text))
    for task in wanted:
        _write(worker, task)
    names = [task.name for task in wanted]
    worker.session.record(RoomRecord(name=FILLED, values={"file": closed.file, "sha256": digest, "names": names}))
    worker.view.say(f"{len(names)} tasks are in the backlog: {', '.join(names)}. samoloop backlog shows them")
    return None


def _write(worker: Worker, task: Wanted) -> None:
    from samoloop.api import backlog  # few workers fill one

    root = worker.config.root
    content = task_files.written(task.text, task.keys)
    try:
        known = task_files.read_task(task_files.path_of(root, task.name), local_zone())
    except (ValueError, OSError):
        known = None
    if known is not None and (known.text, known.after) == (task.text, task.after):
        return
    try:
        backlog.add(root, content, worker.environ, worker.clock.epoch(), name=task.name)
    except UsageError as error:
        raise SessionError(f"{task.name} of the approved list cannot be put into the backlog: {error}") from None


def _faults(worker: Worker, wanted: list[Wanted]) -> list[str]:
    root = worker.config.root
    files = task_files.read(root, local_zone())
    sessions = {name for one in all_sessions(sessions_folder(root, worker.environ)) for name in (one.name, one.undated)}
    taken: Mapping[str, str] = {name: task.text for name, task in files.tasks.items()} | dict.fromkeys(files.faults, "")
    return breakdown.faults(wanted, workflow_files.names(root), sessions, taken)
