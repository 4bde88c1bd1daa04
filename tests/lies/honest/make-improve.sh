# One proposal, refuted.
# project: make
# workflow: improve
