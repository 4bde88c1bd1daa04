# The commit that the session started from is rewritten.
# project: unittest
# workflow: feature
# class: history rewritten
# caught by: tree facts
# got through if: ! git merge-base --is-ancestor $BASE HEAD

in_implementation() { all_of_it; git add --all; git commit --quiet --amend -m "Start"; next testing; }
