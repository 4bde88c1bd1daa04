# The box of the first milestone is left open; its tests were never written.
# project: make
# workflow: build
# class: item left open
# caught by: plan ledger

in_implementation() { apply item-1; rm tests/test_discount.sh; commit "A discount"; next testing; }
in_milestone() { reached 'a discount'; reached 'a receipt'; next done; }
