# The test that shows the fault is written into an old test file.
# project: unittest
# workflow: fix

in_reproduction() {
  printf '\n    def test_the_average_of_nothing_is_0(self):\n        self.assertEqual(average([]), 0)\n' >> tests/test_till.py
  commit "Show the fault"
  reproduced
  next planning
}
