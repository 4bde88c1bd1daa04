# Testing finds a fault in the new code, mends it with a test, and goes one more round.
# project: make
# workflow: feature

in_testing() {
  if grep -q 'no piece' tests/test_discount.sh; then
    suite; tested; next quality
  else
    echo 'check "no piece, no discount" 0 discount' >> tests/test_discount.sh
    suite
    commit "Try nothing"
    tested
    in_document testing 's/^- R2: met.*/- R2: not checked - in the next round/'
    stay
  fi
}
