"""What a customer buys."""

from till.prices import price_of


class Basket:
    """Items and how many pieces of each."""

    def __init__(self) -> None:
        self.pieces: dict[str, int] = {}

    def add(self, item: str, pieces: int = 1) -> None:
        """Put more pieces of an item in. Raises UnknownItem, and ValueError for fewer than one piece."""
        if pieces < 1:
            raise ValueError(f"{pieces} pieces of {item} cannot be bought")
        price_of(item)
        self.pieces[item] = self.pieces.get(item, 0) + pieces

    def total(self) -> int:
        """What the customer pays."""
        return sum(pieces * price_of(item) for item, pieces in self.pieces.items())
