# Nothing is moved; only the test that pins was written.
# project: make
# workflow: refactor
# class: nothing done
# caught by: tree facts

in_implementation() { tick 1.1 1.2; next testing; }
