"""The checks at the stations of a worker: looked at before the first child, run when a phase is left."""

import json
from collections.abc import Sequence
from pathlib import Path

from samoloop.base.durations import format_seconds
from samoloop.checks import background, copies, examining, finding, receipts, running
from samoloop.checks.check import Check
from samoloop.checks.discovery import READ_BYTES
from samoloop.checks.examining import Examination
from samoloop.checks.judging import GOOD, GREEN, REWRITTEN, VETO, WAIVED, Rules
from samoloop.checks.plan import approved_plan
from samoloop.checks.receipts import JUDGED, Judged, Kind, Standing
from samoloop.checks.running import Ran
from samoloop.checks.swap import excuses
from samoloop.checks.waivers import waived
from samoloop.core import fields
from samoloop.core.decision import Kind as What
from samoloop.core.evidence import Evidence, Weight
from samoloop.core.rules import Decision
from samoloop.core.signals import GateKind
from samoloop.git import notes
from samoloop.git.tree_files import entries, texts
from samoloop.worker.stations import Finished
from samoloop.worker.worker import Worker

SOURCE = "checks"
_FIX = "fix"  # the workflow that mends a fault


def look_at_base(worker: Worker) -> Decision | None:
    """Before the first child: which checks there are, and what they say of the base. A station of a worker."""
    _take_in(worker, background.ended(worker))
    background.clear(worker)
    state, workflow = worker.state, worker.state.live_workflow
    if state.iteration or worker.stop.finish or background.are_at_work(worker) or not _may_be_due(worker):
        return None
    standing = receipts.standing(worker.session.journal)
    found = finding.known(worker, standing)
    due = [check for check in found.checks if finding.is_ever_due(check, workflow)]
    if due and found.base:
        tree = worker.store.line("rev-parse", f"{found.base}^{{tree}}")
        looking = Examination(worker, found.base, found.base, tree)
        if slow := [check for check in due if not looking.look_at_base(check)]:
            _look_meanwhile(worker, looking, slow)
    return None


def _look_meanwhile(worker: Worker, looking: Examination, slow: Sequence[Check]) -> None:
    """Nobody waits for a suite of an hour before the first child."""
    why = background.begin(worker, slow, looking.in_copy)
    after, names = format_seconds(examining.QUICK_SECONDS), ", ".join(check.name for check in slow)
    limit = format_seconds(max(check.seconds for check in slow))
    how = f"when that matters ({why})" if why else f"while the first children work, for {limit} at most"
    worker.view.say(f"what takes longer than {after} is run at the base {how}: {names}")


def _take_in(worker: Worker, ended: Sequence[tuple[Check, Ran]]) -> None:
    """Journal what slow checks said of the base."""
    if ended:
        base = finding.base_of(worker)
        looking = Examination(worker, base, base)
        for check, ran in ended:
            looking.saw_base(check, ran, copies.COPY)


def _may_be_due(worker: Worker) -> bool:
    """Whether a check could be run in this session at all: by its workflow, or because a person asked for one.

    Without commits there is no tree that could be checked.
    """
    return worker.config.commit and (
        bool(worker.config.checks) or any(phase.checks for phase in worker.state.live_workflow.phases)
    )


def check_findings(worker: Worker, finished: Finished) -> list[Evidence]:
    """What the checks say where a child wants to leave its phase. A station of a worker."""
    wanted, committed = finished.wanted, finished.committed
    _take_in(worker, background.ended(worker))
    if wanted and wanted.gate is GateKind.PLAN_APPROVAL and _may_be_due(worker):
        worker.view.say(finding.known(worker, receipts.standing(worker.session.journal)).said)
    if wanted is None or committed is None or not finished.leaves():
        return []
    phase, at_end = finished.started.phase, wanted.kind is What.DONE
    plan = approved_plan(worker) or ""
    due = [check for check in _all(worker, plan) if _is_due(worker, check, phase, at_end=at_end)]
    base = finding.base_of(worker) if due else ""
    if not base:
        return []
    now = worker.worktree.snapshot()
    if now.tree == worker.store.line("rev-parse", f"{base}^{{tree}}"):
        return []  # nothing was changed that could be checked
    _take_in(worker, background.wait_for(worker))
    examination = Examination(worker, base, now.head, now.tree, phase, at_end, plan)
    judged = [_judged(worker, examination, check) for check in due]
    if at_end and not any(found.veto for found in judged):
        _keep_note(worker, now.head, examination.standing, judged)
    return [seen for found in judged for seen in _evidence(found, examination.standing)]


