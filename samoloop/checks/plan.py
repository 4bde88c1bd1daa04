"""The plan ledger: every item of the plan that a person approved is still there, or split, and ticked."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from samoloop.base.files import sha256, write_anew
from samoloop.checks.items import Item, items
from samoloop.checks.lived import approval, lived
from samoloop.core import gates, signals
from samoloop.core.decision import Decision
from samoloop.core.evidence import Evidence, Weight
from samoloop.core.gates import read_text
from samoloop.core.records import GateClosed
from samoloop.core.signals import GateKind, Signal
from samoloop.core.workflow import Changes, Phase
from samoloop.git import checkpoint
from samoloop.worker.prepare import kept_plan
from samoloop.worker.stations import Finished
from samoloop.worker.worker import Worker

SOURCE = "plan"
_SHORT = 3  # letters of a word that says little
_NAMED = 5  # items that a sentence names
_MILESTONE = re.compile(r"milestone\b", re.IGNORECASE)
_PARENT = re.compile(r"(.*?)(?:[a-z]|\.\d+)\Z")


def ledger(approved: str, present: str | None, name: str) -> list[Evidence]:
    """What speaks against leaving implementation: items that went, and items that are open."""
    wanted = items(approved)
    boxes = [item for item in wanted if item.box]
    if not boxes:
        return []
    if present is None:
        return [Evidence(SOURCE, Weight.VETO, f"The approved plan {name} is gone or cannot be read: put it back.")]
    now = items(present)
    with_id, boxes_now = [item for item in boxes if item.id], [item for item in now if item.box]
    gone, others = _gone(with_id, boxes_now), _reworded(with_id, boxes_now)
    known = {item.id for item in wanted if item.id}
    texts = {item.text for item in boxes if not item.id}
    sections = {item.section for item in boxes}
    still: list[Item] = []
    beside: list[Item] = []
    for item in now:
        if item.is_open:
            its = item.id in known if item.id else item.text in texts
            (still if its or _of_known(item.id, known) or item.section in sections else beside).append(item)
    found = []
    if gone:
        why = f"{_count(gone, 'item')} of the approved plan {name} went: {_names(gone)}."
        found.append(Evidence(SOURCE, Weight.VETO, f"{why} Put back what it was; only a person can drop an item."))
    if others:
        why = f"{_count(others, 'item')} of the approved plan {name} {_is(others)} another now: {_names(others)}."
        found.append(Evidence(SOURCE, Weight.VETO, f"{why} Put back the words; what differs belongs on a line below."))
    if still:
        why = f"{_count(still, 'item')} of the plan {name} {_is(still)} not ticked: {_names(still)}."
        found.append(Evidence(SOURCE, Weight.VETO, f"{why} Do what is open; tick what is done and proved."))
    if beside:
        why = f"Open beside the approved items of {name}: {_names(beside)}"
        found.append(Evidence(SOURCE, Weight.NOTE, why))
    return found


def unopened(approved: str, present: str | None, name: str) -> list[Evidence]:
    """What speaks against ending after this milestone: bullets of the approved roadmap that never became boxes."""
    later = [
        item for item in items(approved) if not item.box and _MILESTONE.match(item.section) and item.id[0].isdigit()
    ]
    gone = _gone(later, [item for item in items(present or "") if item.box])
    if not gone:
        return []
    why = f"{_count(gone, 'item')} of later milestones of {name} {_is(gone)} no box yet: {_names(gone)}."
    return [Evidence(SOURCE, Weight.VETO, f"{why} Open the next milestone; only a person can drop an item.")]


def _gone(wanted: Sequence[Item], now: Sequence[Item]) -> list[Item]:
    """Items that are not there any more, and were not split either."""
    there = Counter(item.id for item in now)
    own = {item.id for item in wanted}
    split = {parent for id in there if id not in own for parent in _parents(id)}
    found = []
    for item in wanted:
        if there[item.id]:
            there[item.id] -= 1
        elif item.id not in split:
            found.append(item)
    return found


def _reworded(wanted: Sequence[Item], now: Sequence[Item]) -> list[Item]:
    """Items whose number is there with other words: less than half of the approved ones."""
    texts: dict[str, list[str]] = {}
    for item in now:
        texts.setdefault(item.id, []).append(item.text)
    return [item for item in wanted if item.id in texts and not any(map(_keeps(item.text), texts[item.id]))]


def _keeps(approved: str) -> Callable[[str], bool]:
    words = _words(approved)
    return lambda text: 2 * len(words & _words(text)) >= len(words)


def _words(text: str) -> set[str]:
    """The words of an item; the short ones only where it has no others."""
    found = re.findall(r"\w+", text.lower())
    return {word for word in found if len(word) > _SHORT} or set(found)


def _parents(id: str) -> Iterator[str]:
    """What an item can be a part of: `1.2` for `1.2a`, and for `1.2.1`."""
    while match := _PARENT.match(id):
        id = match[1]
        yield id


def _of_known(id: str, known: set[str]) -> bool:
    return any(parent in known for parent in _parents(id))


def _count(found: Sequence[Item], what: str) -> str:
    return f"{len(found)} {what}{'s' if len(found) > 1 else ''}"


def _is(found: Sequence[Item]) -> str:
    return "are" if len(found) > 1 else "is"


def _names(found: Sequence[Item]) -> str:
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return "; ".join(item.name for item in found[:_NAMED]) + more


# --- at the stations --------------------------------------------------------------------------------------------------


def keep_approved(worker: Worker) -> Mapping[str, str]:
    """Keep the text of an approved plan before a child can tick it. A station of a worker, which looks."""
    if worker.state.live_workflow.phase(worker.state.phase).changes is Changes.CODE and (closed := _approval(worker)):
        kept, text = _kept(worker, closed), _present(worker, closed)
        if text is not None and sha256(text) == closed.sha256 and not kept.exists():
            write_anew(kept, text)
    return {}


def plan_findings(worker: Worker, finished: Finished) -> list[Evidence]:
    """What the plan says against what the child wants next. A station of a worker."""
    wanted, phase = finished.wanted, worker.state.live_workflow.phase(finished.started.phase)
    if wanted and wanted.gate is GateKind.PLAN_APPROVAL and phase.leaves == SOURCE:
        return _without_boxes(worker, finished)
    ends_milestone = phase.leaves == SOURCE and not _goes_back(worker, phase, wanted)
    asked = phase.changes is Changes.CODE or ends_milestone
    if not finished.leaves() or not asked or (closed := _approval(worker)) is None:
        return []
    approved = approved_plan(worker)
    if approved is None:
        why = f"The text of {closed.file} as it was approved is not known any more, so its items were not compared"
        return [Evidence(SOURCE, Weight.NOTE, why)]
    about = unopened if ends_milestone else ledger
    return about(approved, _present(worker, closed), closed.file or "")


def _goes_back(worker: Worker, phase: Phase, wanted: Decision | None) -> bool:
    target = wanted.phase if wanted else None
    return target is not None and worker.state.live_workflow.is_backward(phase.name, target)


def _without_boxes(worker: Worker, finished: Finished) -> list[Evidence]:
    signal = signals.read(worker.session.dir / signals.FILE_NAME)
    if isinstance(signal, Signal):
        signal = gates.completed(signal, worker.session.dir, finished.started.time)
    name = signal.file or "" if isinstance(signal, Signal) else ""
    if any(item.box for item in items(_text(worker, name) or "")):
        return []
    why = f"The plan {name} has no item that can be ticked, so nobody could tell when it is carried out: write each as"
    return [Evidence(SOURCE, Weight.VETO, f"{why} `- [ ] 1.1 <what becomes true>` before a person is asked.")]


def approved_plan(worker: Worker) -> str | None:
    """The text of the plan as a person approved it last; None where none was, or where it is not known any more."""
    closed = _approval(worker)
    if closed is None or closed.sha256 is None:
        return None
    kept = read_text(_kept(worker, closed))
    if kept is not None and sha256(kept) == closed.sha256:
        return kept
    present = _present(worker, closed)
    if present is not None and sha256(present) == closed.sha256:
        return present
    if worker.config.commit and closed.file:
        for content in checkpoint.versions(worker.store, worker.ref, closed.file):
            text = content.decode("utf-8-sig", "replace")
            if sha256(text) == closed.sha256:
                return text
    return None


def _approval(worker: Worker) -> GateClosed | None:
    return approval(lived(worker.session.journal))


def _kept(worker: Worker, closed: GateClosed) -> Path:
    return kept_plan(worker.session, closed.sha256 or "")


def _present(worker: Worker, closed: GateClosed) -> str | None:
    return _text(worker, closed.file or "")


def _text(worker: Worker, name: str) -> str | None:
    path = gates.behaviour(GateKind.PLAN_APPROVAL).named(name, worker.session.dir, worker.session.worktree)
    return read_text(path) if path else None
