# A function moves, and everything stays green.
# project: make
# workflow: refactor
