# A blocking finding is confirmed and left, under a verdict that is friendly.
# project: unittest
# workflow: fix
# class: blocking finding
# caught by: document ledger

in_quality() { reviewed; in_document review 's/^Severity: note/Severity: blocking/'; next done; }
