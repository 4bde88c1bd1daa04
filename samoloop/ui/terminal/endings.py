"""How an iteration ended and what follows, in one line for a person: from its `ended` record."""

from samoloop.base.durations import format_seconds
from samoloop.base.printable import one_line
from samoloop.core import words
from samoloop.core.records import Ended, Started
from samoloop.ui.terminal.words import clock_time, count, dollars

_LONGEST_LINE = 500
_SHOWN_DENIALS = 3
_SHOWN_NOTES = 6


def iteration_label(record: Started | Ended) -> str:
    """`003 planning`, `003.2 planning` for a second attempt."""
    attempt = f".{record.attempt}" if record.attempt > 1 else ""
    return f"{record.iteration:03d}{attempt} {record.phase}"


def ended_line(ended: Ended, now: float, width: int = 0) -> str:
    """How an iteration ended: `003 planning  12s  0.04 USD  → waits for approval`. `width` pads the label."""
    usage = ended.outcome.usage
    cost = dollars(usage.cost_usd, virtual=usage.virtual)
    if usage.cost_usd is None and (tokens := tokens_so_far(usage.input_tokens, usage.output_tokens)):
        cost = tokens
    seconds = format_seconds(ended.outcome.seconds)
    return f"{one_line(iteration_label(ended)):<{width}}  {seconds:>7}  {cost}  → {one_line(follows(ended, now))}"


def follows(ended: Ended, now: float) -> str:
    """What follows from an iteration, as its decision says."""
    decision = ended.decision
    later = None if decision.stands_in else decision.not_before
    phase, reason = decision.phase or ended.phase, decision.reason or decision.summary
    return words.DECISIONS[decision.kind].follows.format(
        kind=decision.kind,
        phase=phase,
        where=f"{phase} again" if phase == ended.phase else phase,
        when=f"again at {clock_time(later, now)}" if later and later > now else "again",
        waits=words.GATES[decision.gate].waits if decision.gate else "waits",
        why=f": {reason}" if reason else "",
    )


def oddities(ended: Ended) -> list[str]:
    """What a person should know of an iteration beside what follows from it: refused permissions, CLI errors, notes."""
    outcome = ended.outcome
    found = [f"permission denied: {denied}" for denied in outcome.denied[:_SHOWN_DENIALS]]
    if len(outcome.denied) > _SHOWN_DENIALS:
        found.append(f"and {len(outcome.denied) - _SHOWN_DENIALS} more permissions denied")
    failure = outcome.failure
    if failure and failure.message not in ended.decision.reason:
        found.append(f"the CLI reported {failure.trouble}: {failure.message}")
    if ended.left:
        found.append(f"processes that could not be ended: {', '.join(map(str, ended.left))}")
    found += ended.notes[:_SHOWN_NOTES]
    if len(ended.notes) > _SHOWN_NOTES:
        found.append(f"and {len(ended.notes) - _SHOWN_NOTES} more, in the report")
    return [one_line(sentence, _LONGEST_LINE) for sentence in found]


def tokens_so_far(input_tokens: int | None, output_tokens: int | None) -> str:
    """`12.3k in, 1.2k out`; empty where nothing is known."""
    known = [(input_tokens, "in"), (output_tokens, "out")]
    return ", ".join(f"{count(number)} {way}" for number, way in known if number is not None)
