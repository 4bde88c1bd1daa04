# The plan that a human is to approve says "TBD".
# project: unittest
# workflow: fix
# class: plan without items
# caught by: plan ledger

in_planning() { printf '# Plan: the till\n## In short\nTBD\n' | document plan; submit; }
in_implementation() { apply mended; commit "The average of nothing is 0"; next testing; }
