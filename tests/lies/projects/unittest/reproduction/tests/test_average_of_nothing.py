import unittest

from till import average


class AverageOfNothingTest(unittest.TestCase):
    def test_it_is_0(self):
        self.assertEqual(average([]), 0)
