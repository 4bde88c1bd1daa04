# A question about the code, as an honest child answers it.
TASK="What does the average of nothing give?"
ITEM_1=
ITEM_2=

in_investigation() { dive; next done; }
in_done() { summary; finish; }
