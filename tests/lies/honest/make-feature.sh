# A feature, as its plan says.
# project: make
# workflow: feature
