"""Files that a crash cut off: resumed in full where sampled, and decided upon in process at every byte."""

import signal
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from scene import Scene, Violation

from samoloop.core import gates, signals
from samoloop.core.gates import Closing, Gate, Verdict
from samoloop.core.journal import FILE_NAME, Journal
from samoloop.core.records import GateClosed, Noted
from samoloop.core.session import Session
from samoloop.core.signals import BadSignal, GateKind
from samoloop.core.state import State, fold
from samoloop.worker.loop import take_move

if TYPE_CHECKING:
    from cases import Play

# Right after a record was written; cutting it off then is what a kill in the middle of the write leaves.
AFTER_RECORDS = (
    "after record prepared",
    "after record started",
    "after record ended",
    "after record gate_opened",
    "after record gate_closed",
    "after record interrupted",
    "after record rested",
)
DEEPER = 3  # records that a disk may lose


def resumed(play: "Play", what: str) -> None:
    """Cut the file off where a sampled kill has left the session, and go on."""
    play.torn = what
    ways = {"journal": cut_journal, "lost": lose_records, "signal": cut_signal}
    if what in ways:
        ways[what](play)
    else:
        cut_document(play, what)


def cut_journal(play: "Play") -> None:
    """The last record torn, in each phase: what a kill in the middle of its write leaves."""
    point = play.chance.choice(AFTER_RECORDS)
    share = {"after record interrupted": "after record started,after record interrupted"}.get(point, point)
    while killed(play, share):
        path = play.scene.session.journal.path
        data = path.read_bytes()
        start = data.rstrip(b"\n").rfind(b"\n") + 1
        path.write_bytes(data[: play.chance.randrange(start + 1, len(data))])
        play.count("torn: journal, last record", play.scene.column())


def lose_records(play: "Play") -> None:
    """A disk loses up to three records that it had confirmed, and everything of ours is dead. What a checkpoint holds
    of them a person has to take from there."""
    from cases import command

    play.strict = play.announced = False
    point = play.chance.choice(AFTER_RECORDS[1:5])
    for _ in range(3):
        if not killed(play, point, patient=True):
            break
        play.scene.kill_child("all")
        path = play.scene.session.journal.path
        lines = path.read_bytes().splitlines(keepends=True)
        kept, lost = b"".join(lines[:-DEEPER]), b"".join(lines[-DEEPER:])
        if len(lines) > DEEPER + 2:
            path.write_bytes(kept + lost[: play.chance.randrange(0, len(lost))])
            play.count("torn: journal, last three records", play.scene.column())
            play.scene.person.acted.clear()  # gates of these numbers are opened anew
            command(play.scene, "repair", "--")
    while killed(play, "no such point", patient=True):
        pass


def cut_signal(play: "Play") -> None:
    """Half a signal is a bad signal: the child is asked once more."""
    play.strict = False
    while killed(play, "after sweep"):
        path = play.scene.session.dir / signals.FILE_NAME
        if not path.exists():
            continue  # behind the check at the base
        data = path.read_bytes()
        if not play.repaired:
            path.write_bytes(data[: play.chance.randrange(0, len(data.rstrip()))])
            play.count("torn: _signal.json", play.scene.column())
        play.repaired = not play.repaired  # twice in a row would be for a person


def cut_document(play: "Play", name: str) -> None:
    """A gate's file or the overview, cut off while the worker is dead."""
    point = "before write prompt,after write N.json" if name == "_overview.md" else "before record gate_closed"
    while killed(play, point):
        path, column = play.scene.session.dir / name, play.scene.column()
        gate = play.scene.session.state().gate
        if name != "_overview.md" and (gate is None or gates.gate_file(gate) != name):
            continue
        data = path.read_bytes()
        path.write_bytes(data[: play.chance.randrange(0, len(data) or 1)])
        play.count(f"torn: {name}", column)
        if gate is not None and name != "_overview.md":
            play.scene.person.wanted[gate.id] = data


def killed(play: "Play", share: str, patient: bool = False) -> bool:
    """Run until the next kill; False when the session is over."""
    from cases import HUMAN_CODES, ended_well

    for _ in range(8):
        code = play.scene.wait(play.scene.start("point", share))
        if code == -signal.SIGKILL:
            return True
        if ended_well(play, code):
            return False
        if not patient or code not in HUMAN_CODES:
            raise Violation(f"the run ended with {code}; see run-{play.scene.runs:03d}.txt")
    raise Violation("resumed 8 times without going on")


# --- in process, at every byte ------------------------------------------------------------------------------------


