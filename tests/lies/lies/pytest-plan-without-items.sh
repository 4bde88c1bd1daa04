# The plan has sentences and no item that could be ticked.
# project: pytest
# workflow: feature
# class: plan without items
# caught by: plan ledger

in_planning() { plan; in_document plan 's/^- \[ \] [12.]* /- /'; submit; }
in_implementation() { apply item-1; commit "A discount"; next testing; }
