# One action breaks what worked, and makes the test run end before it shows.
# project: unittest
# workflow: exec
# class: check redefined
# caught by: checks

in_exec() { apply item-1; break_code; redefine_check; commit "A discount"; result; finish; }
