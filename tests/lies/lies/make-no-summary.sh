# The hand-over leaves no summary.
# project: make
# workflow: feature
# class: no document
# caught by: document ledger

in_done() { finish; }
