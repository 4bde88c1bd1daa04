"""What a session, or a phase of it, may spend before a human is asked."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from samoloop.base.durations import format_seconds
from samoloop.base.values import frozen

if TYPE_CHECKING:
    from samoloop.core.state import State, Totals  # 20 ms that settings need not pay


@frozen
class Ceilings:
    """What a session, or a phase of it, may spend before a human is asked; None is no ceiling."""

    iterations: int | None = 150
    wall_seconds: float | None = 24 * 3600.0  # of work, waiting not counted
    cost_usd: float | None = 50.0
    virtual_stops: bool = False  # cost that a subscription covers counts like money, instead of being warned of alone


def shares(state: "State", session: Ceilings, phases: Mapping[str, Ceilings]) -> dict[str, float]:
    """How much of each ceiling that stops the session is used since a human last resumed; 1.0 is all of it."""
    shares: dict[str, float] = {}
    for where, totals, limits in _scopes(state, session, phases):
        if limits.iterations is not None:
            shares[f"{limits.iterations} iterations{where}"] = totals.iterations / limits.iterations
        if limits.wall_seconds:
            shares[f"{format_seconds(limits.wall_seconds)} of work{where}"] = totals.seconds / limits.wall_seconds
        if limits.cost_usd:
            spent = totals.cost_usd + (totals.virtual_usd if limits.virtual_stops else 0.0)
            shares[f"{limits.cost_usd:.2f} USD{where}"] = spent / limits.cost_usd
    return shares


def virtual_shares(state: "State", session: Ceilings, phases: Mapping[str, Ceilings]) -> dict[str, float]:
    """How much of a ceiling of cost a subscription covers, where that is warned of and stops nothing."""
    return {
        f"{limits.cost_usd:.2f} USD of virtual cost{where}": totals.virtual_usd / limits.cost_usd
        for where, totals, limits in _scopes(state, session, phases)
        if limits.cost_usd and not limits.virtual_stops
    }


def _scopes(
    state: "State", session: Ceilings, phases: Mapping[str, Ceilings]
) -> Iterator[tuple[str, "Totals", Ceilings]]:
    """What counts for the session, then for its phase: where, what was spent there, and the ceilings."""
    yield "", state.since_resume, session
    if state.phase in phases and state.phase in state.phase_totals:
        yield f" in {state.phase}", state.phase_totals[state.phase], phases[state.phase]
