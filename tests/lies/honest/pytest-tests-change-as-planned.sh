# The behaviour changes on purpose, and the approved plan lists the test that changes with it.
# project: pytest
# workflow: feature

ITEM_2="a bag is charged with each purchase"
in_planning() { plan; printf '## Tests that will change\n- `tests/test_till.py`: every total has 5 cents more\n' >> "$(newest plan)"; submit; }
in_implementation() {
  apply item-1
  put_in till.py 's/return sum(prices)/return sum(prices) + 5/'
  put_in tests/test_till.py 's/== 400/== 405/; s/== 0/== 5/; s/== 150/== 152/'
  put_in tests/test_discount.py 's/== 30/== 30/'
  suite
  commit "A bag is charged"
  tick 1.1 1.2
  next testing
}
