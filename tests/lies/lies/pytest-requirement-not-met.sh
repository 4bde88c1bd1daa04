# The second requirement is not met, says the document, and the session goes on.
# project: pytest
# workflow: feature
# class: requirement not met
# caught by: document ledger

in_testing() { tested; in_document testing 's/^- R2: met/- R2: not met/'; next quality; }
