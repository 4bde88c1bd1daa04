# A small project in two milestones, as an honest child builds it.
TASK="The till learns a discount and a receipt."
ITEM_1="a tenth is saved from three pieces on"
ITEM_2="a receipt shows what is paid"

in_investigation() { dive; next requirements; }
in_requirements() { if answered; then requirements; next roadmap; else ask; fi; }
in_roadmap() { roadmap; submit; }
in_implementation() {
  case $(first_open) in
    1.1) apply item-1; suite; commit "A discount"; tick 1.1 ;;
    2.1) apply item-2; suite; commit "A receipt"; tick 2.1 ;;
  esac
  next testing
}
in_testing() { suite; tested; next quality; }
in_quality() { reviewed; next milestone; }
in_milestone() {
  if grep -q '^- \[x\] 2.1 ' "$(newest plan)"; then
    reached 'a receipt'; next done
  else
    reached 'a discount'; in_document plan 's/^- 2.1 /- [ ] 2.1 /'; next implementation
  fi
}
in_done() { summary; finish; }

roadmap() {
  document plan <<END
# Roadmap: the till
## In short
$TASK
## Choices
- what is there: it is enough
## Milestone 1: a discount
- [ ] 1.1 $ITEM_1
  - Tests: \`$TEST_COMMAND\`
- Shown by: a discount
## Milestone 2: a receipt
- 2.1 $ITEM_2
- Shown by: a receipt
## Specification covered
- S1 a discount: 1.1
- S2 a receipt: 2.1
## Risks
- none
## Out of scope
- everything else
END
}
reached() {
  in_document plan "s/^- Shown by: $1\$/&\n- Reached: $(git rev-parse --short HEAD); \`$TEST_COMMAND\` → green/"
}
