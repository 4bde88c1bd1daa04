# Testing never runs: from implementation straight to quality, as for a change of text.
# project: pytest
# workflow: feature
# class: shortcut
# caught by: shortcut guard

in_implementation() { all_of_it; commit "A discount and a receipt"; next quality; }
