"""What a person lets pass: a waiver turns the vetoes of one kind of evidence into notes, in its session alone."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from samoloop.core.evidence import Evidence, Weight
from samoloop.core.records import Record, RoomRecord
from samoloop.worker.stations import Finished
from samoloop.worker.worker import Worker

RECORD = "evidence.waived"
KINDS = ("tree", "plan", "documents", "opinions", "shortcut", "checks", "old tests", "new tests")
Station = Callable[[Worker, Finished], Sequence[Evidence]]


def waived(records: Iterable[Record]) -> dict[str, str]:
    """What was waived, each with the reason; also where a rewind went back to before it: a person said it."""
    found = (record.values for record in records if isinstance(record, RoomRecord) and record.name == RECORD)
    return {str(values.get("name")): str(values.get("why", "")) for values in found}


def checks_of(records: Iterable[Record]) -> list[str]:
    """The names of the checks of a session, as they were found last."""
    names: list[str] = []
    for record in records:
        if isinstance(record, RoomRecord) and record.name == "checks.found":
            names = [str(check.get("name")) for check in record.values.get("checks") or ()]
    return names


def soften(evidence: Sequence[Evidence], known: dict[str, str]) -> list[Evidence]:
    """The evidence, its vetoes as notes where their source is waived."""
    return [
        replace(seen, weight=Weight.NOTE, text=f"{seen.text} (waived by a person: {known[seen.source]})")
        if seen.weight is Weight.VETO and seen.source in known
        else seen
        for seen in evidence
    ]


def waivable(station: Station) -> Station:
    """The station, heeding what was waived."""

    def act(worker: Worker, finished: Finished) -> Sequence[Evidence]:
        found = station(worker, finished)
        if all(seen.weight is not Weight.VETO for seen in found):
            return found
        return soften(found, waived(worker.session.journal))

    return act
