"""A till. Prices are in cents."""

from money import total


def average(prices):
    """The mean price; 0 where there is none."""
    return total(prices) // len(prices)
