# A blocking finding is confirmed and left, under a verdict that is friendly.
# project: unittest
# workflow: fix
# class: blocking finding
# passes: a blocking finding that was mended stands in a review in the same words

in_quality() { reviewed; in_document review 's/^Severity: note/Severity: blocking/'; next done; }
