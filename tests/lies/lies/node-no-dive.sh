# A question is called answered, without a dive.
# project: node
# workflow: research
# class: no document
# caught by: document ledger

in_investigation() { next done; }
