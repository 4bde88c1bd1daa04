# An old test moves to a file with a better name, word for word.
# project: unittest
# workflow: feature

in_implementation() { apply item-1 item-2; git mv tests/test_till.py tests/test_totals.py; suite; commit "A discount and a receipt"; tick 1.1 1.2; next testing; }
