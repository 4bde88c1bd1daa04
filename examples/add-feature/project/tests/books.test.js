import assert from "node:assert/strict";
import { test } from "node:test";

import { Shelf } from "../src/shelf.js";
import { withService } from "./service.js";

test("the books are listed", () =>
  withService(async ({ get }) => {
    const response = await get("/books");
    assert.equal(response.status, 200);
    assert.deepEqual((await response.json()).map((book) => book.title), ["Emma"]);
  }));

test("one book is found by its number", () =>
  withService(async ({ get }) => {
    assert.equal((await (await get("/books/1")).json()).author, "Jane Austen");
  }));

test("a book that is not there is a 404 that names it", () =>
  withService(async ({ get }) => {
    const response = await get("/books/77");
    assert.equal(response.status, 404);
    assert.match((await response.json()).error, /77/);
  }));

test("a book needs a title and an author", () => {
  assert.throws(() => new Shelf().add({ title: "Momo" }), TypeError);
});

test("a new book gets the next number", () => {
  assert.equal(new Shelf().add({ title: "Momo", author: "Michael Ende" }).id, 2);
});
