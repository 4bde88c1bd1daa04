# A fault is shown, and mended.
# project: make
# workflow: fix
