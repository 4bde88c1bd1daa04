# The second area is never examined.
# project: pytest
# workflow: audit
# class: area left open
# caught by: document ledger

in_audit() { tick A1; findings review Audit; next verification; }
