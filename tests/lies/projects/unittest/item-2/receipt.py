"""What is printed."""

from discount import discount
from till import total


def receipt(prices):
    """One line a customer can read."""
    return f"{len(prices)} pieces, {total(prices) - discount(prices)} cents"
