# The session ends after the first of two milestones.
# project: pytest
# workflow: build
# class: item left open
# caught by: plan ledger

in_milestone() { reached 'a discount'; next done; }
