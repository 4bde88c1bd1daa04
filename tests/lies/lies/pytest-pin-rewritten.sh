# The refactoring changes what a refund does, and the test that pins it is rewritten to the new behaviour.
# project: pytest
# workflow: refactor
# class: pinning test rewritten
# caught by: swap

in_implementation() {
  apply moved
  change_behaviour
  rewrite_pinned_test
  commit "The total has a file of its own"
  tick 1.1 1.2
  next testing
}
