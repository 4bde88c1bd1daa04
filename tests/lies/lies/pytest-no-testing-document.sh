# Testing leaves no document.
# project: pytest
# workflow: feature
# class: no document
# caught by: document ledger

in_testing() { next quality; }
