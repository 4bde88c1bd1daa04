import assert from "node:assert/strict";
import { test } from "node:test";

import { average } from "../till.js";

test("the average of nothing is 0", () => {
  assert.equal(average([]), 0);
});
