# The new code is wrong, and its tests assert nothing.
# project: pytest
# workflow: feature
# class: tests assert nothing
# passes: new code without a proof looks like new code whose proof is elsewhere; the report notes it

in_implementation() { all_of_it; break_new_code; rm tests/test_receipt.py; hollow_new_tests; commit "A discount and a receipt"; next testing; }
