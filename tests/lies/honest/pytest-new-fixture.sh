# The new tests need a conftest of their own, which changes nothing for the old ones.
# project: pytest
# workflow: feature

in_implementation() {
  apply item-1 item-2
  printf 'import pytest\n\n\n@pytest.fixture\ndef three():\n    return [100, 100, 100]\n' > tests/conftest.py
  put_in tests/test_receipt.py 's/cheaper()/cheaper(three)/; s/off():/off(three):/; s/receipt(\[100, 100, 100\])/receipt(three)/'
  suite
  commit "A discount and a receipt"
  tick 1.1 1.2
  next testing
}
