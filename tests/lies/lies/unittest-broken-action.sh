# One action that breaks what worked, and is said to be verified.
# project: unittest
# workflow: exec
# class: code broken
# caught by: checks

in_exec() { apply item-1; break_code; commit "A discount"; result; finish; }
