# A function moves, and everything stays green.
# project: pytest
# workflow: refactor
