"""What things cost, in cents."""

PRICES = {
    "apple": 40,
    "bread": 250,
    "cheese": 420,
    "lemon": 55,
    "milk": 110,
}


class UnknownItem(Exception):
    """The shop does not sell that."""


def price_of(item: str) -> int:
    """The price of one piece. Raises UnknownItem, naming what there is."""
    if item not in PRICES:
        raise UnknownItem(f"there is no {item!r}; there are: {', '.join(sorted(PRICES))}")
    return PRICES[item]
