"""What tokens cost, for CLIs that report tokens only. An unknown price stays unknown; it is never counted as nothing.

The table holds list prices in USD per million tokens as the vendors' public price pages gave them in 2025; set
`prices:` in your own configuration file to correct or extend it:

    prices:
      gpt-5: {input: 1.25, cached: 0.125, output: 10}
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from samoloop.base.errors import shown
from samoloop.config.schema import Key, Table
from samoloop.core.events import Usage


@dataclass(frozen=True)
class Price:
    """USD per million tokens."""

    input: float
    cached: float
    output: float


BUILT_IN: Mapping[str, Price] = {
    "gpt-5": Price(1.25, 0.125, 10.0),
    "gpt-5-codex": Price(1.25, 0.125, 10.0),
    "gpt-5-mini": Price(0.25, 0.025, 2.0),
    "gemini-2.5-pro": Price(1.25, 0.31, 10.0),
    "gemini-2.5-flash": Price(0.30, 0.075, 2.5),
}


def _dollars(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"it must be an amount in USD from 0, got {shown(value)}")
    return value


PRICE = Table(
    (
        Key("input", _dollars, "USD per million tokens", needed=True),
        Key("cached", _dollars, "the same for cached input; as input if not set"),
        Key("output", _dollars, "USD per million tokens", needed=True),
    ),
    lambda found: Price(found["input"], found.get("cached", found["input"]), found["output"]),
)


def priced(usage: Usage, model: str | None, table: Mapping[str, Price]) -> Usage:
    """The usage with its cost, where the CLI gave none and the model's price is known."""
    price = {**BUILT_IN, **table}.get(usage.model or model or "")
    if usage.cost_usd is not None or price is None or usage.input_tokens is None or usage.output_tokens is None:
        return usage
    cached = min(usage.cached_tokens or 0, usage.input_tokens)
    fresh = usage.input_tokens - cached
    cost = (fresh * price.input + cached * price.cached + usage.output_tokens * price.output) / 1_000_000
    return replace(usage, cost_usd=cost)
