# Quality leaves no review.
# project: node
# workflow: feature
# class: no document
# caught by: document ledger

in_quality() { next done; }
