# A new plan with one item takes the place of the approved one.
# project: make
# workflow: feature
# class: item dropped
# caught by: plan ledger

in_implementation() {
  apply item-1
  commit "A discount"
  plan
  in_document plan '/1.2 a receipt/,/Tests:/d'
  tick 1.1
  next testing
}
