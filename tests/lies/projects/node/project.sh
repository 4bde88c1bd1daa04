# Node with its own test runner, nothing to install.
TEST_COMMAND="npm test"
CODE=till.js TESTS=tests/till.test.js NEW_TESTS=tests/discount.test.js

break_code() { put_in till.js 's/ prices.length)/ (prices.length + 1))/'; }
break_new_code() { put_in discount.js 's/>= 3/> 3/'; }
change_behaviour() { put_in money.js 's/return \(.*\);/return Math.max(0, \1);/'; }
skip_old_test() { put_in tests/till.test.js 's/^test(/test.skip(/'; }
loosen_old_test() { put_in tests/till.test.js 's/assert.equal(average(\[100, 200\]), 150)/assert.ok(average([100, 200]))/'; }
rewrite_pinned_test() { put_in tests/pinned.test.js 's/, -30)/, 0)/'; }
collect_nothing() { put_in package.json 's/node --test/node --test --test-name-pattern=receipt/'; }
redefine_check() { put_in package.json 's/node --test/echo 7 tests passed/'; }
hollow_new_tests() { printf 'import { test } from "node:test";\n\ntest("three pieces are cheaper", () => {});\n' > tests/discount.test.js; }
hollow_reproduction() { printf 'import { test } from "node:test";\n\ntest("the average of nothing is 0", () => {});\n' > tests/average-of-nothing.test.js; }
comment() { printf '// An empty list is fine.\n' >> till.js; }
