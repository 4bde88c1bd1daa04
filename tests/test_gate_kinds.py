"""A gate kind is one module and one row of words; what people read about anything stands in one table."""

import re
import string
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

import samoloop
from samoloop.core import gates, words
from samoloop.core.decision import Condition, Kind
from samoloop.core.gates import Closing, Gate, Verdict
from samoloop.core.gates.fields import fields as filled_in
from samoloop.core.signals import GateKind, Needs
from samoloop.core.words import News

PACKAGE = Path(samoloop.__file__).parent
TABLES: list[tuple[type[StrEnum], Any]] = [
    (GateKind, words.GATES),
    (Condition, words.CONDITIONS),
    (Kind, words.DECISIONS),
    (Verdict, words.VERDICTS),
    (News, words.NEWS),
    (Needs, words.NEEDS),
]


@pytest.mark.parametrize(("kind", "table"), TABLES, ids=lambda value: getattr(value, "__name__", ""))
def test_each_member_has_its_row(kind: type[StrEnum], table: Any) -> None:
    assert set(table) == set(kind)


def texts(row: Any) -> Iterator[str]:
    if isinstance(row, StrEnum):
        return
    if isinstance(row, str):
        yield row
    elif isinstance(row, tuple):
        for item in row:
            yield from texts(item)
    elif is_dataclass(row):
        for field in fields(row):
            yield from texts(getattr(row, field.name))


@pytest.mark.parametrize("kind", GateKind)
def test_a_kind_s_words_need_nothing_but_its_gate(kind: GateKind) -> None:
    gate = Gate("g1", kind, "planning", 4, file="plan {x}.md", questions=("Q1", "Q2"), reason="plug {it} in")
    found = [words.waits_for(gate), words.asked(gate), words.gate_name(kind, gate.file)]
    found += [word for step in words.steps("auth", gate) for word in (step.command, step.what)]
    found += [words.closed(gate, Closing(verdict, "ada")) for verdict in gates.behaviour(kind).VERDICTS]
    assert not any("None" in text or not text for text in found)
    assert len(words.steps("auth", gate)) >= 1


@pytest.mark.parametrize("table", [words.CONDITIONS, words.DECISIONS, words.NEWS])
def test_words_name_only_what_is_filled_in(table: Any) -> None:
    known = {"condition", "phase", "why", "needs", "kind", "where", "when", "waits", "took", "what"}
    named = {name for row in table.values() for text in texts(row) for _, name, _, _ in string.Formatter().parse(text)}
    assert named - {None} <= known


@pytest.mark.parametrize("kind", GateKind)
def test_a_kind_is_the_module_of_its_name(kind: GateKind) -> None:
    assert (PACKAGE / "core" / "gates" / f"{kind}.py").is_file()
    assert gates.behaviour(kind).VERDICTS


OF_ONE_KIND = {
    "worker/box.py",
    "worker/prepare.py",
    "api/breakdown.py",
    "api/bring.py",
    "api/changes.py",
    "api/importing.py",
    "config/workflow_files.py",
    "core/next_steps.py",
}


def test_only_the_kinds_themselves_their_words_and_the_signal_name_a_kind() -> None:
    """The scripted child of the demo is a child: it writes signals. Evidence of a plan, and a plan that a person
    hands over, are about that one kind."""
    at_home = {"core/signals.py", "core/words.py", "demo/acts.py", *OF_ONE_KIND}
    named = re.compile("|".join([r"GateKind\.[A-Z]", *(f"\"{kind}\"|'{kind}'" for kind in GateKind)]))
    strangers = [
        name
        for path in sorted(PACKAGE.rglob("*.py"))
        if (name := path.relative_to(PACKAGE).as_posix()) not in at_home
        and not name.startswith(("core/gates/", "checks/"))
        and named.search(path.read_text(encoding="utf-8"))
    ]
    assert strangers == []


def test_a_kind_reads_fields_of_its_own_in_its_file() -> None:
    text = "# Please sign\n\n> Signed: the child\n\n**Signed-Off**: Ada   <!-- g1: your name -->\n"
    text += "Signed-off: Bob\nComments: ok\n"
    assert filled_in(text) == {"signed-off": "Ada", "comments": "ok"}
