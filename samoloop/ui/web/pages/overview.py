"""All sessions of all projects: those that wait for a person first, with the answer's buttons there."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from samoloop.api.status import Group, group, ranked
from samoloop.base.errors import SamoloopError
from samoloop.base.values import frozen
from samoloop.core.session import Session
from samoloop.queue import background
from samoloop.ui.terminal.overview import how_long, stands, tone_of, why
from samoloop.ui.web.pages import gate
from samoloop.ui.web.render import page, speaker
from samoloop.ui.web.site import Project, Row, Site

_OVER_SHOWN = 20  # of those that are over, where not all are asked for
_ANSWERED_HERE = 20  # gates with their buttons; the others are a link away


@frozen
class Entry:
    """A session in the list."""

    row: Row
    stands: str
    tone: str
    why: str
    age: str
    asks: gate.Shown | None = None  # its open gate, to be answered there


async def overview(request: Request) -> Response:
    """GET /: ?project= shows one alone, ?all also all that are over, ?archived those that were put away."""
    site: Site = request.app.state.site
    if request.headers.get("sec-fetch-mode", "navigate") == "navigate":
        return await run_in_threadpool(_page, request, site)
    key = (request.url.query, request.state.token, speaker(request))
    flight = site.flight(key)
    made = await run_in_threadpool(flight.share, lambda: bytes(_page(request, site).body), flight.ticket())
    return HTMLResponse(made)


def _page(request: Request, site: Site) -> Response:
    asked = request.query_params
    projects = site.projects(archived="archived" in asked)
    chosen = [project for project in projects if str(project.root) == asked.get("project")]
    rows = ranked(row for project in chosen or projects for row in project.rows)
    now, every = datetime.now(UTC), "all" in asked or "archived" in asked
    groups: dict[Group, list[Row]] = {name: [] for name in _TITLES}
    for row in rows:
        groups[_group(row)].append(row)
    over = groups[Group.OVER]
    groups[Group.OVER] = over if every else over[:_OVER_SHOWN]
    gates = _gates(site, groups[Group.YOU][:_ANSWERED_HERE], speaker(request))
    notes = _NOTES_WITH_UP if background.process(site.environ) is not None else _NOTES
    return page(
        request,
        "overview.html",
        groups=[
            (str(name), title, notes.get(name, ""), [_entry(row, now, gates.get(row["tag"])) for row in groups[name]])
            for name, title in _TITLES.items()
        ],
        waiting=len(groups[Group.YOU]),
        working=len(groups[Group.WORK]),
        hidden=len(over) - len(groups[Group.OVER]),
        every=_link(chosen, all=""),
        archived=_link(chosen, archived=""),
        projects=[_filter(project) for project in projects],
        chosen=str(chosen[0].root) if chosen else "",
        problems=[project.problem for project in projects if project.problem],
        start=_link(chosen, "/new"),
    )


_TITLES: Mapping[Group, str] = {
    Group.YOU: "Waits for you",
    Group.WORK: "At work",
    Group.LIMITED: "Limited",
    Group.READY: "Ready",
    Group.OVER: "Over",
}
_NOTES: Mapping[Group, str] = {
    Group.YOU: "Nothing runs meanwhile, and nothing is paid for.",
    Group.LIMITED: "Each goes on by itself when its limit is over.",
    Group.READY: "Nobody goes on with these: open one and resume it, or let samoloop up do it.",
}
_NOTES_WITH_UP = {**_NOTES, Group.READY: "samoloop up goes on with each when it can."}


def _group(row: Row) -> Group:
    found = group(row)
    return Group.OVER if found is Group.ARCHIVED else found


def _entry(row: Row, now: datetime, open_gate: gate.Shown | None) -> Entry:
    return Entry(row, stands(row), tone_of(row), why(row, now), how_long(row, now), open_gate)


def _gates(site: Site, rows: Sequence[Row], by: str) -> dict[str, gate.Shown]:
    """The open gates of these, made again only where a file of one changed."""
    found = {}
    for row in rows:
        if row["waits_for"]:
            shown = site.kept(row, by, partial(_shown, row, by))
            if shown is not None:
                found[row["tag"]] = shown
    return found


def _shown(row: Row, by: str) -> gate.Shown | None:
    try:
        return gate.shown(Session(Path(row["folder"])), by, back=gate.OVERVIEW)
    except (SamoloopError, OSError):  # it went, or was damaged, since it was looked at
        return None


def _filter(project: Project) -> dict[str, Any]:
    waiting = sum(_group(row) is Group.YOU for row in project.rows)
    return {"name": project.name, "root": str(project.root), "url": _link([project]), "waiting": waiting}


def _link(chosen: Sequence[Project], path: str = "/", **more: str) -> str:
    query = urlencode({**({"project": str(chosen[0].root)} if chosen else {}), **more}, errors="replace")
    return f"{path}?{query}" if query else path


ROUTES: list[BaseRoute] = [Route("/", overview)]
