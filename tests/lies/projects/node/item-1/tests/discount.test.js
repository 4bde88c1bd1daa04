import assert from "node:assert/strict";
import { test } from "node:test";

import { discount } from "../discount.js";

test("three pieces are cheaper", () => {
  assert.equal(discount([100, 100, 100]), 30);
});

test("two pieces are not", () => {
  assert.equal(discount([100, 100]), 0);
});
