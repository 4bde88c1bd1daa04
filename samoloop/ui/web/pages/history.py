"""Search over all sessions, numbers and pictures over time."""

import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from samoloop.api import stats
from samoloop.api.cache import CacheError
from samoloop.api.said import DOCUMENT, LOG
from samoloop.api.search import Hit, Index
from samoloop.base.clock import local_zone
from samoloop.base.errors import SamoloopError
from samoloop.config.projects import names_of
from samoloop.core.session import Session, undated
from samoloop.ui.terminal.hits import place
from samoloop.ui.terminal.stats_text import by_name, facts, first_try
from samoloop.ui.web.render import page
from samoloop.ui.web.site import Site, url_of

_HITS = 20  # on one page
_MOST_PAGES = 50
_PATIENCE_SECONDS = 0.3  # for what is new to be read, before what is known is searched
_SUM_SECONDS = 20.0  # that who comes second waits for the sums of the first
_KEPT_SECONDS = 5.0  # sums, for the pictures of the page that showed them
_SPANS = (("7", "a week"), ("30", "30 days"), ("90", "90 days"), ("365", "a year"), ("all", "all time"))
_SPAN = "30"
PICTURES = {  # of each group
    "days": ("cost", "iterations", "time", "vetoes", "checks"),
    "workflows": ("cost", "iterations"),
    "phases": ("cost", "iterations", "time"),
    "providers": ("cost", "iterations"),
    "projects": ("cost", "time"),
}


class Past:
    """What these pages keep of one asking for the next."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.index = Index(site.environ)
        self._sums: dict[tuple[str, str], tuple[float, stats.Stats]] = {}
        self._turn = threading.Lock()  # who comes while the sums are made shares them

    def roots(self, project: str = "") -> list[Path]:
        """Raises UsageError where there is no such project."""
        return stats.chosen(self._site.environ, self._site.here, project or None)

    def projects(self) -> dict[str, str]:
        """What people read for each, by its root."""
        return {str(root): name for root, name in names_of(self.roots()).items()}

    def sums(self, span: str, project: str) -> stats.Stats:
        """Raises UsageError where there is no such project, SamoloopError where the disk of one hangs."""
        days = int(span) if span != "all" else None
        if not self._turn.acquire(timeout=_SUM_SECONDS):
            raise SamoloopError("The numbers are not there yet: the disk of a project does not answer, or is slow.")
        try:
            now = time.monotonic()
            self._sums = {key: known for key, known in self._sums.items() if now - known[0] < _KEPT_SECONDS}
            if (span, project) not in self._sums:
                found = stats.stats(self._site.environ, self.roots(project), days, time.time(), local_zone())
                self._sums[span, project] = time.monotonic(), found
            return self._sums[span, project][1]
        finally:
            self._turn.release()


def _past(request: Request) -> Past:
    found: Past = request.app.state.past
    return found


def search(request: Request) -> Response:
    """GET /search?q=&project=&order=newest&page=2"""
    past, asked = _past(request), request.query_params
    words, project, newest = asked.get("q", ""), asked.get("project", ""), asked.get("order") == "newest"
    number = _whole(asked.get("page", ""), _MOST_PAGES)
    roots = past.roots(project) if project else []
    hits: list[Hit] = []
    problem = ""
    past.index.update_in_background(past.roots())
    if words.strip():
        past.index.wait(_PATIENCE_SECONDS)
        try:
            skip = (number - 1) * _HITS
            hits = past.index.find(words, roots=roots, newest=newest, limit=_HITS + 1, skip=skip)
        except CacheError as error:
            problem = str(error)
    progress, projects = past.index.progress, past.projects()
    return page(
        request,
        "search.html",
        words=words,
        project=project,
        projects=list(projects.items()),
        newest=newest,
        hits=[_shown(hit, projects.get(hit.project, hit.project)) for hit in hits[:_HITS]],
        first=(number - 1) * _HITS + 1,
        more=_address("/search", q=words, project=project, order=asked.get("order", ""), page=str(number + 1))
        if len(hits) > _HITS and number < _MOST_PAGES
        else "",
        progress=progress if past.index.is_updating and (progress.read or not hits) else None,
        problem=problem or progress.trouble,
    )


def _shown(hit: Hit, project: str) -> dict[str, Any]:
    url = url_of(Session(Path(hit.folder)))
    if hit.kind == DOCUMENT:
        url += f"/document/{quote(hit.place, safe='')}"
    elif hit.kind == LOG:
        url += f"/log/{hit.iteration}"
    return {"url": url, "name": undated(hit.session), "project": project, "place": place(hit), "hit": hit}


def numbers(request: Request) -> Response:
    """GET /stats?since=30&project="""
    past = _past(request)
    span, project = _asked(request)
    found = past.sums(span, project)
    return page(
        request,
        "stats.html",
        found=found,
        facts=facts(found),
        groups=[(group, _rows(found, group)) for group in PICTURES],
        pictures={
            group: [(_address(f"/chart/{what}-{group}.svg", since=span, project=project), what) for what in whats]
            for group, whats in PICTURES.items()
        },
        first_try=first_try,
        spans=_SPANS,
        span=span,
        project=project,
        projects=list(past.projects().items()),
    )


def _rows(found: stats.Stats, group: str) -> list[tuple[str, stats.Row]]:
    """As the table of a group has them; of days the newest first."""
    rows = by_name(found.projects) if group == "projects" else getattr(found, group)
    return list(rows.items())[:: -1 if group == "days" else 1]


def picture(request: Request) -> Response:
    """GET /chart/{what}-{group}.svg?since=30&project="""
    from samoloop.ui.web import charts  # with a library that no other page needs

    what, group = request.path_params["what"], request.path_params["group"]
    if what not in PICTURES.get(group, ()):
        raise HTTPException(404)
    found = charts.svg(charts.of_stats(_past(request).sums(*_asked(request)), what, group))
    return Response(found, media_type="image/svg+xml")


def _asked(request: Request) -> tuple[str, str]:
    """Which days, and which project."""
    span = request.query_params.get("since", _SPAN)
    return span if span in dict(_SPANS) else _SPAN, request.query_params.get("project", "")


def _address(path: str, **query: str) -> str:
    given = {key: value for key, value in query.items() if value}
    return f"{path}?{urlencode(given, errors='replace')}"


def _whole(text: str, most: int) -> int:
    return min(max(int(text), 1), most) if text.isascii() and text.isdecimal() and len(text) < 5 else 1


ROUTES: list[BaseRoute] = [
    Route("/search", search),
    Route("/stats", numbers),
    Route("/chart/{what}-{group}.svg", picture),
]
