"""What the worker ran and what it came to, as records of the journal: bound to a command and to a tree."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from samoloop.base.values import frozen
from samoloop.checks.check import Check
from samoloop.core import fields
from samoloop.core.fields import Fields
from samoloop.core.records import DAMAGE, Record, RoomRecord
from samoloop.core.workflow import Workflow

FOUND, RAN, JUDGED = "checks.found", "checks.ran", "checks.judged"
NONE_FOUND = "unchecked: no check was found in the project's files, and none is configured"
MOST_NAMES = 200  # of tests, in one receipt


class Kind(StrEnum):
    """Which tests ran on which code."""

    NOW = "now"  # the session's, as it is
    BASE = "base"  # what the session started from
    OLD_TESTS = "old tests"  # the tests that were there at the base, on the session's code
    NEW_TESTS = "new tests"  # the session's tests, on the code of the base


class Outcome(StrEnum):
    """What a run says."""

    PASSED = "passed"  # it succeeded, and tests were counted
    FAILED = "failed"
    UNCOUNTED = "uncounted"  # no test was counted, so success proves nothing
    UNVERIFIED = "unverified"  # it could not be run, or not to its end


class Found(Fields):
    """The checks of a session."""

    base: str  # the commit by which they were found
    off: bool = False  # a person wants none
    checks: tuple[Check, ...] = ()
    said: str = ""  # a sentence for people: what will be run, or why nothing is


class Receipt(Fields):
    """One run of a check."""

    check: str
    kind: Kind
    tree: str  # whose content was checked
    inputs: str = ""  # a hash of all that the run depends on beside the command: trees, swapped files
    commit: str = ""
    iteration: int = 0
    phase: str = ""
    command: str = ""
    definition: str = ""
    outcome: Outcome
    exit: int | None = None
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    names: Mapping[str, tuple[str, ...]] = {}  # "failed" and "skipped", as far as the runner tells
    named: bool = False  # every failed test is known by its name
    timed_out: bool = False
    flaky: bool = False  # it failed, and passed when it was run again
    seconds: float = 0.0
    log: str = ""
    where: str = ""  # "copy": thrown away afterwards; "worktree"; "moved copy": at another path
    said: str = ""  # one sentence

    @property
    def failing(self) -> frozenset[str]:
        return frozenset(self.names.get("failed", ()))


class Judged(Fields):
    """What follows from the receipts of one check at one tree."""

    check: str
    tree: str
    verdict: str  # "green", "succeeded", "veto", "red before", "uncounted" and so on, see `judging`
    veto: bool = False
    said: str = ""
    notes: tuple[str, ...] = ()  # what the swap showed beside
    iteration: int = 0


@frozen
class Standing:
    """All that the journal knows of a session's checks."""

    found: Found | None
    receipts: tuple[Receipt, ...]
    judged: tuple[Judged, ...]

    @property
    def checks(self) -> tuple[Check, ...]:
        return self.found.checks if self.found else ()

    @property
    def why_unchecked(self) -> str:
        """Why there is no check; empty where there is one. A session in which none was found has no record of that."""
        if self.found is None:
            return NONE_FOUND
        return "" if self.found.checks else self.found.said

    def at(self, tree: str) -> tuple[Judged, ...]:
        """The newest verdict on each check at this tree; a check that is missing was not run there."""
        newest = {judged.check: judged for judged in self.judged if judged.tree == tree}
        return tuple(newest.values())

    def receipt(self, check: Check, kind: Kind, inputs: str) -> Receipt | None:
        """The last run of just this; None where there was none, or none that could be run."""
        same = (
            receipt
            for receipt in reversed(self.receipts)
            if (receipt.check, receipt.kind, receipt.inputs) == (check.name, kind, inputs)
            and receipt.definition == check.definition
        )
        found = next(same, None)
        known = found is not None and (found.outcome is not Outcome.UNVERIFIED or found.timed_out)
        return found if known else None

    def newest(self, check: Check, kind: Kind, tree: str) -> Receipt | None:
        """The last run of a check at this tree."""
        for receipt in reversed(self.receipts):
            same = (receipt.check, receipt.definition, receipt.kind, receipt.tree)
            if same == (check.name, check.definition, kind, tree):
                return receipt
        return None


def to_be_run(history: Iterable[Record], workflow: Workflow) -> str:
    """What samoloop will run itself, in a sentence; empty where the workflow asks for no checks."""
    found = standing(history).found
    if found:
        return found.said
    return NONE_FOUND if any(phase.checks for phase in workflow.phases) else ""


def standing(history: Iterable[Record]) -> Standing:
    """What a journal knows of checks; a record that this version cannot read is left out."""
    found: Found | None = None
    receipts: list[Receipt] = []
    judged: list[Judged] = []
    for record in history:
        if not isinstance(record, RoomRecord) or not record.name.startswith("checks."):
            continue
        try:
            if record.name == FOUND:
                found = fields.read(Found, record.values)
            elif record.name == RAN:
                receipts.append(fields.read(Receipt, record.values))
            elif record.name == JUDGED:
                judged.append(fields.read(Judged, record.values))
        except DAMAGE:
            continue
    return Standing(found, tuple(receipts), tuple(judged))


def record(name: str, value: Fields) -> RoomRecord:
    """The value as a record of the journal."""
    values: dict[str, Any] = fields.to_json(value)
    return RoomRecord(name=name, values=values)
