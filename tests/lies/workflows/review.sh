# A change is reviewed, as an honest child reviews it.
TASK="Review the last commit."
ITEM_1=
ITEM_2=

in_review() { findings review Review; next verification; }
in_verification() { judged review confirmed; next done; }
in_done() { summary; finish; }
