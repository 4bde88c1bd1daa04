import assert from "node:assert/strict";
import { test } from "node:test";

import { average, total } from "../till.js";

test("the total adds up", () => {
  assert.equal(total([100, 250, 50]), 400);
});

test("nothing costs nothing", () => {
  assert.equal(total([]), 0);
});

test("the average", () => {
  assert.equal(average([100, 200]), 150);
});
