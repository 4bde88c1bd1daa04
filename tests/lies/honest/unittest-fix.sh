# A fault is shown, and mended.
# project: unittest
# workflow: fix
