"""Who may speak to the page: the one who holds the secret, from the page itself, by a name that it goes by.

A browser carries requests of every page that a person opens to every address that it can reach, a child in its sandbox
reaches this machine's ports too, and a cookie is sent to all ports of a host, so also to a server that a child started.
Therefore:

- The page has a host name of its own, which nobody can guess, for the link; and it answers to the names of loopback and
  those that a person let through, and to no other: a site whose name was made to lead here gets nothing.
- All but the door needs a cookie that this process gave. Secret and cookies end with it: a child that takes the port
  afterwards is sent the browser's old cookie, and has nothing of it.
- A change also needs the origin of this page, and a token that only the forms for this cookie hold.
"""

import asyncio
import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, ImmutableMultiDict, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from samoloop.base.values import frozen

DOOR = "/enter/"
MOST_BYTES = 1_000_000  # of a form
_MOST_FIELDS = 1000
_FORM_SECONDS = 30.0  # in which it has to come
_OPEN = "/static/"  # holds nothing of anybody
_COOKIE_SECONDS = 30 * 24 * 3600  # at most: it ends with the process
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_POLICY_OF_PICTURES = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with no-referrer a browser says of its own form that it comes from nowhere
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}
_SHOWN = ("text/html", "text/css", "text/javascript", "text/event-stream", "image/svg+xml")  # else it is a download
_ON = '<!doctype html><html lang="en"><meta http-equiv="refresh" content="0;url=/"><title>samoloop</title>'
_GUESSES = 10  # at once
_GUESS_SECONDS = 6.0  # until one more may be made
_ONCE_SECONDS = 60.0

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


@frozen
class Guarding:
    """What the guard goes by: secret and name of this start, and the hosts that a person let through."""

    port: int
    names: frozenset[str] = frozenset()  # lower case, besides those of loopback
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    name: str = field(default_factory=lambda: f"samoloop-{secrets.token_hex(8)}.localhost", repr=False)
    guesses: Guesses = field(default_factory=Guesses)
    monotonic: Callable[[], float] = field(default=time.monotonic)
    _once: dict[str, float] = field(default_factory=dict, repr=False)

    def once(self) -> str:
        """A secret for one opening within a minute: what starts a browser shows it to all who list processes."""
        made = secrets.token_urlsafe(32)
        self._once[made] = self.monotonic() + _ONCE_SECONDS
        return made

    def opens(self, given: str) -> bool:
        """Whether that is the secret, or one for a single opening, which is used up thereby."""
        for single in [single for single in self._once if _same(given, single)]:
            return self._once.pop(single) > self.monotonic()
        return _same(given, self.secret)

    @property
    def cookie(self) -> str:
        """The name of the cookie: two pages of one machine share the browser's cookies."""
        return f"samoloop-{self.port}"

    def goes_by(self, host: str) -> bool:
        return host in _LOOPBACK or host == self.name or host in self.names

    def pass_for(self, number: str) -> str:
        """The cookie of one browser."""
        return f"{number}.{self._signed('cookie', number)}"

    def bearer(self, given: Iterable[str]) -> str | None:
        """The number in the one of these cookies that this process gave; None where it gave none of them."""
        numbers = ((cookie, cookie.partition(".")[0]) for cookie in given)
        return next((number for cookie, number in numbers if _same(cookie, self.pass_for(number))), None)

    def token(self, number: str) -> str:
        """What the forms of that browser hold."""
        return self._signed("form", number)

    def _signed(self, use: str, number: str) -> str:
        return hmac.new(self.secret.encode(), f"{use} {number}".encode(), "sha256").hexdigest()


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


class Guard:
    """Outermost: what it does not let through, no page sees.

    A page finds in `request.state` the token for its forms, and what a form held as `form`.
    """

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
            answer = self._refuse(request, body, _BODIES[body]) if isinstance(body, int) else self._form(request, body)
        await (answer or self._app)(scope, receive, send)

    def _answer(self, request: Request) -> Response | None:
        """What is answered without a page; None: a page may answer."""
        path, by = request.scope["path"], self._by
        hosts = request.headers.getlist("host")
        if len(hosts) != 1 or not by.goes_by(_name_of(hosts[0])):
            return self._refuse(request, 421, _NO_HOST)
        if request.method not in ("GET", "HEAD", "POST"):
            return self._refuse(request, 405, "The page only takes GET and POST.")
        if _is_foreign(request.headers, hosts[0], request.method):
            return self._refuse(request, 403, _FOREIGN)
        if path.startswith(_OPEN) and request.method != "POST":
            return None
        number = by.bearer(_cookies(request.headers, by.cookie))
        if path.startswith(DOOR):
            return self._enter(request, path.removeprefix(DOOR), number)
        if number is None:
            return self._refuse(request, 403, _LOCKED)
        request.state.token = by.token(number)
        return None

    def _enter(self, request: Request, given: str, number: str | None) -> Response:
        if request.method != "GET":
            return self._refuse(request, 405, "The link is only opened.")
        if number is not None:  # is in already, whatever others try
            return _on(request)
        if wait := self._by.guesses.wait():
            answer = self._refuse(request, 429, f"Too many wrong links were tried: try yours again in {wait} s.")
            answer.headers["retry-after"] = str(wait)
            return answer
        if not self._by.opens(given):
            self._by.guesses.wrong()
            return self._refuse(request, 403, _LOCKED)
        answer = _on(request)
        answer.set_cookie(
            self._by.cookie,
            self._by.pass_for(secrets.token_urlsafe(16)),
            max_age=_COOKIE_SECONDS,
            httponly=True,
            samesite="strict",
            secure=request.headers.get("x-forwarded-proto") == "https",
        )
        return answer

    def _form(self, request: Request, body: bytes) -> Response | None:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            return self._refuse(request, 415, "The page only takes the forms that it shows.")
        try:
            fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
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
    if origin is not None and origin.lower() not in (f"http://{host.lower()}", f"https://{host.lower()}"):
        return True
    if method == "POST":
        return (origin is None and fetched is None) or fetched not in (None, "same-origin")
    is_visit = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    return fetched not in (None, "same-origin", "none") and not is_visit


def _cookies(headers: Headers, name: str) -> Iterator[str]:
    """All of that name: another port of this host may have set one too."""
    for header in headers.getlist("cookie"):
        for pair in header.split(";"):
            known, _, value = pair.strip().partition("=")
            if known == name:
                yield value


def _on(request: Request) -> Response:
    """To the overview. Where another site or program led to the link, only a page of ours can send the cookie along."""
    if request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        return HTMLResponse(_ON)
    return RedirectResponse("/", 303)


async def _body(receive: Receive) -> bytes | int:
    """All of a form; a status code where it is too long, or takes too long."""
    body = b""
    try:
        async with asyncio.timeout(_FORM_SECONDS):
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


def _with_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            kind = headers.get("content-type", "").partition(";")[0]
            is_picture = kind == "image/svg+xml"
            headers["content-security-policy"] = _POLICY_OF_PICTURES if is_picture else _POLICY
            headers.setdefault("cache-control", "no-store")
            if kind and kind not in _SHOWN:
                headers.setdefault("content-disposition", "attachment")
            for name, value in _HEADERS.items():
                headers[name] = value
        await send(message)

    return guarded
