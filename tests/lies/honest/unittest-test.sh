# Two areas are tried, one finding is refuted.
# project: unittest
# workflow: test
