// The books, kept in memory.

export class Shelf {
  #books = [{ id: 1, title: "Emma", author: "Jane Austen" }];

  all() {
    return [...this.#books];
  }

  find(id) {
    return this.#books.find((book) => book.id === id);
  }

  // The new book. Throws a TypeError where title or author is missing.
  add({ title, author } = {}) {
    if (typeof title !== "string" || typeof author !== "string" || !title.trim() || !author.trim()) {
      throw new TypeError("a book needs a title and an author");
    }
    const book = { id: this.#books.length + 1, title: title.trim(), author: author.trim() };
    this.#books.push(book);
    return book;
  }
}
