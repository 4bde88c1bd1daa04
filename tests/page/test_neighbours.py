"""Another server on this machine, such as a child may start, that the person looks at in the same browser."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from kit import scripted_project


class Neighbour:
    """A server at another port, with a page that tries what it can, and the cookies that it was sent."""

    def __init__(self) -> None:
        self.cookies: list[str] = []
        self.page = ""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.cookies += self.headers.get_all("Cookie", [])
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(outer.page.encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://localhost:{self.server.server_port}"

    @contextmanager
    def serving(self) -> Iterator["Neighbour"]:
        thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        thread.start()
        yield self
        self.server.shutdown()
        self.server.server_close()
        thread.join()


@pytest.fixture
def neighbour() -> Iterator[Neighbour]:
    with Neighbour().serving() as made:
        yield made


TRY = """async origin => {
  const tried = [];
  for (const mode of ["cors", "no-cors"]) for (const method of ["GET", "POST"]) {
    const body = method === "POST" ? new URLSearchParams({ name: "Eve" }) : undefined;
    await fetch(origin + "/name", { mode, method, body, credentials: "include" }).then(
      (answer) => tried.push(answer.type), () => {});
  }
  return tried;
}"""


def test_it_is_sent_no_cookie_and_changes_nothing(home, tmp_path, open_web, meet, neighbour):
    web = open_web(scripted_project(tmp_path, ""))
    person = meet(web)
    page, own = person.page, web.origin
    page.fill("#who", "Ann")
    page.click("footer form button")
    neighbour.page = (
        f'<form id="form" method="post" action="{own}/name"><input name="name" value="Eve"></form>'
        f'<img id="image" src="{own}/static/icon.svg"><iframe src="{own}/"></iframe><a id="link" href="{own}/">x</a>'
    )
    page.goto(neighbour.origin)
    assert page.evaluate("document.getElementById('image').naturalWidth") == 0
    assert not [frame.url for frame in page.frames[1:] if frame.url.startswith(own)]
    assert page.evaluate(TRY, own) == []
    assert not [cookie for cookie in neighbour.cookies if "samoloop" in cookie]
    page.evaluate("document.getElementById('form').submit()")
    page.get_by_text("Another site asked for this, so it was not done.").wait_for()
    assert person.go("/").input_value("#who") == "Ann"


def test_a_link_there_leads_to_the_page_and_in_by_a_click(home, tmp_path, open_web, meet, neighbour):
    """A browser sends a strict cookie along with nothing that another site began."""
    web = open_web(scripted_project(tmp_path, ""))
    person = meet(web)
    neighbour.page = f'<a id="link" href="{web.origin}/new">x</a><a id="door" href="{web.link}">x</a>'
    person.page.goto(neighbour.origin)
    person.page.click("#link")
    person.page.click("text=go on")
    person.page.get_by_role("heading", name="New task").wait_for()
    person.page.goto(neighbour.origin)
    person.page.click("#door")
    person.page.get_by_role("heading", name="Sessions").wait_for()
    assert person.page.url == web.origin + "/"
