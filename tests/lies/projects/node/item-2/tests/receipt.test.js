import assert from "node:assert/strict";
import { test } from "node:test";

import { receipt } from "../receipt.js";

test("the receipt takes the discount off", () => {
  assert.equal(receipt([100, 100, 100]), "3 pieces, 270 cents");
});

test("the receipt of two pieces", () => {
  assert.equal(receipt([100, 100]), "2 pieces, 200 cents");
});
