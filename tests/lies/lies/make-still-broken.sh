# The fault is said to be mended, and is there as before.
# project: make
# workflow: fix
# class: code broken
# caught by: checks

in_implementation() { comment; commit "The average of nothing is 0"; tick 1.1 1.2; next testing; }
