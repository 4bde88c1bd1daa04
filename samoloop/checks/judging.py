"""What follows from the runs of a check. Pure: receipts in, a verdict out.

No false veto comes first: what was red at the base can be held against nobody but by the names of tests, and what
could not be run there proves nothing.
"""

from collections.abc import Callable

from samoloop.base.values import frozen
from samoloop.checks.receipts import Judged, Outcome, Receipt

_SHOWN = 5  # tests that a sentence names
GREEN, VETO, RED_BEFORE, SUCCEEDED, WAIVED = "green", "veto", "red before", "succeeded", "waived"
REWRITTEN = "old tests rewritten"  # green, but as they were before they fail, and nobody approved that
GOOD = frozenset({GREEN, SUCCEEDED, WAIVED})  # nothing speaks against it


@frozen
class Runs:
    """All that was run of one check at one tree. None was not run."""

    now: Receipt
    base: Receipt | None = None
    old_tests: Receipt | None = None
    new_tests: Receipt | None = None


@frozen
class Rules:
    """What holds for this session."""

    old_tests: (
        str  # what it comes to where they fail: VETO where a person approved a plan, which could have listed them;
    )
    # REWRITTEN where nobody did, so that they may be other ones for a good reason or for none; else GREEN
    new_tests_veto: bool  # the session mends a fault, so a new test has to show it
    asked: bool = False  # a person asked for this check: it need not be one that counts tests
    excused: Callable[[str], bool] = lambda test: False  # tests that the approved plan lists as changing


def needs_base(now: Receipt) -> bool:
    """Whether it matters what the check says at the base."""
    return now.outcome is not Outcome.PASSED


def judge(runs: Runs, rules: Rules) -> Judged:
    """The verdict on one check."""
    now = runs.now
    verdict, said = _of_now(now, runs.base, rules)
    notes: list[str] = []
    vetoes = [said] if verdict == VETO else []
    if verdict == GREEN:
        for which, found in (_of_old_tests(runs, rules), _of_new_tests(runs, rules)):
            if which == VETO:
                vetoes.append(found)
            elif which == REWRITTEN:
                verdict, said = REWRITTEN, f"{said}; {found}"
            elif found:
                notes.append(found)
    if vetoes:
        verdict, said = VETO, "; ".join(vetoes)
    return Judged(
        check=now.check,
        tree=now.tree,
        verdict=verdict,
        veto=verdict == VETO,
        said=said,
        notes=tuple(notes),
        iteration=now.iteration,
    )


def _of_now(now: Receipt, base: Receipt | None, rules: Rules) -> tuple[str, str]:
    """The verdict and its sentence by the session's own tree."""
    if now.outcome is Outcome.PASSED:
        return GREEN, now.said
    if base is None or base.outcome is Outcome.PASSED:
        before = f"; at the base it was green ({base.passed} passed)" if base else ""
        return (VETO if base or now.outcome is Outcome.FAILED else now.outcome), f"{now.said}{before}"
    if now.outcome is Outcome.UNCOUNTED and now.exit == 0 and rules.asked:
        return SUCCEEDED, now.said
    if now.outcome is not Outcome.FAILED:
        return now.outcome, now.said
    if base.outcome is Outcome.UNVERIFIED:
        return Outcome.UNVERIFIED, f"{now.said}; what it says at the base is not known: {base.said}"
    if base.outcome is Outcome.UNCOUNTED:
        return (VETO, now.said) if now.failed or base.exit == 0 else (Outcome.UNVERIFIED, now.said)
    if not (now.named and base.named and now.failed):
        return RED_BEFORE, f"{now.said}; it was red at the base too ({base.said}), so this is held against nobody"
    fresh = sorted(now.failing - base.failing)
    if fresh:
        return VETO, f"{now.said}; these did not fail at the base: {shown(fresh)}"
    return RED_BEFORE, f"{now.said}; the same tests failed at the base"


def _of_old_tests(runs: Runs, rules: Rules) -> tuple[str, str]:
    """The verdict of the tests of the base on the new code, and a sentence."""
    old, base = runs.old_tests, runs.base
    if old is None or old.outcome is Outcome.PASSED:
        return GREEN, ""
    if old.outcome is not Outcome.FAILED:
        return GREEN, f"the tests that were there before could not be run on the new code: {old.said}"
    known_red = base is not None and base.outcome is not Outcome.PASSED
    if known_red and not (old.named and base is not None and base.named):
        return GREEN, ""
    before = base.failing if base else frozenset()
    fresh = sorted(test for test in old.failing - before if not rules.excused(test))
    if old.named and not fresh:
        return GREEN, ""
    which = f": {shown(fresh)}" if fresh else f" ({old.said})"
    why = f"tests that were there before fail on the new code{which}. They were changed or removed, and"
    if rules.old_tests == REWRITTEN:
        return REWRITTEN, f"{why} nobody approved that (log: {old.log})"
    return rules.old_tests, (
        f"{why} the approved plan does not list them under 'Tests that will change': put them back and let the code "
        f"keep them, or signal blocked and say why they have to change (log: {old.log})"
    )


def _of_new_tests(runs: Runs, rules: Rules) -> tuple[str, str]:
    """Whether the new tests prove something: on the old code one of them has to fail."""
    new, base = runs.new_tests, runs.base
    if new is None or new.outcome is Outcome.UNVERIFIED:
        return GREEN, ""
    fails = new.outcome is Outcome.FAILED
    if fails and base is not None and base.outcome is Outcome.FAILED and base.named and new.named:
        fails = bool(new.failing - base.failing)
    if fails:
        return GREEN, ""
    is_veto = rules.new_tests_veto and new.outcome is not Outcome.UNCOUNTED
    why = "the new tests pass on the old code too, so they do not show what was changed"
    return (VETO if is_veto else GREEN), why


def shown(tests: list[str]) -> str:
    more = f" and {len(tests) - _SHOWN} more" if len(tests) > _SHOWN else ""
    return ", ".join(tests[:_SHOWN]) + more
