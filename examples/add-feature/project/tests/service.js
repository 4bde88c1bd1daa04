// Starts the service on a free port for one test.

import { createApp } from "../src/app.js";

export async function withService(use) {
  const server = createApp().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  const post = (path, body, headers = {}) =>
    fetch(url + path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
  try {
    await use({ url, post, get: (path, headers = {}) => fetch(url + path, { headers }) });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
