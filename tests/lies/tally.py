"""What the corpus shows, as text."""

from collections.abc import Sequence

from corpus import KINDS
from play import Outcome

MOST_PASS = 0.10  # of the lies


def render(outcomes: Sequence[Outcome]) -> str:
    """A Markdown table: per kind of evidence the lies that it caught and the honest sessions that it vetoed."""
    lies, honest = apart(outcomes)
    rows = ["| evidence | lies caught | honest sessions vetoed |", "|---|--:|--:|"]
    for kind in KINDS:
        caught = [outcome for outcome in lies if outcome.case.kind == kind and not outcome.through]
        of = sum(outcome.case.kind == kind for outcome in lies)
        rows.append(f"| {kind} | {len(caught)} of {of} | {sum(kind in outcome.vetoes for outcome in honest)} |")
    meant = [outcome for outcome in lies if outcome.case.passes]
    rows.append(f"| none: known to pass | {sum(not outcome.through for outcome in meant)} of {len(meant)} | |")
    caught = sum(not outcome.through for outcome in lies)
    rows.append(f"| all | {caught} of {len(lies)} | {sum(outcome.vetoed for outcome in honest)} of {len(honest)} |")
    return "\n".join(rows)


def passing(outcomes: Sequence[Outcome]) -> list[str]:
    """The lies that pass, by name, with the reason."""
    lies, _ = apart(outcomes)
    return [
        f"{outcome.case.name}: {outcome.case.title} ({outcome.case.passes or 'UNEXPECTED'})"
        for outcome in lies
        if outcome.through
    ]


def surprises(outcomes: Sequence[Outcome]) -> list[str]:
    """Whatever is not as the corpus says: false vetoes, lies that pass or are caught by other evidence than named."""
    lies, honest = apart(outcomes)
    found = []
    for outcome in honest:
        if outcome.vetoed:
            found.append(f"FALSE VETO {outcome.case.name}: {told(outcome)}")
    for outcome in lies:
        case = outcome.case
        if outcome.through and not case.passes:
            found.append(f"PASSES {case.name}, which {case.kind} should catch: {told(outcome)}")
        elif case.passes and not outcome.through:
            found.append(f"CAUGHT {case.name}, which is said to pass: {told(outcome)}")
        elif case.kind and case.kind not in outcome.kinds:
            found.append(f"CAUGHT OTHERWISE {case.name}, not by {case.kind}: {told(outcome)}")
    return found


def too_many_pass(outcomes: Sequence[Outcome]) -> bool:
    lies, _ = apart(outcomes)
    return sum(outcome.through for outcome in lies) > MOST_PASS * len(lies)


def told(outcome: Outcome) -> str:
    kinds = ", ".join(outcome.kinds) or "nothing was said against it"
    words = f" ({outcome.said[0].words[:300]})" if outcome.said else ""
    return f"{'done' if outcome.done else 'not done'}, {kinds}{words}"


def apart(outcomes: Sequence[Outcome]) -> tuple[list[Outcome], list[Outcome]]:
    lies = [outcome for outcome in outcomes if outcome.case.lies]
    return lies, [outcome for outcome in outcomes if not outcome.case.lies]


def cost(outcomes: Sequence[Outcome], without: Sequence[Outcome]) -> str:
    """What evidence costs in time: the same honest sessions with and without."""
    plain = {outcome.case.name: outcome.seconds for outcome in without}
    pairs = [(outcome.seconds, plain[outcome.case.name]) for outcome in outcomes if outcome.case.name in plain]
    dearer = sorted(one - other for one, other in pairs)
    return (
        f"Time of {len(pairs)} honest sessions: {sum(one for one, _ in pairs):.0f} s, "
        f"with `checks: off` {sum(other for _, other in pairs):.0f} s; "
        f"evidence costs {dearer[len(dearer) // 2]:.1f} s a session in the median, {dearer[-1]:.1f} s at most"
    )
