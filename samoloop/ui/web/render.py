"""From values to pages: the templates, what they can call, and who sits at the browser."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from samoloop import __version__
from samoloop.base.durations import format_seconds
from samoloop.base.printable import one_line, printable
from samoloop.ui.terminal.words import age, spending

HERE = Path(__file__).parent
_NAME, _NOTICE = "samoloop-name", "samoloop-notice"  # cookies
_LONGEST_NAME, _LONGEST_NOTICE = 40, 500  # characters


def page(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """A page for the person at the browser. Templates know also token, who, notice, path and version."""
    is_looked_at = request.headers.get("sec-fetch-mode", "navigate") == "navigate"
    notice = _kept(request, _NOTICE, _LONGEST_NOTICE) if is_looked_at else ""
    known = {
        "request": request,
        "token": getattr(request.state, "token", ""),
        "who": _kept(request, _NAME, _LONGEST_NAME),
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
    return page(request, "error.html", status, sentence=sentence, title=HTTPStatus(status).phrase)


def redirect(url: str, notice: str = "") -> Response:
    """After a change: the page that shows it, with a sentence on what was done."""
    answer = RedirectResponse(url, 303)
    if notice:
        said = quote(one_line(notice, _LONGEST_NOTICE))
        answer.set_cookie(_NOTICE, said, max_age=60, httponly=True, samesite="strict")
    return answer


def speaker(request: Request) -> str:
    """Who acts, for the journal: by the name that they gave in the footer."""
    return f"{_kept(request, _NAME, _LONGEST_NAME) or 'Browser'} (page)"


def keep_name(request: Request) -> Response:
    """POST /name: how the person at this browser is called in the journal."""
    answer = redirect("/", "The journal calls you so now.")
    name = quote(one_line(request.state.form.get("name", "").strip(), _LONGEST_NAME))
    answer.set_cookie(_NAME, name, max_age=365 * 24 * 3600, httponly=True, samesite="strict")
    return answer


def _kept(request: Request, cookie: str, longest: int) -> str:
    return one_line(unquote(request.cookies.get(cookie, "")[: longest * 12]), longest)


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
