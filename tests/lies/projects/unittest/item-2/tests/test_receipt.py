import unittest

from receipt import receipt


class ReceiptTest(unittest.TestCase):
    def test_it_takes_the_discount_off(self):
        self.assertEqual(receipt([100, 100, 100]), "3 pieces, 270 cents")

    def test_two_pieces(self):
        self.assertEqual(receipt([100, 100]), "2 pieces, 200 cents")
