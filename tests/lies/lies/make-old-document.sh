# Testing gives out the document of the reproduction as its own.
# project: make
# workflow: fix
# class: no document
# caught by: document ledger

in_testing() { touch "$(newest testing)"; next quality; }
