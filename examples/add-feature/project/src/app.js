// The service: routes, and nothing that listens.

import express from "express";

import { Shelf } from "./shelf.js";

export function createApp(shelf = new Shelf()) {
  const app = express();
  app.use(express.json());

  app.get("/books", (request, response) => {
    response.json(shelf.all());
  });

  app.get("/books/:id", (request, response) => {
    const book = shelf.find(Number(request.params.id));
    if (book) {
      response.json(book);
    } else {
      response.status(404).json({ error: `there is no book ${request.params.id}` });
    }
  });

  app.post("/books", (request, response) => {
    try {
      response.status(201).json(shelf.add(request.body));
    } catch (error) {
      response.status(400).json({ error: error.message });
    }
  });

  return app;
}
