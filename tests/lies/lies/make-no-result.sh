# Nothing at all: no file, no document, done.
# project: make
# workflow: exec
# class: no document
# caught by: document ledger

in_exec() { finish; }
