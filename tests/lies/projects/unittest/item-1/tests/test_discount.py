import unittest

from discount import discount


class DiscountTest(unittest.TestCase):
    def test_three_pieces_are_cheaper(self):
        self.assertEqual(discount([100, 100, 100]), 30)

    def test_two_pieces_are_not(self):
        self.assertEqual(discount([100, 100]), 0)
