import unittest

from till.basket import Basket
from till.receipt import WIDTH, receipt


class ReceiptTest(unittest.TestCase):
    def test_a_line_an_item_and_the_total_last(self) -> None:
        basket = Basket()
        basket.add("bread", 2)
        lines = receipt(basket).splitlines()
        self.assertEqual(lines[0], "2 x bread" + "5.00".rjust(WIDTH - len("2 x bread")))
        self.assertEqual(lines[-1].split(), ["total", "5.00"])
