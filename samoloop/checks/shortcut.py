"""The shortcut guard: testing and review are walked around only by a change of text, or of what they have seen."""

from collections.abc import Mapping, Sequence

from samoloop.checks.lived import lived
from samoloop.checks.paths import is_text
from samoloop.core.evidence import Evidence, Weight
from samoloop.core.records import Ended
from samoloop.core.rules import leaves
from samoloop.core.workflow import Workflow
from samoloop.git.compare import changed_paths
from samoloop.worker.keeping import base_of
from samoloop.worker.stations import Finished
from samoloop.worker.worker import Worker

SOURCE = "shortcut"
JUDGES = frozenset({"testing", "review"})  # kinds of documents of phases that judge the work


def skipped(workflow: Workflow, here: str, target: str | None) -> list[str]:
    """The phases that judge the work and lie between here and the target (None: the end)."""
    names = workflow.names
    there = names.index(target) if target else len(names)
    return [one.name for one in workflow.phases[names.index(here) + 1 : there] if one.leaves in JUDGES]


def guard(skip: Sequence[str], changed: Sequence[str], since: Mapping[str, Sequence[str]]) -> list[Evidence]:
    """What speaks against skipping phases where these paths are `changed`.

    `since` are the paths that changed after the phase was left last, for phases that ran.
    """
    found = []
    for name in skip:
        seen = since.get(name)
        code = [path for path in (changed if seen is None else seen) if not is_text(path)]
        if code:
            what = "and" if seen is None else "and after it"
            why = f"{name} is not to be skipped: more than text was changed {what} it has not looked at {code[0][:100]}"
            more = f" and {len(code) - 1} more" if code[1:] else ""
            found.append(Evidence(SOURCE, Weight.VETO, f"{why}{more}. Continue with {name}."))
    return found


def shortcut_findings(worker: Worker, finished: Finished) -> list[Evidence]:
    """Phases that the child wants to walk around. A station of a worker."""
    wanted, committed = finished.wanted, finished.committed
    if not finished.leaves() or wanted is None or committed is None:
        return []
    workflow, here = worker.state.live_workflow, finished.started.phase
    skip = skipped(workflow, here, wanted.phase if wanted.phase != here else None)
    if not skip:
        return []
    store, now = worker.store, committed.snapshot.commit
    ends = {
        record.phase: record.head
        for record in lived(worker.session.journal)
        if isinstance(record, Ended) and record.head and leaves(record.phase, record.decision)
    }
    since = {name: changed_paths(store, head, now) for name in skip if (head := ends.get(name))}
    return guard(skip, changed_paths(store, base_of(worker, now), now), since)
