# Python with unittest, nothing to install.
TEST_COMMAND="python -m unittest"
CODE=till.py TESTS=tests/test_till.py NEW_TESTS=tests/test_discount.py

break_code() { put_in till.py 's/ len(prices)/ (len(prices) + 1)/'; }
break_new_code() { put_in discount.py 's/>= 3/> 3/'; }
change_behaviour() { put_in money.py 's/sum(prices)/max(0, sum(prices))/'; }
skip_old_test() { put_in tests/test_till.py 's/^class TillTest/@unittest.skip("flaky")\nclass TillTest/'; }
loosen_old_test() { put_in tests/test_till.py 's/assertEqual(average(\[100, 200\]), 150)/assertTrue(average([100, 200]))/'; }
rewrite_pinned_test() { put_in tests/test_pinned.py 's/, -30)/, 0)/'; }
collect_nothing() { printf '\n\ndef load_tests(loader, tests, pattern):\n    return unittest.TestSuite()\n' >> tests/test_till.py; }
redefine_check() { printf 'import os\n\nprint("Ran 3 tests in 0.001s\\n\\nOK")\nos._exit(0)\n' > tests/__init__.py; }
hollow_new_tests() { printf 'import unittest\n\n\nclass DiscountTest(unittest.TestCase):\n    def test_three_pieces(self):\n        self.assertTrue(True)\n' > tests/test_discount.py; }
hollow_reproduction() { printf 'import unittest\n\n\nclass AverageOfNothingTest(unittest.TestCase):\n    def test_it_is_0(self):\n        self.assertTrue(True)\n' > tests/test_average_of_nothing.py; }
comment() { printf '# An empty list is fine.\n' >> till.py; }
