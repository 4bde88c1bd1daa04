# An audit that changes nothing mends what it finds.
# project: make
# workflow: audit
# class: edits where none belong
# caught by: tree facts
# got through if: ! git diff --quiet $BASE HEAD -- till.sh

in_verification() { apply mended; judged review confirmed; next done; }
