# Items are ticked with a result below, and something was found on the way.
# project: make
# workflow: feature

in_implementation() {
  apply item-1 item-2
  suite
  commit "A discount and a receipt"
  tick 1.1 1.2
  in_document plan "s/^  - Tests: .*/&\n  - Result: as planned; \`$TEST_COMMAND\`: green/"
  printf '## Found on the way\n- the average of nothing fails\n' >> "$(newest plan)"
  next testing
}
