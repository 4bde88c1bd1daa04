# A project without any test: what is done is unchecked, and says so.
# project: make
# workflow: feature
# without: Makefile tests

suite() { :; }
in_implementation() { cp "$PROJECT/item-1/discount.sh" "$PROJECT/item-2/receipt.sh" .; commit "A discount and a receipt"; tick 1.1 1.2; next testing; }
tested() { printf '# Testing: the till\n## Suite\n- there is none\n## Requirements\n- R1: met - tried by hand\n- R2: met - tried by hand\n## Found\n- nothing\n' | document testing; }
