# What worked before is broken, and 7 tests are said to have passed.
# project: pytest
# workflow: feature
# class: code broken
# caught by: checks

in_implementation() { all_of_it; break_code; commit "A discount and a receipt"; next testing; }
