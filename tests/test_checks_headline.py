"""The headline of a session that is done: who checked what, what was let pass, and what nobody looked at."""

import pytest

from samoloop.checks.check import Check
from samoloop.checks.concluding import sentence
from samoloop.checks.receipts import Found, Judged, Kind, Outcome, Receipt, Standing
from samoloop.core.headline import CONCLUDED, concluded, headline
from samoloop.core.records import RoomRecord

TREE, COMMIT = "t" * 40, "3bef69b" + "0" * 33


def check(name: str) -> Check:
    return Check(name=name, command=name, source="settings")


def judged(name: str, verdict: str, passed: int = 0, tree: str = TREE) -> tuple[Judged, Receipt]:
    run = Receipt(check=name, kind=Kind.NOW, tree=tree, outcome=Outcome.PASSED, passed=passed)
    return Judged(check=name, tree=tree, verdict=verdict), run


def said(
    *found: tuple[Judged, Receipt], names: tuple[str, ...] | None = None, asks: bool = True, **waivers: str
) -> str:
    names = tuple(one.check for one, _ in found) if names is None else names
    known = Found(base="b", checks=tuple(map(check, names)), said="unchecked: checks: off in the settings")
    standing = Standing(known, tuple(run for _, run in found), tuple(one for one, _ in found))
    return sentence(standing, TREE, COMMIT, waivers, asks=asks)


PYTEST, LINT = judged("pytest", "green", 212), judged("lint", "succeeded")


@pytest.mark.parametrize(
    ("found", "more", "wanted"),
    [
        ([PYTEST], {}, "Done. pytest green at 3bef69b (212 passed), run by samoloop"),
        ([PYTEST, LINT], {}, "Done. pytest green at 3bef69b (212 passed), lint succeeded, run by samoloop"),
        ([], {}, "Done, unchecked: checks: off in the settings"),
        ([], {"asks": False}, "Done, unchecked: no phase of this workflow asks for checks"),
        ([judged("lint", "waived")], {"lint": "not ours"}, "Done, waived: lint (not ours); unchecked: no check ran on"),
        (
            [PYTEST, judged("lint", "waived")],
            {"lint": "not ours"},
            "Done, waived: lint (not ours); pytest green at 3bef69b (212 passed), run by samoloop",
        ),
        ([PYTEST], {"plan": "later"}, "Done, waived: plan (later); pytest green at 3bef69b (212 passed), run by"),
        ([judged("pytest", "red before")], {}, "Done, pytest was red before and is red"),
        ([judged("pytest", "old tests rewritten")], {}, "Done, pytest rests on rewritten tests: as they were before"),
        ([judged("pytest", "unverified")], {}, "Done, pytest could not be run"),
        ([judged("pytest", "uncounted")], {}, "Done, pytest ran no test that was counted"),
        (
            [PYTEST, judged("lint", "unverified")],
            {},
            "Done. pytest green at 3bef69b (212 passed), run by samoloop; lint",
        ),
        ([judged("pytest", "green", 3, tree="other")], {}, "Done, pytest did not run here"),
        ([PYTEST], {"names": ("pytest", "lint")}, "run by samoloop; lint did not run here"),
    ],
)
def test_the_headline_says_who_checked_what(found, more, wanted):
    assert wanted in said(*found, **more)


def test_no_headline_speaks_of_green_where_nothing_was():
    for verdict in ("red before", "old tests rewritten", "unverified", "uncounted", "veto", "waived"):
        assert "green" not in said(judged("pytest", verdict, 5)) and "passed" not in said(judged("pytest", verdict, 5))


def test_what_was_written_down_last_is_found_again():
    records = [RoomRecord(name=CONCLUDED, values={"said": text}) for text in ("Done. a", "Done.\n b")]
    assert headline(concluded(records)) == "Done. b"
    assert headline(concluded([])) == headline({"said": 7}) == "Done."
    assert len(headline({"said": "x " * 9000})) <= 400
