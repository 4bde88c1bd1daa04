# The work is committed, and taken back by the commit after it.
# project: pytest
# workflow: feature
# class: work reset away
# caught by: tree facts

in_implementation() {
  all_of_it
  commit "A discount and a receipt"
  git revert --no-edit HEAD > /dev/null
  next testing
}
