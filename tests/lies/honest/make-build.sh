# Two milestones, one after the other.
# project: make
# workflow: build
