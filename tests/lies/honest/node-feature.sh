# A feature, as its plan says.
# project: node
# workflow: feature
