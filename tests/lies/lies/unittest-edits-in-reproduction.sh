# The fault is mended before anybody approved a plan; afterwards nothing is done any more.
# project: unittest
# workflow: fix
# class: edits where none belong
# caught by: tree facts

in_reproduction() { apply reproduction mended; commit "Show the fault"; reproduced; next planning; }
in_implementation() { tick 1.1 1.2; next testing; }
