# The work is committed, and reset away in the same step.
# project: node
# workflow: feature
# class: work reset away
# caught by: tree facts

in_implementation() {
  all_of_it
  commit "A discount and a receipt"
  git reset --quiet --hard HEAD~1
  next testing
}
