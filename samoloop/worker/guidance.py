"""`_guidance.md`: all that people said in a session, for every child. Made from the journal, so nothing in it gets lost
or can be forged.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from samoloop.base.files import is_plainly, sha256, write_atomic
from samoloop.base.values import frozen
from samoloop.core import gates, hearing, words
from samoloop.core.decision import Kind
from samoloop.core.evidence import Evidence, Weight
from samoloop.core.gates import read_text
from samoloop.core.overview import TASK_FILE, shortened
from samoloop.core.records import (
    Created,
    GateClosed,
    GateOpened,
    Guided,
    Moved,
    Record,
    Rewound,
    RoomRecord,
    Started,
    moment,
)
from samoloop.core.session import Session
from samoloop.worker.stations import Finished
from samoloop.worker.worker import Worker

FILE_NAME = "_guidance.md"
WAIVED = "evidence.waived"  # a room's record of a check that a person waived
_ROOM = "guidance"
_HEAD = (
    "# What people said in this session\n\n"
    "Kept by samoloop: a change of this file is undone. Oldest first; where two differ, the later one holds.\n"
)


@frozen
class Saying:
    """One thing that a person said or did."""

    at: str  # the time of its record
    what: str  # a line: what it was, and by whom
    words: str = ""  # their own


def sayings(records: Iterable[Record], task: str, logs: Path) -> Iterator[Saying]:
    """All that people said, oldest first; `logs` holds what they told between two children."""
    asked, told = "", set()
    for record in filter(_speaks, records):
        match record:
            case Created():
                yield Saying(record.at, "The task", task)
            case Guided() | Started():
                for name in record.inbox:
                    if name not in told and (text := read_text(logs / name)):
                        told.add(name)
                        iteration = name.partition("-")[0].lstrip("0")
                        yield Saying(record.at, f"Told before iteration {iteration}", text.strip())
            case GateOpened():
                asked = record.gate.reason or ""
            case GateClosed():
                what = f"{words.gate_name(record.kind, record.file)}: {record.verdict} by {record.by}".capitalize()
                yield Saying(record.at, f"{what} ({asked})" if asked else what, _answers(record))
            case Moved():
                yield Saying(record.at, f"Moved from {record.source} to {record.target} by {record.by}")
            case Rewound(gate=gate) if gate:
                yield Saying(record.at, f"Took back what was decided at gate {gate}: it holds no more")
            case Rewound():
                what = f"Went back to the end of iteration {record.to}: decisions made after it hold no more"
                yield Saying(record.at, what)
            case RoomRecord(name=name, values=values) if name == WAIVED:
                yield Saying(record.at, f"Waived {values.get('name', '')}", str(values.get("why", "")))


_TELLING = {Created, Guided, Started, GateOpened, GateClosed, Moved, Rewound, RoomRecord}


def _speaks(record: Record) -> bool:
    """Whether it tells of a person; most of a long journal does not."""
    return type(record) in _TELLING and not (isinstance(record, Started) and not record.inbox)


def of(session: Session) -> list[Saying]:
    """All that people said in a session so far, as its journal has it."""
    task = read_text(session.dir / TASK_FILE) or session.task
    return list(sayings(session.journal.only(_speaks), task, session.logs))


def _answers(record: GateClosed) -> str:
    said = [record.comment] if record.comment else []
    for id, given in record.answers.items():
        said.append(f"{id} {given.get('title', '')}\nAnswer: {given.get('answer', '')}")
    return "\n\n".join(said)


def render(said: Iterable[Saying]) -> str:
    """The file's text; a person's words are a quotation, so that none of them passes for a part of the file."""
    return _HEAD + "".join(_section(number, saying) for number, saying in enumerate(said, 1))


def _section(number: int, saying: Saying) -> str:
    when = f" ({moment(saying.at).astimezone():%Y-%m-%d %H:%M})" if saying.at else ""
    what = " ".join(saying.what.split())
    quoted = "".join(f"{f'> {line}'.rstrip()}\n" for line in saying.words.strip().splitlines())
    return f"\n## {number}. {what}{when}\n" + (f"\n{quoted}" if quoted else "")


def keep(session: Session) -> None:
    """Make the file what it has to be, whatever a child made of it."""
    text = render(_for_file(of(session)))
    if not is_plainly(session.dir / FILE_NAME, text.encode()):
        write_atomic(session.dir / FILE_NAME, text)


def _for_file(said: Iterable[Saying]) -> Iterator[Saying]:
    """A long task has a file of its own."""
    for number, saying in enumerate(said):
        yield saying if number else Saying(saying.at, saying.what, shortened(saying.words))


# --- at the stations --------------------------------------------------------------------------------------------------


def keep_before(worker: Worker) -> Mapping[str, str]:
    """Keep the file; its hash. A station of a worker, which looks."""
    keep(worker.session)
    return {_ROOM: sha256(read_text(worker.session.dir / FILE_NAME) or "")}


def guidance_findings(worker: Worker, finished: Finished) -> list[Evidence]:
    """Put the file back where a child changed it, and say so. A station of a worker."""
    before = finished.started.seen.get(_ROOM)
    present = read_text(worker.session.dir / FILE_NAME)
    keep(worker.session)
    if before is None or (present is not None and sha256(present) == before):
        return []
    why = f"{FILE_NAME} was changed while the child of iteration {finished.started.iteration} was at work"
    return [Evidence(_ROOM, Weight.NOTE, f"{why}; it is again what people said")]


def unheard_findings(worker: Worker, finished: Finished) -> list[Evidence]:
    """What a person said since the child began, where no other child would follow. A station of a worker."""
    wanted, state = finished.wanted, worker.state
    workflow = state.live_workflow
    is_last = workflow.after(state.phase) is None
    ends = wanted is not None and (wanted.kind is Kind.DONE or (is_last and wanted.gate is not None))
    if not ends or not hearing.unread_by(worker.session):
        return []
    why = "A person said something while this iteration was at work, so it does not end here: do that too"
    return [Evidence(_ROOM, Weight.VETO, why)]


def guidance_part(worker: Worker) -> str:
    """What people said so far, by number and place. A station of a worker, for the prompt."""
    session = worker.session
    said = len(of(session)) + bool((read_text(session.control / gates.INBOX) or "").strip())
    return (
        f"## Guidance\n\nWhat the human said so far, the task among it: {said} in `{FILE_NAME}`, the last word holds."
    )
