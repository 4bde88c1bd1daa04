"""The plan ledger: what of an approved plan is gone or open, and what is not its affair."""

import time

import pytest

from samoloop.checks.items import items
from samoloop.checks.plan import ledger, unopened
from samoloop.core.evidence import Weight

PLAN = """# Plan: x
## In short
Two things.
## Phase 1: the change
- [ ] 1.1 the parser reads dates
  - Files: `a.py`
  - Tests: `pytest`
- [ ] 1.2 the printer writes them
## Requirements covered
- R1: 1.1, 1.2
## Risks
- none
"""
DONE = PLAN.replace("[ ]", "[x]")
ROADMAP = """# Roadmap
## Milestone 1: it runs
- [ ] 1.1 it starts
- Shown by: starting it
## Milestone 2: it prints
- 2.1 it prints
- 2.2 it prints nicely
"""


def vetoes(approved: str, present: str | None) -> list[str]:
    return [seen.text for seen in ledger(approved, present, "plan.md") if seen.weight is Weight.VETO]


FINE = [
    pytest.param(PLAN, DONE, id="all ticked"),
    pytest.param(PLAN, DONE.replace("[x]", "[X]"), id="a capital tick"),
    pytest.param(PLAN, DONE.replace("- [x]", "* [x]"), id="stars for bullets"),
    pytest.param(PLAN, DONE.replace("1.1 the", "**1.1** the"), id="a bold number"),
    pytest.param(PLAN, DONE.replace("reads dates", "reads dates\n  - Result: done; `pytest`: 3 passed"), id="results"),
    pytest.param(PLAN, DONE.replace("- [x] 1.2 the", "- [x] 1.2a the\n- [x] 1.2b also the"), id="split into a and b"),
    pytest.param(PLAN, DONE.replace("- [x] 1.2 the", "- [x] 1.2.1 the\n- [x] 1.2.2 and the"), id="split by numbers"),
    pytest.param(PLAN, DONE + "\n## Found on the way\n- [ ] the docs lie\n- [ ] 7.1 tidy up\n", id="found on the way"),
    pytest.param(PLAN, DONE + "\n```\n- [ ] 1.2 an example\n```\n", id="an example in a fence"),
    pytest.param(PLAN, DONE.replace("`a.py`", "`a.py`\n  - [ ] look at the edge"), id="an open detail of a done item"),
    pytest.param(PLAN, DONE.replace("\n", "\r\n"), id="line ends of Windows"),
    pytest.param(ROADMAP, ROADMAP.replace("[ ]", "[x]"), id="later milestones are bullets"),
    pytest.param(PLAN, DONE.replace("the printer writes them", "printer writes both (mended)"), id="words that differ"),
    pytest.param("# Outline\n- one\n- two\n", "# Outline\n- one\n", id="a plan without boxes has no ledger"),
    pytest.param("- [ ] look\n- [ ] leap\n", "- [x] look\n- [x] leap over it\n", id="words without a number change"),
]


@pytest.mark.parametrize(("approved", "present"), FINE)
def test_what_is_done_is_let_through(approved, present):
    assert vetoes(approved, present) == []


