# The fault is neither shown nor described.
# project: unittest
# workflow: fix
# class: no document
# caught by: document ledger

in_reproduction() { next planning; }
