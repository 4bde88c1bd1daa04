"""Who may speak to the page: the one who holds the secret, from the page itself, by a name that it goes by.

A browser carries requests of every page that a person opens to every address that it can reach, a sandboxed child
reaches this machine's ports, and cookies are sent to all ports of a host. So each request has to name a host that this
page goes by (another site's name that was made to lead here is refused), all but the door needs the cookie, and a
change needs in addition the origin of this page and a token that only this page's forms hold.

The secret is new at each start: a child that takes the port once the page has ended is sent the browser's old cookie,
and must have nothing of it.
"""

import asyncio
import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import Headers, ImmutableMultiDict, MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

DOOR = "/enter/"
OPEN = ("/static/",)  # holds nothing of anybody
MOST_BYTES = 1_000_000  # of a form
MOST_FIELDS = 1000
BODY_SECONDS = 30.0
_COOKIE_SECONDS = 30 * 24 * 3600  # at most: it ends with the process
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_POLICY_OF_PICTURES = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}
_GUESSES = 10  # at once
_GUESS_SECONDS = 6.0  # until one more may be made

Refuse = Callable[[Request, int, str], Response]


class Guesses:
    """How many wrong secrets may be tried, by all together: on loopback everybody has one address."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._left = float(_GUESSES)
        self._at = monotonic()

    def wait(self) -> int:
        """Seconds until a secret is looked at again; 0: now."""
        now = self._monotonic()
        self._left = min(self._left + (now - self._at) / _GUESS_SECONDS, _GUESSES)
        self._at = now
        return 0 if self._left >= 1 else int((1 - self._left) * _GUESS_SECONDS) + 1

    def wrong(self) -> None:
        self._left -= 1


@dataclass(frozen=True)
class Guarding:
    """What the guard goes by: secret and name of this start, and the hosts that a person let through."""

    port: int = 0
    names: frozenset[str] = frozenset()  # lower case, besides those of loopback
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    name: str = field(default_factory=lambda: f"samoloop-{secrets.token_hex(6)}.localhost")
    guesses: Guesses = field(default_factory=Guesses, repr=False)

    @property
    def cookie(self) -> str:
        """The name of the cookie: two pages of one machine share the browser's cookies."""
        return f"samoloop-{self.port}"

    def goes_by(self, host: str) -> bool:
        return host in _LOOPBACK or host == self.name or host in self.names

    def pass_for(self, number: str) -> str:
        """The cookie of one browser."""
        return f"{number}.{self._signed('cookie', number)}"

    def bearer(self, given: str) -> str | None:
        """The number in a cookie that this process gave; None for any other."""
        number = given.partition(".")[0]
        return number if _same(given, self.pass_for(number)) else None

    def token(self, number: str) -> str:
        """What the forms of that browser hold."""
        return self._signed("form", number)

    def _signed(self, use: str, number: str) -> str:
        return hmac.new(self.secret.encode(), f"{use} {number}".encode(), "sha256").hexdigest()


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


class Guard:
    """Outermost: what it does not let through, no page sees."""

    def __init__(self, app: ASGIApp, guarding: Guarding, refuse: Refuse) -> None:
        self._app = app
        self._by = guarding
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        send = _with_headers(send)
        request = Request(scope)
        answer = self._answer(request)
        if answer is None and request.method == "POST":
            body = await _body(receive)
            if isinstance(body, int):
                answer = self._refuse(request, body, _BODIES[body])
            else:
                answer = self._check_form(request, body)
                receive = _again(body, receive)
        await (answer or self._app)(scope, receive, send)

    def _answer(self, request: Request) -> Response | None:
        """What is answered without a page; None: a page may answer."""
        path, by = request.scope["path"], self._by
        host = request.headers.get("host", "")
        if len(request.headers.getlist("host")) != 1 or not by.goes_by(_name_of(host)):
            return self._refuse(request, 421, _NO_HOST)
        if request.method not in ("GET", "HEAD", "POST"):
            return self._refuse(request, 405, "The page only takes GET and POST.")
        if _is_foreign(request.headers, host, request.method):
            return self._refuse(request, 403, _FOREIGN)
        if path.startswith(OPEN) and request.method != "POST":
            return None
        if path.startswith(DOOR):
            return self._enter(request, path.removeprefix(DOOR))
        number = by.bearer(_cookie(request.headers, by.cookie))
        if number is None:
            return self._refuse(request, 403, _LOCKED)
        request.state.token = by.token(number)
        return None

    def _enter(self, request: Request, given: str) -> Response:
        if request.method != "GET":
            return self._refuse(request, 405, "The link is only opened.")
        if wait := self._by.guesses.wait():
            answer = self._refuse(request, 429, f"Too many wrong links were tried: try yours again in {wait} s.")
            answer.headers["retry-after"] = str(wait)
            return answer
        if not _same(given, self._by.secret):
            self._by.guesses.wrong()
            return self._refuse(request, 403, _LOCKED)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            self._by.cookie,
            self._by.pass_for(secrets.token_urlsafe(16)),
            max_age=_COOKIE_SECONDS,
            httponly=True,
            samesite="strict",
        )
        return answer

    def _check_form(self, request: Request, body: bytes) -> Response | None:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            return self._refuse(request, 415, "The page only takes the forms that it shows.")
        try:
            fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
        except ValueError:
            return self._refuse(request, 400, "This form cannot be read.")
        form = ImmutableMultiDict(fields)
        if not _same(form.get("token", ""), request.state.token):
            return self._refuse(request, 403, _STALE)
        request.state.form = form
        return None


_LOCKED = "This page is locked. Open the link that `samoloop web` printed in its terminal."
_NO_HOST = (
    "The page does not go by the name in this address. Open it by the link that `samoloop web` printed, or let the "
    "name through: samoloop web --allow-host NAME"
)
_FOREIGN = "Another site asked for this, so it was not done."
_STALE = "This form is of an earlier start of the page, so nothing was done. Load the page again."
_BODIES = {408: "The form came too slowly.", 413: f"A form holds at most {MOST_BYTES // 1000} kB."}


def _name_of(host: str) -> str:
    """The name in a Host header, without its port; empty where it is none."""
    found = re.fullmatch(r"(\[[0-9a-f:.]+\]|[\w.-]+)(?::\d{1,5})?", host.lower(), re.ASCII)
    return found[1].strip("[]").rstrip(".") if found else ""


def _is_foreign(headers: Headers, host: str, method: str) -> bool:
    """Whether another site has sent it: to change something, or to have what only a person may look at."""
    origin, fetched = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        return True
    if method == "POST":
        return (origin is None and fetched is None) or fetched not in (None, "same-origin")
    looked_at = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    return fetched not in (None, "same-origin", "none") and not looked_at


def _cookie(headers: Headers, name: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


async def _body(receive: Receive) -> bytes | int:
    """All of a form; a status code where it is too long, or takes too long."""
    body = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return 408
                body += bytes(message.get("body", b""))
                if len(body) > MOST_BYTES:
                    return 413
                if not message.get("more_body"):
                    return body
    except TimeoutError:
        return 408


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once more, for the page."""
    given: Iterable[Message] = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def again() -> Message:
        return next(iter(given), None) or await receive()

    return again


def _with_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            is_picture = headers.get("content-type", "").startswith("image/svg")
            headers["content-security-policy"] = _POLICY_OF_PICTURES if is_picture else _POLICY
            headers.setdefault("cache-control", "no-store")
            for name, value in _HEADERS.items():
                headers[name] = value
        await send(message)

    return guarded
