# A fault is shown, and mended.
# project: pytest
# workflow: fix
