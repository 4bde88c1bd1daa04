"""Sums of money, in cents."""


def total(prices):
    """What a customer pays."""
    return sum(prices)
