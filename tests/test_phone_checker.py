"""The checker of the phone's fault run sees each kind of violation, and none where there is none."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "phone_faults"))

from checker import Closed, Copy, Harm, Said, Seen, violations

S, G = "asks-1", "g1"
RIGHT = Seen(
    said=(
        Said(1, S, "A", G, "Q1"),
        Said(2, S, "B", G, "Q1"),  # another word, while Q2 is open
        Said(3, S, "water the plants"),
        Said(4, S, "A", G, "Q2"),  # now it may close
        Said(5, S, "C", G, "Q2"),  # in time or not
        Said(6, S, "and the cat"),
    ),
    asked={(S, G): ("Q1", "Q2"), (S, "g2"): ("Q1",)},
    closed=(Closed(S, G, {"Q1": "B", "Q2": "A"}),),
    taken={S: ("water the plants", "and the cat")},
    prompts={S: "...water the plants...and the cat..."},
    copies=(Copy("asks-1 g1 Q1", 1.0), Copy("asks-1 g1 Q2", 1.1), Copy("asks-1 g1 Q1", 5.0)),
    excuses=(4.0,),
    harms=(Harm("kill", 4.0, 3.0),),
)


def closed(**answers: str) -> Seen:
    return replace(RIGHT, closed=(Closed(S, G, answers),))


def test_a_run_without_fault_has_none() -> None:
    assert violations(RIGHT) == []
    assert violations(closed(Q1="B", Q2="C")) == []  # the correction came in time


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (replace(RIGHT, closed=()), "lost: every question"),
        (replace(RIGHT, closed=RIGHT.closed * 2), "doubled: asks-1 g1 was closed 2 times"),
        (closed(Q1="B"), "lost: asks-1 g1 was closed without the answer to Q2"),
        (closed(Q1="B", Q2="Z"), "wrong: Q2"),
        (closed(Q1="A", Q2="A"), "out of order: Q1"),
        (replace(RIGHT, closed=(*RIGHT.closed, Closed(S, "g2", {"Q1": "A"}))), "wrong: asks-1 g2 was closed before"),
        (replace(RIGHT, taken={S: ("water the plants",)}), "lost: asks-1 was never given 'and the cat'"),
        (replace(RIGHT, taken={}), "lost: asks-1 was never given"),
        (replace(RIGHT, taken={S: ("water the plants", "and the cat", "and the cat")}), "doubled: asks-1 was given"),
        (replace(RIGHT, taken={S: ("water the plants", "and the cat", "sell")}), "wrong: asks-1 was given 'sell'"),
        (replace(RIGHT, taken={S: ("and the cat", "water the plants")}), "out of order: asks-1"),
        (replace(RIGHT, prompts={S: "and the cat"}), "lost: no child of asks-1 read 'water the plants'"),
        (replace(RIGHT, excuses=()), "doubled: asks-1 g1 Q1 was asked again after 4.0 s"),
        (replace(RIGHT, excuses=(9.0,)), "doubled: asks-1 g1 Q1"),
        (replace(RIGHT, harms=(Harm("a full disk", 1.0),)), "deaf: nobody listened again after a full disk"),
        (replace(RIGHT, harms=(Harm("kill", 1.0, 15.1),)), "deaf: 15.1 s after kill"),
    ],
)  # fmt: skip
def test_each_kind_of_violation_is_seen(seen: Seen, kind: str) -> None:
    found = violations(seen)
    assert found and all(one.startswith(kind.partition(":")[0]) for one in found)
    assert any(one.startswith(kind) for one in found)
