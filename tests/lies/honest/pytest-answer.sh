# One action that is an answer: nothing is changed.
# project: pytest
# workflow: exec

TASK="What does the average of nothing give?"
in_exec() { result; finish "It fails: it divides by the number of prices."; }
