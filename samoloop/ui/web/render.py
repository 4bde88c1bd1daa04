"""From values to pages: the templates, what they can call, and who sits at the browser."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from urllib.parse import quote, unquote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from samoloop import __version__
from samoloop.base.durations import format_seconds
from samoloop.base.files import sha256
from samoloop.base.printable import one_line, printable
from samoloop.ui.terminal.words import age, spending

HERE = Path(__file__).parent
_NAME, _NOTICE = "samoloop-name", "samoloop-notice"  # cookies
_LONGEST_NAME, _LONGEST_NOTICE = 40, 500  # characters
_said: dict[str, str] = {}  # notices by number, until they are shown: what another port sets as a cookie says nothing
_MOST_SAID = 100
_TITLES = {400: "Not understood", 403: "Not let in", 404: "Not found", 409: "Not done", 500: "A fault"}


def page(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """A page for the person at the browser. Templates know also token, who, notice, path and version."""
    is_looked_at = request.headers.get("sec-fetch-mode", "navigate") == "navigate"
    notice = _said.pop(request.cookies.get(_NOTICE, ""), "") if is_looked_at else ""
    known = {
        "request": request,
        "token": getattr(request.state, "token", ""),
        "who": _name(request),
        "notice": notice,
        "path": request.scope["path"],
        "version": __version__,
    }
    made = HTMLResponse(_templates().get_template(template).render(known | values), status)
    if notice:
        made.delete_cookie(_NOTICE, httponly=True, samesite="strict")
    return made


def refusal(request: Request, status: int, sentence: str) -> Response:
    """A page that says why there is no other one."""
    title = _TITLES.get(status) or HTTPStatus(status).phrase.capitalize()
    came_from_elsewhere = request.headers.get("sec-fetch-site") in ("cross-site", "same-site")
    again = "/" + quote(request.scope["path"].lstrip("/")) if status == 403 and came_from_elsewhere else ""
    return page(request, "error.html", status, sentence=sentence, title=title, again=again)


def redirect(url: str, notice: str = "") -> Response:
    """After a change: the page that shows it, with a sentence on what was done."""
    answer = RedirectResponse(url, 303)
    if notice:
        number = token_urlsafe(9)
        _said[number] = one_line(notice, _LONGEST_NOTICE)
        while len(_said) > _MOST_SAID:
            del _said[next(iter(_said))]
        answer.set_cookie(_NOTICE, number, max_age=60, httponly=True, samesite="strict")
    return answer


def speaker(request: Request) -> str:
    """Who acts, for the journal: by the name that they gave in the footer; two browsers without one are two people."""
    return f"{_name(request) or f'Browser {sha256(request.state.token)[:4]}'} (page)"


def keep_name(request: Request) -> Response:
    """POST /name: how the person at this browser is called in the journal."""
    answer = redirect("/", "The journal calls you so now.")
    name = quote(one_line(request.state.form.get("name", "").strip(), _LONGEST_NAME))
    answer.set_cookie(_NAME, name, max_age=365 * 24 * 3600, httponly=True, samesite="strict")
    return answer


def _name(request: Request) -> str:
    return one_line(unquote(request.cookies.get(_NAME, "")[: _LONGEST_NAME * 12]), _LONGEST_NAME)


def ago(when: str | datetime | None) -> str:
    """`5m ago`, of a time as the journal writes it; empty for none."""
    if not when:
        return ""
    moment = datetime.fromisoformat(when) if isinstance(when, str) else when
    return f"{age(moment, datetime.now(UTC))} ago"


def money(cost_usd: float | None, virtual_usd: float = 0.0, unpriced: int = 0) -> str:
    return spending(cost_usd or 0.0, virtual_usd, unpriced or (cost_usd is None))


@cache
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        finalize=lambda value: printable(value) if type(value) is str else value,  # marked-up text was made so before
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    filters: dict[str, Callable[..., str]] = {"ago": ago, "money": money, "duration": format_seconds}
    made.filters.update(filters)
    return made
