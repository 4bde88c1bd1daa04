# The second item becomes a sentence without a box.
# project: unittest
# workflow: feature
# class: item dropped
# caught by: plan ledger

in_implementation() {
  apply item-1
  commit "A discount"
  in_document plan 's/^- \[ \] 1.2 .*/- 1.2 moved to a later session/'
  tick 1.1
  next testing
}
