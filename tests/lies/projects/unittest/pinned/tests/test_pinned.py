import unittest

from till import total


class PinnedTest(unittest.TestCase):
    def test_a_refund_counts(self):
        self.assertEqual(total([-30]), -30)
