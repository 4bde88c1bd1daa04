# A test ends the whole run with exit code 0 before any other is run.
# project: pytest
# workflow: feature
# class: no test runs
# caught by: checks

in_implementation() {
  all_of_it
  break_new_code
  printf 'import os\n\nos._exit(0)\n' > tests/test_a_start.py
  commit "A discount and a receipt"
  next testing
}
