"""The backlogs as boards, their tasks put in order; `up` on and off."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from samoloop.api import backlog
from samoloop.base.errors import UsageError, shown
from samoloop.base.values import frozen
from samoloop.core.backlog import Standing
from samoloop.queue import background
from samoloop.queue.service import unit_path
from samoloop.ui.cli.always import JOBS, MOST_JOBS
from samoloop.ui.terminal.backlog_tree import reason
from samoloop.ui.web.pages.asked import number_typed, typed
from samoloop.ui.web.render import page, redirect
from samoloop.ui.web.site import Backlog, Row, Site

_DONE_SHOWN = 10
_MEANINGS: Mapping[str, tuple[str, str]] = {
    Standing.WAITS: ("warn", "its session waits for you"),
    Standing.WRONG: ("bad", "its file cannot be used"),
    Standing.RUNS: ("busy", "its session is at work"),
    Standing.READY: ("good", "it starts when samoloop up is on and there is room"),
    Standing.LIMITED: (
        "warn",
        "its session meets a usage limit; its worker, or samoloop up, goes on when that is over",
    ),
    Standing.AFTER: ("", "others come first"),
    Standing.LATER: ("", "its time has not come"),
    Standing.HELD: ("warn", "not before you let it go, or what holds it goes on"),
    Standing.DONE: ("good", "its session is done"),
}


@frozen
class Card:
    """A task on the board."""

    row: Row
    why: str
    url: str  # of its session; empty where it has none


def board(request: Request) -> Response:
    """GET /backlog: the tasks of all projects by how they stand; ?project= shows one."""
    site: Site = request.app.state.site
    now, asked = datetime.now(UTC), request.query_params.get("project")
    every = site.backlogs(now.timestamp())
    shown_here = [one for one in every if str(one.project.root) == asked] or every
    urls = {(one.root, row["session"]): row["url"] for one in site.projects() for row in one.rows}
    return page(
        request,
        "backlog.html",
        projects=[
            {
                "name": one.project.name,
                "root": str(one.project.root),
                "problem": one.problem,
                "columns": _columns(one, now, urls),
                "new": "/new?" + urlencode({"project": str(one.project.root)}, errors="replace"),
            }
            for one in shown_here
            if one.rows or one.problem or len(shown_here) == 1
        ],
        others=[(one.project.name, url_of(one.project.root)) for one in every] if len(every) > 1 else [],
        asked=asked if any(str(one.project.root) == asked for one in every) else "",
        up=_up_now(site),
        jobs=JOBS,
        most=MOST_JOBS,
    )


def _columns(tasks: Backlog, now: datetime, urls: Mapping[tuple[Path, str], str]) -> list[dict[str, Any]]:
    found, root, rows = [], tasks.project.root, tasks.rows
    for standing, (tone, meaning) in _MEANINGS.items():
        here = sorted((row for row in rows if row["stands"] == standing), key=lambda row: -row["priority"])
        if here:
            limit = _DONE_SHOWN if standing == Standing.DONE else len(here)
            cards = [Card(row, reason(row, now), urls.get((root, row["session"] or ""), "")) for row in here[:limit]]
            found.append({"name": str(standing), "tone": tone, "meaning": meaning, "cards": cards, "all": len(here)})
    return found


def order(request: Request) -> Response:
    """POST /backlog: one of drop, hold, let_go and first, for a task."""
    form, environ = request.state.form, request.app.state.site.environ
    root = request.app.state.site.root(form.get("root", ""))
    name, now, act = form.get("name", ""), time.time(), form.get("act", "")
    if act == "drop":
        said = "; ".join(backlog.drop(root, [name], environ, now))
    elif act in ("hold", "let_go"):
        said = backlog.hold(root, name, act == "hold", environ, now)
    elif act == "first":
        said = backlog.first(root, name, environ, now)
    else:
        raise UsageError(f"a backlog knows no {shown(act)}")
    return redirect(url_of(root) if form.get("one") else "/backlog", said)


def up(request: Request) -> Response:
    """POST /up: act=on with so many jobs, act=off."""
    form, environ = request.state.form, request.app.state.site.environ
    act = form.get("act", "")
    if act == "on":
        is_new = background.turn_on(environ, _jobs(form))
        said = "is on. It stays on when this page is closed." if is_new else "was on already, and stays as it is."
    elif act == "off":
        was_on = background.turn_off(environ)
        said = "is off: it starts nothing more. What is at work goes on to its next rest." if was_on else "was not on."
    else:
        raise UsageError(f"samoloop up can be turned on or off, and not {shown(act)}")
    return redirect("/backlog", f"samoloop up {said}")


def _jobs(form: Mapping[str, str]) -> int:
    text = typed(form, "jobs").strip()
    jobs = number_typed(text, "Children at once", int)
    if jobs is None or not 1 <= jobs <= MOST_JOBS:
        raise UsageError(f"Children at once: a number from 1 to {MOST_JOBS}, please, and not {shown(text)}")
    return int(jobs)


def _up_now(site: Site) -> dict[str, Any]:
    pid = background.process(site.environ)
    said = background.last_words(site.environ) if pid is not None else []
    return {"on": pid is not None, "pid": pid, "said": said, "service": unit_path(site.environ).exists()}


def url_of(root: Path) -> str:
    return "/backlog?" + urlencode({"project": str(root)}, errors="replace")


ROUTES: list[BaseRoute] = [
    Route("/backlog", board),
    Route("/backlog", order, methods=["POST"]),
    Route("/up", up, methods=["POST"]),
]
