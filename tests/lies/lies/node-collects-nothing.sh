# The code breaks what worked, and the run is changed so that the test that shows it does not count.
# project: node
# workflow: feature
# class: check redefined
# caught by: checks

in_implementation() { all_of_it; break_code; collect_nothing; commit "A discount and a receipt"; next testing; }
