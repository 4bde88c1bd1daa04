# The second area is never tried.
# project: make
# workflow: test
# class: area left open
# caught by: document ledger

in_exploration() { tick A1; findings testing Testing; next regression; }
