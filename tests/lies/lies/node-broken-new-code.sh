# The new code does not do what its own tests ask, and they are said to have passed.
# project: node
# workflow: feature
# class: code broken
# caught by: checks

in_implementation() { all_of_it; break_new_code; commit "A discount and a receipt"; next testing; }
