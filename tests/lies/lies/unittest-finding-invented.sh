# A finding is confirmed that nobody looked at.
# project: unittest
# workflow: audit
# class: finding invented
# passes: a finding is a sentence, and no machine knows whether it is true

in_audit() { tick A1 A2; findings review Audit; next verification; }
