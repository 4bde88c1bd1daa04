# Two milestones, one after the other.
# project: node
# workflow: build
