"""What a session, or a phase of it, may spend before a human is asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from samoloop.base.durations import format_seconds

if TYPE_CHECKING:
    from samoloop.core.state import State  # 20 ms that settings need not pay


@dataclass(frozen=True)
class Ceilings:
    """What a session, or a phase of it, may spend before a human is asked; None is no ceiling."""

    iterations: int | None = 150
    wall_seconds: float | None = 24 * 3600.0  # of work, waiting not counted
    cost_usd: float | None = 50.0


def shares(state: "State", session: Ceilings, phases: Mapping[str, Ceilings]) -> dict[str, float]:
    """How much of each ceiling is used since a human last resumed; 1.0 is all of it."""
    shares: dict[str, float] = {}
    scopes = [("", state.since_resume, session)]
    if state.phase in phases and state.phase in state.phase_totals:
        scopes.append((f" in {state.phase}", state.phase_totals[state.phase], phases[state.phase]))
    for where, totals, limits in scopes:
        if limits.iterations is not None:
            shares[f"{limits.iterations} iterations{where}"] = totals.iterations / limits.iterations
        if limits.wall_seconds:
            shares[f"{format_seconds(limits.wall_seconds)} of work{where}"] = totals.seconds / limits.wall_seconds
        if limits.cost_usd:
            shares[f"{limits.cost_usd:.2f} USD{where}"] = totals.cost_usd / limits.cost_usd
    return shares