def every_byte(scene: Scene) -> Iterator[tuple[str, str | None]]:
    """Each cut of each file of a finished session: the row of the matrix, and what went wrong."""
    yield from _journals(scene)
    yield from _signals()
    yield from _gate_files(scene)
    yield from _overviews(scene)


def _journals(scene: Scene) -> Iterator[tuple[str, str | None]]:
    data = scene.session.journal.path.read_bytes()
    lines = data.splitlines(keepends=True)
    start = len(data) - sum(map(len, lines[-4:]))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for cut in range(start, len(data) + 1):
            yield "every byte: journal", _journal_cut(folder, data[:cut])


def _journal_cut(folder: Path, data: bytes) -> str | None:
    path = folder / FILE_NAME
    path.write_bytes(data)
    whole = data[: data.rfind(b"\n") + 1]
    rest = data[len(whole) :]
    try:
        before = list(Journal(path).read())
        fold(before)
        Journal(path).append(Noted(text="after the cut"))
        after = list(Journal(path).read())
        fold(after)
    except Exception as error:
        return f"journal of {len(data)} bytes: {error!r}"
    kept = whole.count(b"\n") + (1 if rest and len(before) > whole.count(b"\n") else 0)
    if len(before) != kept or not path.read_bytes().startswith(data):
        return f"journal of {len(data)} bytes: {len(before)} records of {kept}"
    names = [event.to_json()["event"] for event in after]
    if [name for name in names if name != "torn"] != [*(event.to_json()["event"] for event in before), "noted"]:
        return f"journal of {len(data)} bytes: after an append there is {names[-3:]}"
    return None


def _signals() -> Iterator[tuple[str, str | None]]:
    texts = [
        b'{"status": "continue", "phase": "planning"}',
        b'{"status": "waiting", "phase": "planning", "for": "plan_approval", "file": "11-21-0900-plan-x.md"}',
        b'{"status": "blocked", "reason": "no database", "needs": "human_decision"}',
        b'{"status": "done", "summary": "all good"}',
    ]
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, signals.FILE_NAME)
        for text in texts:
            for cut in range(len(text)):
                path.write_bytes(text[:cut])
                found = signals.read(path)
                yield "every byte: _signal.json", None if isinstance(found, BadSignal) else f"{text[:cut]!r}: {found}"


def _gate_files(scene: Scene) -> Iterator[tuple[str, str | None]]:
    opened = [replace(event.gate, shown=True) for event in scene.events() if event.event == "gate_opened"]
    closed = {event.gate: event for event in scene.events() if event.event == "gate_closed"}
    for gate in opened:
        source = scene.session.dir / gates.gate_file(gate)
        data = source.read_bytes()
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if gate.file:
                (folder / gate.file).write_bytes((scene.session.dir / gate.file).read_bytes())
            for cut in range(len(data)):
                (folder / gates.gate_file(gate)).write_bytes(data[:cut])
                found = gates.examine(gate, folder, folder)
                yield f"every byte: {gates.gate_file(gate)}", _wrongly_closed(gate, found, closed[gate.id], data[:cut])


def _wrongly_closed(gate: Gate, found: object, event: GateClosed, data: bytes) -> str | None:
    """A cut file may close a gate only by what the person had written: the same verdict, no other words."""
    if not isinstance(found, Closing):
        return None
    said = f"{gates.gate_file(gate)} of {len(data)} bytes closes the gate with {found}"
    if found.verdict != event.verdict:
        return said
    if gate.kind is GateKind.QA_ANSWERS:
        whole = {id: answer["answer"] for id, answer in event.answers.items()}
        fits = (a["answer"] and f"{whole[id]} <!-".startswith(a["answer"]) for id, a in found.answers.items())
        return None if all(fits) else said  # a shred of the signature behind the words does no harm
    return None if found.verdict is Verdict.APPROVE and event.comment.startswith(found.comment) else said


def _overviews(scene: Scene) -> Iterator[tuple[str, str | None]]:
    """A cut overview moves nobody anywhere and stops nobody."""
    session = scene.session
    state = session.state()
    path = session.dir / "_overview.md"
    data = path.read_bytes()
    for cut in range(len(data)):
        path.write_bytes(data[:cut])
        try:
            take_move(_Standing(session, state))  # type: ignore[arg-type]
            yield "every byte: _overview.md", None
        except Exception as error:
            yield "every byte: _overview.md", f"_overview.md of {cut} bytes: {error!r}"
    path.write_bytes(data)


class _Standing:
    """As much of a worker as a look at the overview needs; a move would fail."""

    def __init__(self, session: Session, state: State):
        self.session, self.state = session, state
