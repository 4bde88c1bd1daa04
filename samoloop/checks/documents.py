"""The document ledger: a phase leaves its document, and what the newest one says is believed where it is bad news."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from samoloop.base.files import read_plain, sha256
from samoloop.base.values import frozen
from samoloop.checks.items import items
from samoloop.checks.lived import lived, since_entered
from samoloop.checks.markdown import heading, lines
from samoloop.core.evidence import Evidence, Weight
from samoloop.core.gates import read_text
from samoloop.core.signals import GateKind
from samoloop.core.workflow import Changes, Phase, Workflow
from samoloop.worker.stations import Finished
from samoloop.worker.worker import Worker

SOURCE = "documents"
KINDS = ("dive", "requirements", "plan", "testing", "review", "summary", "result")
HANDED_OVER = "may be handed over"
_MOST_BYTES = 4 * 1024 * 1024  # of a document
_NAMED = 5  # things that a sentence names
_DATED = re.compile(r"\d\d-\d\d-\d{4}-([a-z]+)")
_REQUIREMENT = re.compile(
    r"[\s>*+|`-]*([RS]\d{1,4}[a-z]?)\b(?:[^:|]{0,80}[:|])?\W{0,8}(?:(not\W{0,3}(?:met|checked))|met|checked)\b",
    re.IGNORECASE,
)
_UNVERIFIED = re.compile(r"[\s>*+`-]*status\W{0,4}unverified\b", re.IGNORECASE)
_FINDING = re.compile(r"\W*(F\d{1,4})\b", re.IGNORECASE)
_FIELD = re.compile(r"[\s>*+`-]*(severity|status)\W{0,4}(\w{1,20})", re.IGNORECASE)
_VERDICT = re.compile(r"[\s>*+`#-]*verdict[*_` ]*:[*_` ]*(.+)", re.IGNORECASE)


@frozen
class Document:
    """What a document admits."""

    unmet: tuple[str, ...] = ()  # requirements that are not met, or not checked
    verdict: str | None = None  # of a review; None where it gives none
    unverified: int = 0  # findings
    open_areas: tuple[str, ...] = ()  # of a list of what there is to cover
    blocking: tuple[str, ...] = ()  # findings that are confirmed and not mended
    to_do: tuple[str, ...] = ()  # what is open of a list that nobody has to approve


def understand(text: str) -> Document:
    """What stands in a document, where it says something twice the last time. One pass."""
    unmet: dict[str, bool] = {}
    unverified, verdict, under_verdict = 0, None, False
    finding, said = "", dict[tuple[str, str], str]()  # what is said of each finding: its severity and status
    for line in lines(text):
        title = heading(line)
        if match := _VERDICT.match(line):
            verdict, under_verdict = match[1].strip(), False
        elif title is not None:
            under_verdict = title.lower() == "verdict"
            finding = found[1].upper() if (found := _FINDING.match(title)) else ""
        elif under_verdict and line.strip():
            verdict, under_verdict = line.strip(" *_`>-"), False
        elif _UNVERIFIED.match(line):
            unverified += 1
        elif finding and (match := _FIELD.match(line)):
            said[finding, match[1].lower()] = match[2].lower()
        elif match := _REQUIREMENT.match(line):
            unmet[match[1].upper()] = bool(match[2])
    still = [item for item in items(text) if item.is_open]
    areas = tuple(item.name for item in still if item.section.lower() == "areas")
    to_do = tuple(item.name for item in still if item.section.lower() == "to do")
    still_unmet = tuple(id for id, is_so in unmet.items() if is_so)
    blocking = [id for (id, field), word in said.items() if (field, word) == ("severity", "blocking")]
    blocking = [id for id in blocking if said.get((id, "status")) == "confirmed"]
    return Document(still_unmet, verdict, unverified, areas, tuple(blocking), to_do)


def is_handed_over(verdict: str) -> bool:
    words = verdict.lower()
    return HANDED_OVER in words and "|" not in words and "not without" not in words


# --- what is asked of a phase -----------------------------------------------------------------------------------------


def ledger(
    workflow: Workflow, phase: Phase, target: str | None, newest: Mapping[str, Document], *, fresh: bool
) -> list[Evidence]:
    """What speaks against leaving the phase for `target` (None: as done).

    `newest` are the newest documents by kind, `fresh` tells whether the phase left its own since it was entered.
    """
    kind = phase.leaves
    if kind and not fresh:
        why = f"{phase.name} leaves a document of the kind {kind}, and none is new since it was entered: write"
        return [Evidence(SOURCE, Weight.VETO, f"{why} `*-{kind}-*.md` in the session folder, with what was seen.")]
    if target is not None and workflow.is_backward(phase.name, target):
        return []
    soft = Weight.NOTE if _comes_back(workflow, phase) else Weight.VETO  # what is open may belong to a later round
    found = []
    for read in _read_by(workflow, phase):
        document = newest.get(read, Document())
        if read == "testing" and document.unmet:
            found.append(Evidence(SOURCE, soft, _unmet(document.unmet)))
        if read == "review" and document.verdict is not None and not is_handed_over(document.verdict):
            why = f"The verdict of the newest review is {document.verdict[:80]!r} and not {HANDED_OVER!r}: mend what it"
            found.append(Evidence(SOURCE, Weight.VETO, f"{why} names and review that, or signal blocked."))
        elif read == "review" and document.verdict is not None and document.blocking:
            why = f"{_some(document.blocking)} of the newest review: blocking and confirmed. Mend it and say"
            found.append(Evidence(SOURCE, Weight.VETO, f"{why} `Status: mended`, or signal blocked."))
    if kind and newest.get(kind, Document()).unverified and _is_last_look(workflow, phase, target):
        count = newest[kind].unverified
        why = f"{count} finding{'s' * (count > 1)} of the newest {kind} document {'are' if count > 1 else 'is'} still"
        found.append(Evidence(SOURCE, Weight.VETO, f"{why} `Status: unverified`: confirm or refute each."))
    if GateKind.PLAN_APPROVAL in {phase.gate for phase in workflow.phases}:
        return found
    if phase.changes is Changes.CODE and (to_do := newest.get("dive", Document()).to_do):
        why = f"{_some(to_do)}: without a tick on the list `To do`"
        found.append(Evidence(SOURCE, Weight.VETO, f"{why}. Do what is open; tick what is done and proved."))
    areas = newest.get("plan", Document()).open_areas
    if areas and kind != "plan":
        why = f"Areas of the coverage list are without a tick: {_some(areas)}"
        found.append(Evidence(SOURCE, Weight.VETO, f"{why}. Cover them, or signal blocked and say why not."))
    return found


def _unmet(ids: Sequence[str]) -> str:
    are = "are" if len(ids) > 1 else "is"
    why = f"The newest testing document says that {_some(ids)} {are} not met or not checked"
    return f"{why}: mend and check, or signal blocked."


def _read_by(workflow: Workflow, phase: Phase) -> list[str]:
    """The kinds whose newest document must be good: the phase's own, and all of a round where the phase ends rounds."""
    start = _start_of_round(workflow, phase)
    known = workflow.phases[start : workflow.names.index(phase.name) + 1] if start is not None else (phase,)
    return list(dict.fromkeys(one.leaves for one in known if one.leaves))


