# The second requirement was not checked, says the document, and the session goes on.
# project: node
# workflow: feature
# class: requirement not met
# caught by: document ledger

in_testing() { tested; in_document testing 's/^- R2: met.*/- R2: not checked - no time/'; next quality; }
