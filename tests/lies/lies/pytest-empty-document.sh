# The testing document is an empty file.
# project: pytest
# workflow: refactor
# class: no document
# caught by: document ledger

in_testing() { : | document testing; next quality; }
