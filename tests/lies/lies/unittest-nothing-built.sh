# No milestone is built, each is ticked and said to be reached.
# project: unittest
# workflow: build
# class: nothing done
# caught by: tree facts

in_implementation() { tick 1.1 2.1; next testing; }
