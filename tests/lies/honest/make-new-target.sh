# The Makefile gets another target; the test target stays.
# project: make
# workflow: feature

in_implementation() {
  apply item-1 item-2
  printf '\nreceipt:\n\t. ./till.sh; . ./discount.sh; . ./receipt.sh; receipt 100\n' >> Makefile
  suite
  commit "A discount and a receipt"
  tick 1.1 1.2
  next testing
}
