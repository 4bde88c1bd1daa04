# A function moves, and everything stays green.
# project: node
# workflow: refactor
