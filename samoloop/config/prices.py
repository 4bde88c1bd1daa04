"""What tokens cost, for CLIs that report tokens only. An unknown price stays unknown; it is never counted as nothing.

The table is `prices.toml`, with its date and its source; `prices:` in the person's own configuration file corrects or
extends it:

    prices:
      gpt-5: {input: 1.25, cached: 0.125, output: 10}
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from samoloop.base.errors import shown
from samoloop.base.values import frozen
from samoloop.config.schema import Key, Table
from samoloop.core.events import Usage


@frozen
class Price:
    """USD per million tokens."""

    input: float
    cached: float
    output: float


class Listed(NamedTuple):
    """The table that travels with the package."""

    date: str
    models: Mapping[str, Price]


@cache
def listed() -> Listed:
    """The list prices of `prices.toml`, with their date."""
    import tomllib

    table = tomllib.loads((Path(__file__).parent / "prices.toml").read_text(encoding="utf-8"))
    return Listed(str(table["date"]), {name: Price(**rates) for name, rates in table["models"].items()})


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
    if usage.cost_usd is not None or usage.input_tokens is None or usage.output_tokens is None:
        return usage
    price = {**listed().models, **table}.get(usage.model or model or "")
    if price is None:
        return usage
    cached = min(usage.cached_tokens or 0, usage.input_tokens)
    fresh = usage.input_tokens - cached
    cost = (fresh * price.input + cached * price.cached + usage.output_tokens * price.output) / 1_000_000
    return replace(usage, cost_usd=cost)
