# One action, with its test.
# project: unittest
# workflow: exec
