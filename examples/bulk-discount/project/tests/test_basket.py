import unittest

from till.basket import Basket
from till.prices import UnknownItem


class BasketTest(unittest.TestCase):
    def test_an_empty_basket_costs_nothing(self) -> None:
        self.assertEqual(Basket().total(), 0)

    def test_the_total_adds_up_pieces_and_prices(self) -> None:
        basket = Basket()
        basket.add("apple", 2)
        basket.add("bread")
        self.assertEqual(basket.total(), 2 * 40 + 250)

    def test_adding_an_item_again_adds_to_its_pieces(self) -> None:
        basket = Basket()
        basket.add("milk")
        basket.add("milk")
        self.assertEqual(basket.pieces, {"milk": 2})

    def test_what_the_shop_does_not_sell_is_refused(self) -> None:
        with self.assertRaisesRegex(UnknownItem, "apple"):
            Basket().add("caviar")

    def test_fewer_than_one_piece_is_refused(self) -> None:
        with self.assertRaises(ValueError):
            Basket().add("apple", 0)
