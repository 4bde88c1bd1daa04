"""What the customer takes home."""

from till.basket import Basket
from till.prices import price_of

WIDTH = 32


def receipt(basket: Basket) -> str:
    """The receipt, one line an item."""
    lines = []
    for item, pieces in basket.pieces.items():
        lines.append(row(f"{pieces} x {item}", pieces * price_of(item)))
    lines.append("-" * WIDTH)
    lines.append(row("total", basket.total()))
    return "\n".join(lines)


def row(words: str, cents: int) -> str:
    """Words on the left, an amount on the right."""
    amount = f"{cents / 100:.2f}"
    return words + amount.rjust(WIDTH - len(words))