def _all(worker: Worker, plan: str) -> list[Check]:
    """The checks of the session, and those that the approved plan adds or puts in place of one of them."""
    if not _may_be_due(worker) and not plan:
        return []
    found = finding.known(worker, receipts.standing(worker.session.journal))
    if found.off:
        return []
    added = {check.name: check for check in _planned(worker, plan)}
    return [*({check.name: check for check in found.checks} | added).values()]


def _planned(worker: Worker, plan: str) -> list[Check]:
    base = finding.base_of(worker)
    if not base or not finding.planned(plan, {}):
        return []
    known = entries(worker.store, base)
    names = ("package.json", "composer.json", "Makefile", "makefile", "GNUmakefile")
    read = texts(worker.store, [(name, known[name]) for name in names if name in known], READ_BYTES)
    return finding.planned(plan, read)


def _is_due(worker: Worker, check: Check, phase: str, *, at_end: bool) -> bool:
    return finding.is_due(check, worker.state.live_workflow, phase, at_end=at_end)


def _judged(worker: Worker, examination: Examination, check: Check) -> Judged:
    """The verdict, journaled where it is another one than that at this tree before."""
    known = waived(worker.session.journal)
    unlisted = VETO if examination.plan else REWRITTEN
    rules = Rules(
        old_tests=GREEN if Kind.OLD_TESTS in known else unlisted,
        new_tests_veto=worker.state.live_workflow.name == _FIX and Kind.NEW_TESTS not in known,
        asked=not check.is_found,
        excused=lambda test: excuses(examination.listed, test),
    )
    found = examination.judge(check, rules)
    if found.veto and (why := known.get(check.name, known.get(SOURCE))) is not None:
        found = found.but(verdict=WAIVED, veto=False, said=f"{found.said} (waived by a person: {why})")
    before = {judged.check: judged for judged in examination.standing.at(found.tree)}.get(check.name)
    if before is None or before.but(iteration=found.iteration) != found:
        worker.session.record(receipts.record(JUDGED, found))
    return found


def _evidence(found: Judged, standing: Standing) -> list[Evidence]:
    notes = [Evidence(SOURCE, Weight.NOTE, note) for note in found.notes]
    if found.verdict in GOOD and found.verdict != WAIVED:
        return notes
    if found.verdict != VETO:
        return [Evidence(SOURCE, Weight.NOTE, found.said), *notes]
    return [Evidence(SOURCE, Weight.VETO, found.said, _detail(found, standing)), *notes]


def _detail(found: Judged, standing: Standing) -> str:
    """The end of what the failed run printed, and where all of it is."""
    runs = [run for run in standing.receipts if run.check == found.check and run.tree == found.tree]
    failed = next((run for run in reversed(runs) if run.kind in (Kind.NOW, Kind.OLD_TESTS) and run.failed), None)
    run = failed or next((run for run in reversed(runs) if run.kind is Kind.NOW), None)
    if run is None:
        return ""
    tail = running.tail_of(Path(run.log))
    return f"samoloop ran `{run.command}` itself. All that it printed is in {run.log}; it ends:\n{tail}"


def _keep_note(worker: Worker, commit: str, standing: Standing, judged: list[Judged]) -> None:
    """The receipts beside the branch's last commit, so that they travel with it."""
    if worker.state.created.repo is None:
        return
    tree = judged[0].tree
    lines = [f"Checked by samoloop, session {worker.session.name}, tree {tree}", ""]
    lines += [f"- {found.said} ({found.verdict})" for found in judged]
    runs = [fields.to_json(run) for run in standing.receipts if run.tree == tree]
    kept = {"session": worker.session.name, "tree": tree, "receipts": runs}
    if problem := notes.add(worker.store, commit, "\n".join(lines) + "\n\n" + json.dumps(kept, indent=1) + "\n"):
        worker.view.say(problem)
