# What could be simpler, as an honest child asks it.
TASK="What would make the till simpler?"
ITEM_1=
ITEM_2=

in_survey() { coverage; next proposals; }
in_proposals() { tick A1 A2; findings review Improvements; next triage; }
in_triage() { judged review refuted; next done; }
in_done() { summary; finish; }