def _start_of_round(workflow: Workflow, phase: Phase) -> int | None:
    """Where the round begins that can begin anew from this phase: one that changes code. None where it ends none."""
    backward = [workflow.names.index(target) for target in workflow.edges.get(phase.name, ())]
    here = workflow.names.index(phase.name)
    starts = [place for place in backward if place < here and workflow.phases[place].changes is Changes.CODE]
    return min(starts, default=None)


def _comes_back(workflow: Workflow, phase: Phase) -> bool:
    """Whether a later phase can begin another round, to which this phase belongs."""
    here = workflow.names.index(phase.name)
    starts = (_start_of_round(workflow, later) for later in workflow.phases[here + 1 :])
    return any(start is not None and start <= here for start in starts)


def _is_last_look(workflow: Workflow, phase: Phase, target: str | None) -> bool:
    """Whether this phase or one that is skipped was there to look at findings once more, and no later one is."""
    there = workflow.names.index(target) if target else len(workflow.names)
    of_kind = [place for place, one in enumerate(workflow.phases) if one.leaves == phase.leaves]
    return len(of_kind) > 1 and of_kind[-1] < there


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


# --- at the stations --------------------------------------------------------------------------------------------------


def note_documents(worker: Worker) -> Mapping[str, str]:
    """What there is already of the kind that the phase leaves. A station of a worker, which looks."""
    kind = worker.state.live_workflow.phase(worker.state.phase).leaves
    return {SOURCE: digest(worker.session.dir, kind)} if kind else {}


def document_findings(worker: Worker, finished: Finished) -> list[Evidence]:
    """What the documents say against what the child wants next. A station of a worker."""
    if not finished.leaves() or finished.wanted is None:
        return []
    session, workflow = worker.session, worker.state.live_workflow
    phase = workflow.phase(finished.started.phase)
    target = finished.wanted.phase if finished.wanted.phase != phase.name else None
    fresh = True
    if phase.leaves:
        entered = since_entered(lived(session.journal), phase.name)
        before = entered[0].seen.get(SOURCE) if entered else None
        there = of_kind(session.dir, phase.leaves)
        has_words = bool(there) and bool((read_text(there[-1]) or "").strip())
        fresh = has_words and before != digest(session.dir, phase.leaves)
    newest = {kind: understand(read_text(paths[-1]) or "") for kind in KINDS if (paths := of_kind(session.dir, kind))}
    return ledger(workflow, phase, target, newest, fresh=fresh)


def of_kind(session_dir: Path, kind: str) -> list[Path]:
    """The documents of one kind, the newest last; those that only name it somewhere where none has it as its kind."""
    word = re.compile(rf"(?:^|[-_. ]){re.escape(kind)}s?(?:[-_. ]|$)")
    exact, close = [], []
    for path in sorted(session_dir.iterdir()):
        name = path.name.lower()
        if name.startswith("_") or not name.endswith(".md") or path.is_symlink() or not path.is_file():
            continue
        dated = _DATED.match(name)
        if dated and dated[1] == kind:
            exact.append(path)
        elif not (dated and dated[1] in KINDS) and word.search(name[: -len(".md")]):
            close.append(path)
    return sorted(exact or close, key=lambda path: (path.stat().st_mtime_ns, path.name))


def digest(session_dir: Path, kind: str) -> str:
    """A hash over the documents of one kind."""
    known = []
    for path in sorted(of_kind(session_dir, kind)):
        try:
            content = read_plain(path, _MOST_BYTES) or b""
        except ValueError:
            content = b""
        known.append(f"{path.name} {sha256(content)}")
    return sha256("\n".join(known))
