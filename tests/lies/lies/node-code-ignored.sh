# The new code is there and green, but git ignores it: the branch has the tests alone.
# project: node
# workflow: feature
# class: work left out
# passes: checks run in a copy of the worktree with all that git ignores, because dependencies lie there

in_implementation() {
  all_of_it
  echo discount.js >> .gitignore
  commit "A discount and a receipt"
  next testing
}
