# The code breaks what worked, and the test that shows it is deleted.
# project: make
# workflow: feature
# class: test deleted or skipped
# caught by: swap

in_implementation() { all_of_it; break_code; rm $TESTS; commit "A discount and a receipt"; next testing; }
