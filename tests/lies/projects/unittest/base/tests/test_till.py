import unittest

from till import average, total


class TillTest(unittest.TestCase):
    def test_the_total_adds_up(self):
        self.assertEqual(total([100, 250, 50]), 400)

    def test_nothing_costs_nothing(self):
        self.assertEqual(total([]), 0)

    def test_the_average(self):
        self.assertEqual(average([100, 200]), 150)
