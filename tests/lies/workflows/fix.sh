# A fault that is shown by a test and mended, as an honest child does it.
TASK="The average of nothing is 0."
ITEM_1="the average of nothing is 0"
ITEM_2="the reader is told"

in_reproduction() { apply reproduction; commit "Show the fault"; reproduced; next planning; }
in_planning() { plan; submit; }
in_implementation() {
  apply mended
  printf '\nThe average of nothing is 0.\n' >> README.md
  suite
  commit "The average of nothing is 0"
  tick 1.1 1.2
  next testing
}
in_testing() { suite; tested; next quality; }
in_quality() { reviewed; next done; }
in_done() { summary; finish; }

reproduced() {
  document testing <<END
# Reproduction: the average of nothing
## Report
\`average\` of nothing fails; 0 is promised.
## F1: the average of nothing fails
Test: the average of nothing is 0
Command: \`$TEST_COMMAND\` → it divides by 0
Cause: \`$CODE:12\` - it divides by the number of prices
Same mistake elsewhere: none
## Failing before us
- none
END
}
