"""While a CLI cannot do its work, another one that is free stands in for it. Pure, as the rules are."""

from dataclasses import replace

from samoloop.core.decision import Decision, Kind
from samoloop.core.events import Trouble
from samoloop.core.outcome import Outcome

STAND_IN_SECONDS = 600.0  # before the first is tried again, where it does not say itself when it is back
_BUSY = frozenset({Trouble.RATE, Trouble.OVERLOAD})  # a dead network is dead for the other one too


def stand_in(decision: Decision, outcome: Outcome, provider: str, spare: str) -> Decision:
    """What follows where the CLI is to blame and `spare` is free (empty: none is, and the decision stays).

    The provider is unavailable until `not_before`, and the same iteration runs again at once.
    """
    trouble = _trouble(decision, outcome)
    if not spare or not trouble:
        return decision
    reason = f"{spare} stands in for {provider}: {decision.reason or trouble}"
    if decision.kind is Kind.LIMITED:
        return replace(decision, reason=reason, needs=trouble, stands_in=spare)
    until = outcome.at + STAND_IN_SECONDS
    return Decision(Kind.LIMITED, decision.phase, reason, needs=trouble, not_before=until, stands_in=spare)


def _trouble(decision: Decision, outcome: Outcome) -> str:
    """Why the CLI is not available, in a word; empty where the decision has another ground."""
    trouble = outcome.failure.trouble if outcome.failure else None
    match decision.kind:
        case Kind.LIMITED:
            return Trouble.USAGE_LIMIT
        case Kind.BLOCKED if decision.needs in (Trouble.LOGIN, Trouble.BILLING):
            return decision.needs
        case Kind.RETRY | Kind.WAIT if trouble in _BUSY and decision.gate is None:
            return str(trouble)
        case Kind.FAILED:
            return str(trouble or "crash")
    return ""
