# A change is reviewed, one finding is confirmed.
# project: pytest
# workflow: review
