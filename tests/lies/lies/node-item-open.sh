# The second item is left open.
# project: node
# workflow: feature
# class: item left open
# caught by: plan ledger

in_implementation() { apply item-1; tick 1.1; commit "A discount"; next testing; }
