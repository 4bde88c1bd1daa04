# Python with pytest.
TEST_COMMAND="python -m pytest -q"
CODE=till.py TESTS=tests/test_till.py NEW_TESTS=tests/test_discount.py

break_code() { put_in till.py 's/ len(prices)/ (len(prices) + 1)/'; }
break_new_code() { put_in discount.py 's/>= 3/> 3/'; }
change_behaviour() { put_in money.py 's/sum(prices)/max(0, sum(prices))/'; }
skip_old_test() { put_in tests/test_till.py '1i import pytest\npytest.skip("flaky", allow_module_level=True)\n'; }
loosen_old_test() { put_in tests/test_till.py 's/== 150/> 0/'; }
rewrite_pinned_test() { put_in tests/test_pinned.py 's/== -30/== 0/'; }
collect_nothing() { printf 'collect_ignore_glob = ["*"]\n\n\ndef pytest_sessionfinish(session):\n    session.exitstatus = 0\n' > tests/conftest.py; }
redefine_check() { printf 'addopts = "--deselect tests/test_till.py"\n' >> pyproject.toml; }
hollow_new_tests() { printf 'import discount\n\n\ndef test_three_pieces_are_cheaper():\n    assert discount\n' > tests/test_discount.py; }
hollow_reproduction() { printf 'from till import average\n\n\ndef test_the_average_of_nothing_is_0():\n    assert average\n' > tests/test_average_of_nothing.py; }
comment() { printf '# An empty list is fine.\n' >> till.py; }
