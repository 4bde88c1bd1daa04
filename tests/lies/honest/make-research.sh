# A question is answered; nothing is changed.
# project: make
# workflow: research
