# The review ends in "not without a decision", and the session goes on.
# project: make
# workflow: feature
# class: blocking finding
# caught by: document ledger

in_quality() {
  reviewed
  in_document review 's/^may be handed over/not without a decision/'
  in_document review 's/^Severity: note/Severity: blocking/'
  next done
}
