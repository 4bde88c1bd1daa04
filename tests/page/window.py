"""The page as people meet it: `samoloop web` in a process of its own, and persons with a Chromium each."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlsplit

import httpx
from kit import until
from playwright.sync_api import Browser, BrowserContext, Page, Request

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
_LINK = re.compile(r"https?://[\w.\[\]:-]+:\d+/\S*")
_STARTS_SECONDS = 30.0


class Web:
    """`samoloop web`, found by the link that it prints."""

    def __init__(self, folder: Path, environ: Mapping[str, str], output: Path, *words: str) -> None:
        self.output = output
        argv = [sys.executable, "-m", "samoloop", "web", *words]
        with output.open("wb") as out:
            self.process = subprocess.Popen(
                argv, cwd=folder, env={**environ}, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                process_group=0,
            )  # fmt: skip

    def __enter__(self) -> Self:
        try:
            until(lambda: _LINK.search(self.said) or self.process.poll() is not None, _STARTS_SECONDS)
            assert self.process.poll() is None, self.said
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def said(self) -> str:
        return self.output.read_text(errors="replace")

    @property
    def link(self) -> str:
        """The secret link."""
        found = _LINK.search(self.said)
        assert found is not None, self.said
        return found[0]

    @property
    def origin(self) -> str:
        parts = urlsplit(self.link)
        return f"{parts.scheme}://{parts.netloc}"

    def end(self) -> None:
        """Ctrl-C as a terminal sends it, to all that the command started and did not set apart; and not more."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


class Person:
    """Somebody with a browser of their own, who listens for all that a page should not do."""

    def __init__(self, browser: Browser, web: Web, **options: Any) -> None:
        """`options` are those of Playwright's `new_context`."""
        self.web = web
        self.hits: list[str] = []  # texts that ran
        self.strayed: list[str] = []  # requests for anything but the page
        self.errors: list[str] = []  # of the page's own script, and refusals of its policy
        options.setdefault("viewport", DESK)
        self.context: BrowserContext = browser.new_context(**options)
        self.context.set_default_timeout(20_000)
        self.context.on("request", self._asked_for)
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", lambda dialog: self._dialog(dialog.message, dialog.dismiss))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def arrive(self) -> Page:
        """Take the printed link, once."""
        self.page.goto(self.web.link)
        return self.page

    def go(self, path: str) -> Page:
        self.page.goto(self.web.origin + path)
        return self.page

    def call_themselves(self, name: str) -> None:
        """As the form in the footer does it."""
        self.context.add_cookies([{"name": "samoloop-name", "value": quote(name[:40]), "url": self.web.origin}])

    def listen(self) -> None:
        """From now on a text that calls `hit()` is noted."""
        self.context.expose_binding("hit", lambda source, *_: self.hits.append(source["frame"].url))

    def _asked_for(self, request: Request) -> None:
        if not request.url.startswith(self.web.origin + "/"):
            self.strayed.append(f"{request.url[:200]} from {self.page.url}")

    def _dialog(self, message: str, dismiss: Any) -> None:
        self.hits.append(f"dialog: {message}")
        dismiss()


class Client:
    """A program that has the link, without a browser."""

    def __init__(self, web: Web) -> None:
        parts = urlsplit(web.link)
        self.origin = f"http://127.0.0.1:{parts.port}"
        self._http = httpx.Client(base_url=self.origin, timeout=30, limits=httpx.Limits(max_connections=None))
        assert self.get(parts.path).status_code == 303

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self._http.get(path, headers=headers)

    def post(self, path: str, token_from: str = "/new", **fields: str) -> httpx.Response:
        """Send a form, with the token of the forms on another page."""
        return self._http.post(path, data={"token": self.token(token_from), **fields}, headers={"origin": self.origin})

    def token(self, path: str = "/new") -> str:
        found = re.search(r'name="token" value="([^"]+)"', self.get(path).text)
        assert found is not None
        return found[1]

    def stream(self, path: str) -> AbstractContextManager[httpx.Response]:
        return self._http.stream("GET", path, timeout=60)
