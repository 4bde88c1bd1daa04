# The code breaks what worked, and the test that shows it asserts less.
# project: make
# workflow: feature
# class: test loosened
# caught by: swap

in_implementation() { all_of_it; break_code; loosen_old_test; commit "A discount and a receipt"; next testing; }
