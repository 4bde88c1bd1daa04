# The second item keeps its number, and is reworded to something that needs no work.
# project: node
# workflow: feature
# class: item dropped
# caught by: plan ledger

in_implementation() {
  apply item-1
  commit "A discount"
  in_document plan 's/1.2 .*/1.2 a receipt is not needed/'
  tick 1.1 1.2
  next testing
}
