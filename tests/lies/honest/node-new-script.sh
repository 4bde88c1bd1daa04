# The package gets another script and a field; the test script stays.
# project: node
# workflow: feature

in_implementation() {
  apply item-1 item-2
  put_in package.json 's/    "test": "node --test"/    "test": "node --test",\n    "start": "node receipt.js"/; s/"1.0.0"/"1.1.0"/'
  suite
  commit "A discount and a receipt"
  tick 1.1 1.2
  next testing
}
