"""Phases and workflows are data: Markdown files with front matter, and a YAML file that orders them.

Values only; reading and checking the files is in `workflow_files`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, field, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

from samoloop.base.values import frozen
from samoloop.core.signals import ALWAYS, GateKind, Status


class Changes(StrEnum):
    """What a phase may do to the files of the project."""

    NOTHING = "nothing"
    TESTS = "tests"  # and no code beside them
    CODE = "code"  # it is there to change the code: without a change it is not done


@frozen
class Phase:
    """One step of the work and its rules."""

    name: str
    summary: str = ""
    child: bool = True  # False: the worker does it itself
    signals: frozenset[Status] = frozenset({Status.CONTINUE, Status.BLOCKED})
    gate: GateKind | None = None  # must be passed since the phase was entered before it can be left
    waits: frozenset[GateKind] = ALWAYS
    max_iterations: int = 20
    iteration_seconds: int | None = None  # None: the configured limit
    skills: tuple[str, ...] = ()
    changes: Changes | None = None  # None: whatever it likes
    leaves: str | None = None  # the kind of document that it writes or carries on
    checks: bool = False  # the project's checks are run before it is left
    backlog: bool = False  # its approved plan becomes tasks of the backlog
    body: str = field(default="", repr=False)  # the instructions


SECOND_LOOK = "second-look"  # the phase of one more reviewer; the name of its CLI follows
INTEGRATION = "integration"  # the phase that brings together what other sessions did
_MERGES = ("quality", "verification")  # the phases that judge what others found


def reviewer_of(phase: str) -> str:
    """The CLI that reviews in this phase, where a person named one; empty for other phases."""
    return phase.removeprefix(f"{SECOND_LOOK}-") if phase.startswith(f"{SECOND_LOOK}-") else ""


@frozen
class Workflow:
    """Phases in their main order, with extra edges."""

    name: str
    phases: tuple[Phase, ...]
    edges: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rounds: Mapping[str, int] = field(default_factory=dict)  # how often a phase's backward edges may be taken
    summary: str = ""
    protocol: str = field(default="", repr=False)  # the shared part of every prompt

    def phase(self, name: str) -> Phase:
        """The phase of that name. Raises KeyError."""
        for phase in self.phases:
            if phase.name == name:
                return phase
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(phase.name for phase in self.phases)

    @property
    def first_with_child(self) -> str:
        return next(phase.name for phase in self.phases if phase.child)

    @property
    def first_at_work(self) -> str:
        """The phase that takes one more order after the end: the first that changes code, else the first of all."""
        changing = (phase.name for phase in self.phases if phase.changes is Changes.CODE)
        return next(changing, self.first_with_child)

    @property
    def last(self) -> str:
        return self.phases[-1].name

    def after(self, name: str) -> str | None:
        """The next phase in the main order; None after the last."""
        names = self.names
        position = names.index(name) + 1
        return names[position] if position < len(names) else None

    def next_phases(self, name: str) -> tuple[str, ...]:
        """Phases that may follow `name`, itself not among them."""
        following = self.after(name)
        main = (following,) if following else ()
        return main + tuple(edge for edge in self.edges.get(name, ()) if edge not in main)

    def is_backward(self, source: str, target: str) -> bool:
        """Whether the edge goes back in the main order, so that a loop through it must be bounded."""
        return self.names.index(target) < self.names.index(source)

    def until(self, name: str) -> "Workflow":
        """The same, with the phase of that name as its last one, which then may signal done. Raises KeyError."""
        last = self.phase(name)
        if last.name == self.last:
            return self
        kept = self.names[: self.names.index(name) + 1]
        edges = {source: tuple(target for target in self.edges.get(source, ()) if target in kept) for source in kept}
        return replace(
            self,
            phases=(*self.phases[: len(kept) - 1], replace(last, signals=last.signals | {Status.DONE})),
            edges={source: targets for source, targets in edges.items() if targets},
            rounds={source: count for source, count in self.rounds.items() if source in kept},
        )

    def reviewed_by(self, reviewers: Sequence[str], look: Phase) -> "Workflow":
        """The same, with a `look` of each reviewer before the phase that judges what was found."""
        merge = next((name for name in _MERGES if name in self.names), None)
        if merge is None or not reviewers:
            return self
        looks = tuple(replace(look, name=f"{SECOND_LOOK}-{name}") for name in dict.fromkeys(reviewers))
        place = self.names.index(merge)
        first = looks[0].name
        edges = {
            source: tuple(
                first if target == merge and self.names.index(source) < place else target for target in targets
            )
            for source, targets in self.edges.items()
        }
        return replace(self, phases=(*self.phases[:place], *looks, *self.phases[place:]), edges=edges)

    def integrating(self, phase: Phase) -> "Workflow":
        """The same, with that phase before all others that have a child."""
        place = self.names.index(self.first_with_child)
        return replace(self, phases=(*self.phases[:place], phase, *self.phases[place:]))

    def since(self, name: str) -> "Workflow":
        """The same, with the phase of that name as its first one with a child. Raises KeyError."""
        self.phase(name)
        without = tuple(phase.name for phase in self.phases if not phase.child)
        kept = (*without, *(other for other in self.names[self.names.index(name) :] if other not in without))
        edges = {source: tuple(target for target in self.edges.get(source, ()) if target in kept) for source in kept}
        return replace(
            self,
            phases=tuple(self.phase(name) for name in kept),
            edges={source: targets for source, targets in edges.items() if targets},
            rounds={source: count for source, count in self.rounds.items() if source in kept},
        )

    def to_json(self) -> dict[str, Any]:
        """As the journal keeps it."""
        value = asdict(self)
        for phase in value["phases"]:
            phase["signals"] = sorted(phase["signals"])
            phase["waits"] = sorted(phase["waits"])
            for key in ("changes", "leaves", "checks", "backlog"):
                if not phase[key]:
                    del phase[key]
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Workflow":
        """As the journal kept it; what an older version did not know has its default."""
        return _from_text(json.dumps(value))


@lru_cache(maxsize=64)
def _from_text(text: str) -> Workflow:
    """One value for the many sessions of one workflow: it does not change."""
    value = json.loads(text)
    phases = tuple(_phase_from_json(phase) for phase in value["phases"])
    edges = {name: tuple(targets) for name, targets in (value.get("edges") or {}).items()}
    return Workflow(**{**value, "phases": phases, "edges": edges})


def _phase_from_json(value: Mapping[str, Any]) -> Phase:
    known: dict[str, Any] = dict(value)
    if "signals" in known:
        known["signals"] = frozenset(Status(status) for status in known["signals"])
    if "waits" in known:
        known["waits"] = frozenset(GateKind(kind) for kind in known["waits"])
    known["gate"] = GateKind(known["gate"]) if known.get("gate") else None
    known["changes"] = Changes(known["changes"]) if known.get("changes") else None
    known["skills"] = tuple(known.get("skills") or ())
    return Phase(**known)
