"""What a customer saves."""

from till import total


def discount(prices):
    """A tenth, from three pieces on."""
    return total(prices) // 10 if len(prices) >= 3 else 0
