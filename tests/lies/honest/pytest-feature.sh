# A feature, as its plan says.
# project: pytest
# workflow: feature
