# Quality never runs: from testing straight to the end.
# project: node
# workflow: feature
# class: shortcut
# caught by: shortcut guard

in_testing() { tested; next done; }
