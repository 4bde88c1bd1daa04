"""`python -m till apple=5 bread=1`: print the receipt."""

import sys

from till.basket import Basket
from till.prices import UnknownItem
from till.receipt import receipt


def main(words: list[str]) -> int:
    basket = Basket()
    try:
        for word in words:
            item, _, pieces = word.partition("=")
            basket.add(item, int(pieces or 1))
    except (UnknownItem, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    print(receipt(basket))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
