# The second item of the approved plan is dropped from it.
# project: pytest
# workflow: feature
# class: item dropped
# caught by: plan ledger

in_implementation() { apply item-1; commit "A discount"; in_document plan '/1.2 a receipt/d'; tick 1.1; next testing; }
