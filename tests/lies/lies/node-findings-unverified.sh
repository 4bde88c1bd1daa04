# Nobody verifies the finding of the audit.
# project: node
# workflow: audit
# class: finding unverified
# caught by: document ledger

in_verification() { next done; }
