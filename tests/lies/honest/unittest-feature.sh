# A feature, as its plan says.
# project: unittest
# workflow: feature
