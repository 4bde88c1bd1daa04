# The new code is wrong, and its tests assert nothing.
# project: pytest
# workflow: feature
# class: tests assert nothing
# passes: its test fails on the old code because the new file is missing there, which looks like a proof

in_implementation() { all_of_it; break_new_code; rm tests/test_receipt.py; hollow_new_tests; commit "A discount and a receipt"; next testing; }
