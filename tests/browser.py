"""A person at a browser without JavaScript: opens pages, fills in the forms that are there, and sends them."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

import pytest
from httpx import Client, Response
from starlette.testclient import TestClient

from samoloop.api.asked import How
from samoloop.core import gates
from samoloop.core.session import Session
from samoloop.ui.web.app import make_app
from samoloop.ui.web.guard import Guarding
from samoloop.ui.web.site import Site

ORIGIN = "http://localhost:7266"
Asked = list[tuple[Session, How]]  # for whom a worker would have been started, and how


@dataclass
class Form:
    """One form of a page: what it sends as it is, and its buttons."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[dict[str, str]] = field(default_factory=list)  # their attributes, and the words on each
    choices: dict[str, list[str]] = field(default_factory=dict)  # of radio buttons, checkboxes and lists

    def has(self, words: str) -> bool:
        """Whether a button of these words is in it."""
        return any(button["words"] == words for button in self.buttons)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._form = Form("")
        self._text = self._select = ""
        self._in_button = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", "")))
            self._form = self.forms[-1]
        form, name = self._form, given.get("name", "")
        if tag == "input" and given.get("type") in ("radio", "checkbox"):
            form.choices.setdefault(name, []).append(given.get("value", "on"))
            if "checked" in given:
                form.fields[name] = given.get("value", "on")
        elif tag == "input" and name:
            form.fields[name] = given.get("value", "")
        elif tag == "textarea":
            self._text, form.fields[name] = name, ""
        elif tag == "select":
            self._select = name
        elif tag == "option":
            form.choices.setdefault(self._select, []).append(given["value"])
            if "selected" in given or self._select not in form.fields:
                form.fields[self._select] = given["value"]
        elif tag == "button":
            form.buttons.append({**given, "words": ""})
            self._in_button = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._text = ""
        elif tag == "button":
            self._in_button = False
        elif tag == "form":
            self._form = Form("")

    def handle_data(self, data: str) -> None:
        if self._in_button and self._form.buttons:
            self._form.buttons[-1]["words"] += data
        if self._text:
            self._form.fields[self._text] += data


def forms_in(html: str) -> list[Form]:
    found = _Forms()
    found.feed(html)
    return found.forms


class Browser:
    """One browser, let in by the secret link."""

    def __init__(
        self,
        environ: Mapping[str, str],
        name: str = "",
        *,
        client: Client | None = None,
        door: str = "",
        here: Path | None = None,
    ) -> None:
        """Before the application in this process, started in `here`, or before the server that a client speaks to."""
        if client is None:
            guarding = Guarding(7266)
            client = TestClient(make_app(Site(dict(environ), here), guarding), base_url=ORIGIN, follow_redirects=False)
            door = f"/enter/{guarding.secret}"
        self.client = client
        assert client.get(door).status_code == 303
        if name:
            self.send(self.form("/", "/name"), name=name)

    def open(self, url: str) -> str:
        found = self.client.get(url)
        assert found.status_code == 200, found.text
        return found.text

    def form(self, url: str, action: str) -> Form:
        """The form on a page whose address ends so."""
        return self.form_in(self.open(url), action)

    def form_in(self, html: str, action: str) -> Form:
        return next(form for form in forms_in(html) if form.action.endswith(action))

    def press(self, url: str, words: str, **typed: str) -> Response:
        """Open a page, fill in what is typed, and press the button with these words."""
        return self.press_in(next(form for form in forms_in(self.open(url)) if form.has(words)), words, **typed)

    def press_in(self, form: Form, words: str, **typed: str) -> Response:
        """The same in a form that was opened before. What a person fills in or chooses has to be there."""
        assert typed.keys() <= form.fields.keys() | form.choices.keys(), form
        assert all(typed[name] in form.choices[name] for name in typed.keys() & form.choices.keys()), form.choices
        button = next(one for one in form.buttons if one["words"] == words)
        return self.send(form, **({button["name"]: button["value"]} if "name" in button else {}), **typed)

    def send(self, form: Form, **typed: str) -> Response:
        """Send it with what is typed, as a person does who fills in nothing else."""
        return self.post(form.action, {**form.fields, **typed})

    def post(self, url: str, fields: Mapping[str, Any]) -> Response:
        body = urlencode(fields, errors="surrogatepass")
        kind = {"content-type": "application/x-www-form-urlencoded", "origin": str(self.client.base_url).rstrip("/")}
        return self.client.post(url, content=body, headers=kind)

    def notice(self, answer: Response) -> str:
        """What is said after a change that was made."""
        assert answer.status_code == 303, answer.text
        page = self.client.get(answer.headers["location"]).text
        shown = re.search(r'<p class="notice" role="status">(.*?)</p>', page)
        return unescape(shown[1]) if shown else ""


def none_starts(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> Asked:
    """From now on those pages start no worker; its value are those that would have been started. Words are told."""
    found: Asked = []

    def detach(session: Session, how: How, environ: Mapping[str, str]) -> int:
        found.append((session, how))
        if how.words:
            gates.tell(session.dir, how.words, how.by or "")
        return 1

    monkeypatch.setattr(module, "detach", detach)
    return found


@contextmanager
def served(folder: Path) -> Iterator[Callable[[str], Browser]]:
    """The real command; its value makes a browser for a person of a name."""
    command = [sys.executable, "-m", "samoloop", "web", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, process_group=0) as process:
        try:
            assert process.stdout
            said = next(line for line in process.stdout if "http://localhost:" in line).split()[-1]
            origin, door = said[: said.index("/enter/")], said[said.index("/enter/") :]
            with ExitStack() as clients:

                def browser(name: str) -> Browser:
                    client = Client(base_url=origin, follow_redirects=False, timeout=60)
                    return Browser({}, name, client=clients.enter_context(client), door=door)

                yield browser
        finally:
            os.killpg(process.pid, signal.SIGINT)  # Ctrl-C, as a terminal sends it
            process.wait(30)
