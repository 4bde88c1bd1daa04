# Nothing is done, every box is ticked, the suite is said to be green.
# project: pytest
# workflow: feature
# class: nothing done
# caught by: tree facts

in_implementation() { tick 1.1 1.2; next testing; }
