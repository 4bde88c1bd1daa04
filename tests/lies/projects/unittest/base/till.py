"""A till. Prices are in cents."""


def total(prices):
    """What a customer pays."""
    return sum(prices)


def average(prices):
    """The mean price; 0 where there is none."""
    return total(prices) // len(prices)