REFUSED = [
    pytest.param(PLAN, PLAN, "2 items of the plan plan.md are not ticked: 1.1 the parser reads dates; 1.2", id="open"),
    pytest.param(PLAN, DONE.replace("[x] 1.2", "[ ] 1.2"), "1 item of the plan plan.md is not ticked: 1.2", id="one"),
    pytest.param(PLAN, DONE.replace("[x] 1.2", "[~] 1.2"), "is not ticked: 1.2", id="half a tick"),
    pytest.param(PLAN, DONE.replace("[x] 1.2", "[] 1.2"), "is not ticked: 1.2", id="an empty box"),
    pytest.param(PLAN, DONE.replace("- [x] 1.2 the printer writes them\n", ""), "went: 1.2 the printer", id="dropped"),
    pytest.param(PLAN, DONE.replace("- [x] 1.2", "- ~~1.2~~"), "went: 1.2", id="struck through"),
    pytest.param(PLAN, DONE.replace("- [x] 1.2", "- 1.2"), "went: 1.2", id="no box any more"),
    pytest.param(PLAN, DONE.replace("- [x] 1.2 the", "- [x] 1.2a the\n- [ ] 1.2b"), "is not ticked: 1.2b", id="half"),
    pytest.param(PLAN, DONE.replace("the printer writes them", "the printer is not needed"), "another", id="reworded"),
    pytest.param(PLAN, "", "2 items of the approved plan plan.md went", id="emptied"),
    pytest.param(PLAN, None, "plan.md is gone", id="removed"),
    pytest.param(PLAN, f"```\n{DONE}\n```\n", "went: 1.1", id="all in a fence"),
    pytest.param(PLAN, DONE.replace("## Req", "- [ ] 1.3 and this\n## Req"), "1.3 and this", id="added to the phase"),
    pytest.param(ROADMAP, ROADMAP.replace("- [ ]", "- [x]").replace("- 2.1", "- [ ] 2.1"), "2.1 it", id="milestone"),
    pytest.param("- [ ] look\n- [ ] leap\n", "- [x] look\n- [ ] leap\n", "is not ticked: leap", id="without numbers"),
    pytest.param(
        "## A\n- [ ] 1 x\n## B\n- [ ] 1 y\n", "## A\n- [x] 1 x\n## B\n", "went: 1 y", id="the same number twice"
    ),
]


@pytest.mark.parametrize(("approved", "present", "said"), REFUSED)
def test_what_is_open_or_gone_is_named(approved, present, said):
    assert said in " ".join(vetoes(approved, present))


@pytest.mark.parametrize(
    ("present", "said"),
    [
        (ROADMAP, "2 items of later milestones of plan.md are no box yet: 2.1 it prints; 2.2"),
        (ROADMAP.replace("- 2.1", "- [x] 2.1"), "1 item of later milestones of plan.md is no box yet: 2.2"),
        (ROADMAP.replace("- 2.", "- [x] 2."), ""),
        (ROADMAP.replace("- 2.1 it", "- [x] 2.1a it\n- [x] 2.1b it").replace("- 2.2", "- [x] 2.2"), ""),
        (None, "2 items of later milestones"),
    ],
)
def test_a_milestone_that_was_never_opened_is_named(present, said):
    assert said in " ".join(seen.text for seen in unopened(ROADMAP, present, "plan.md"))
    assert bool(said) is bool(unopened(ROADMAP, present, "plan.md"))
    assert unopened(PLAN, present, "plan.md") == []


def test_what_is_open_beside_the_plan_is_a_note():
    found = ledger(PLAN, DONE + "\n## Found on the way\n- [ ] the docs lie\n", "plan.md")
    assert [(seen.weight, "the docs lie" in seen.text) for seen in found] == [(Weight.NOTE, True)]


def test_a_sentence_stays_short_whatever_a_plan_holds():
    plan = "".join(f"- [ ] 1.{n} {'long ' * 200}\n" for n in range(50))
    (said,) = vetoes(plan, plan)
    assert len(said) < 600 and "and 45 more" in said


def test_a_plan_of_a_thousand_items_is_fast():
    plan = "".join(f"- [ ] {n // 20}.{n % 20 + 1} becomes true\n  - Files: `a`\n" for n in range(1000))
    start = time.monotonic()
    assert vetoes(plan, plan.replace("[ ]", "[x]")) == []
    assert vetoes(plan, "x" * 3_000_000 + "- [ ] " * 200_000)
    assert time.monotonic() - start < 5  # a quarter of a second on an idle machine


@pytest.mark.parametrize(
    ("line", "id", "text"),
    [
        ("- [ ] 1.1 words", "1.1", "words"),
        ("- [x] **1.2a:** words", "1.2a", "words"),
        ("1. [ ] Task 3: words", "3", "words"),
        ("- [ ] A1 the upload", "a1", "the upload"),
        ("### [ ] 2.3 words", "2.3", "words"),
        ("- [ ] 2FA for all", "", "2FA for all"),
        ("  - [ ] `4.5` - words", "4.5", "words"),
    ],
)
def test_items_are_understood_as_people_write_them(line, id, text):
    (item,) = items(line)
    assert (item.id, item.text, item.box) == (id, text, True)
