# Nobody judges the proposal.
# project: pytest
# workflow: improve
# class: finding unverified
# caught by: document ledger

in_triage() { next done; }
