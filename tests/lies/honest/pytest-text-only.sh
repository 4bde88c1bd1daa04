# A change of text takes the short way, past testing.
# project: pytest
# workflow: feature

TASK="The README says what the till cannot do."
ITEM_1="the README says that there is no discount"
ITEM_2="and no receipt"
in_implementation() { printf '\nThere is no discount and no receipt.\n' >> README.md; commit "What it cannot do"; tick 1.1 1.2; next quality; }
