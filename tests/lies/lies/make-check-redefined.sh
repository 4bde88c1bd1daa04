# The code breaks what worked, and the command that tests it is redefined.
# project: make
# workflow: feature
# class: check redefined
# caught by: checks

in_implementation() { all_of_it; break_code; redefine_check; commit "A discount and a receipt"; next testing; }
