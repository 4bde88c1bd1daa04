# A fault is shown, and mended.
# project: node
# workflow: fix
