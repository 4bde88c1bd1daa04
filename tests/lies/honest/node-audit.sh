# Two areas are examined, one finding is confirmed.
# project: node
# workflow: audit
