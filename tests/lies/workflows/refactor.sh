# A function moves into a file of its own, as an honest child moves it.
TASK="The total has a file of its own."
ITEM_1="the total has a file of its own"
ITEM_2="the till uses it"

in_investigation() { dive; next requirements; }
in_requirements() { if answered; then requirements; next planning; else ask; fi; }
in_planning() { plan; submit; }
in_pinning() { apply pinned; suite; commit "Pin what a refund does"; pinned; next implementation; }
in_implementation() { apply moved; suite; commit "The total has a file of its own"; tick 1.1 1.2; next testing; }
in_testing() { suite; tested; next quality; }
in_quality() { reviewed; next done; }
in_done() { summary; finish; }

pinned() {
  document testing <<END
# Pinned behaviour: the till
Commit: $(git rev-parse --short HEAD) · \`$TEST_COMMAND\`: green
## Pinned
- a refund counts - fails when broken: yes
## Not pinned
- nothing known
## Faults met and left
- none
## Failing before us
- none
END
}
