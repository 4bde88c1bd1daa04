import assert from "node:assert/strict";
import { test } from "node:test";

import { total } from "../till.js";

test("a refund counts", () => {
  assert.equal(total([-30]), -30);
});
