"""Start a task, add one to a backlog, put a backlog in order, `up` on and off."""

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from samoloop.api import backlog
from samoloop.api.asked import How, Order, Wishes
from samoloop.api.detach import detach
from samoloop.api.hand_off import hand_off
from samoloop.base.errors import SamoloopError, UsageError, sentence, shown
from samoloop.base.places import state_folder
from samoloop.config import loading, task_files, workflow_files
from samoloop.config.keys import BUILT_IN, Finish
from samoloop.config.project import find_root
from samoloop.core.backlog import Standing
from samoloop.providers import installed
from samoloop.queue import background
from samoloop.queue.service import unit_path
from samoloop.ui.cli.always import JOBS, MOST_JOBS
from samoloop.ui.cli.backlog import keys_of
from samoloop.ui.cli.common import as_settings
from samoloop.ui.terminal.backlog_tree import reason
from samoloop.ui.web.pages.asked import number_typed, typed
from samoloop.ui.web.render import page, redirect, speaker
from samoloop.ui.web.site import Backlog, Row, Site, url_of

_SENT = 200  # forms whose effect is known, so that one sent twice acts once
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
_FIELDS = (
    *("task", "project", "folder", "workflow", "provider", "name", "base", "until"),
    *("max_iterations", "max_time", "max_cost", "finish", "after", "at", "every", "priority"),
)


# --- a new task -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Choice:
    """One of several in a form."""

    value: str
    words: str


class Once:
    """What became of forms, by the number that each holds."""

    def __init__(self) -> None:
        self.turn = threading.Lock()  # one hand-off after the other
        self._urls: OrderedDict[str, str] = OrderedDict()

    def url(self, number: str) -> str:
        return self._urls.get(number, "")

    def keep(self, number: str, url: str) -> None:
        self._urls[number] = url
        while len(self._urls) > _SENT:
            self._urls.popitem(last=False)


_sent = Once()


def new(request: Request) -> Response:
    """GET /new: the form for a task; ?project= chooses one."""
    return _form(request, {"project": request.query_params.get("project", "")})


def send(request: Request) -> Response:
    """POST /new: start it, or with act=add put it into the backlog. What is refused keeps what was typed."""
    form = request.state.form
    given = {name: typed(form, name).strip() for name in _FIELDS}
    number = form.get("number", "")
    try:
        with _sent.turn:
            if url := _sent.url(number):
                return redirect(url, "That was sent already; this is what came of it.")
            act = _add if form.get("act") == "add" else _start
            url, notice = act(request, given, in_place=form.get("where") == "in_place")
            if number:
                _sent.keep(number, url)
        return redirect(url, notice)
    except (SamoloopError, OSError) as error:
        return _form(request, given, sentence(error), in_place=form.get("where") == "in_place")


def _start(request: Request, given: Mapping[str, str], *, in_place: bool) -> tuple[str, str]:
    """A new session with a worker in the background, as `run --detach`."""
    root = _root(request, given, in_place=in_place)
    if not given["task"]:
        raise UsageError("say in a sentence what is to be done")
    environ = request.app.state.site.environ
    wishes = Wishes(given["workflow"] or None, given["until"] or None)
    base = None if in_place else given["base"]
    name = given["name"] or None
    order = Order(root, given["task"], wishes, base, name, as_settings(_settings(given)), speaker(request))
    session = hand_off(order, environ)
    try:
        detach(session, How(), environ)
    except (SamoloopError, OSError) as error:
        return url_of(session), f"It is handed off, and no worker could be started: {sentence(error)}"
    return url_of(session), "It is handed off: a worker is at it. You can close this page at any time."


def _add(request: Request, given: Mapping[str, str], *, in_place: bool) -> tuple[str, str]:
    """A file in the backlog, as `add`."""
    if in_place:
        raise UsageError("a task of the backlog gets a branch of its own: to work in the folder itself, start it now")
    if given["until"]:
        raise UsageError("a task of the backlog goes to its end: start it now to end with a phase")
    root = _root(request, given, in_place=False)
    said = {
        **_settings(given),
        **{key: given[key] or None for key in ("workflow", "base", "every", "at")},
        "after": tuple(given["after"].replace(",", " ").split()),
        "priority": number_typed(given["priority"], "Priority", int),
    }
    keys = keys_of(said, "Not before")
    environ = request.app.state.site.environ
    added = backlog.add(root, task_files.written(given["task"], keys), environ, time.time(), name=given["name"])
    note = backlog.narrowed(added, loading.load(root, environ).finish)[1]
    more = "" if background.process(environ) is not None else "; turn samoloop up on, and it starts when its turn comes"
    return _board_url(root), f"{added.name} is in the backlog{more}" + (f" ({note})" if note else "")


def _settings(given: Mapping[str, str]) -> dict[str, Any]:
    return {
        "provider": given["provider"] or None,
        "finish": given["finish"] or None,
        "max_iterations": number_typed(given["max_iterations"], "At most so many iterations", int),
        "max_time": given["max_time"] or None,
        "max_cost": number_typed(given["max_cost"], "At most so much", float),
    }


def _root(request: Request, given: Mapping[str, str], *, in_place: bool) -> Path:
    """The project: one that is known, or a folder that was typed. Raises UsageError."""
    site: Site = request.app.state.site
    if not given["folder"]:
        if not given["project"]:
            raise UsageError("which project? Type its folder")
        return site.root(given["project"])
    try:
        folder = Path(given["folder"]).expanduser()
        if not folder.is_absolute() or not folder.is_dir():
            raise UsageError(f"{shown(given['folder'])} is no folder here: give its whole path, such as ~/code/shop")
        found = folder.resolve() if in_place else find_root(folder)
    except (RuntimeError, ValueError):  # ~nobody, or a zero byte
        raise UsageError(f"{shown(given['folder'])} is no folder here") from None
    if found is None:
        raise UsageError(
            f"{folder} is in no git repository: in a terminal there, `git init` and make a first commit, "
            "or choose to work in the folder itself"
        )
    return found


def _form(request: Request, given: Mapping[str, str], problem: str = "", *, in_place: bool = False) -> Response:
    site: Site = request.app.state.site
    projects = [project for project in site.projects() if not project.problem]
    chosen = next((one.root for one in projects if str(one.root) == given.get("project")), None)
    chosen = chosen or site.here or (projects[0].root if projects else None)
    workflows, provider, is_here, ready, trouble = _choices(chosen, site.environ)
    given = dict(given)
    if not is_here and len(ready) > 1 and not problem:
        given["provider"] = ready[0].value
    return page(
        request,
        "new.html",
        409 if problem else 200,
        problem=problem or trouble,
        given={name: given.get(name, "") for name in _FIELDS} | {"project": str(chosen or "")},
        in_place=in_place,
        projects=[Choice(str(one.root), one.name) for one in projects],
        workflows=workflows,
        provider=provider,
        missing="" if is_here else _missing(provider, ready),
        ready=ready,
        finishes=[word.value for word in Finish],
        number=token_urlsafe(9),
    )


def _missing(provider: str, ready: Sequence[Choice]) -> str:
    more = (
        f"{ready[0].value} is, so it is chosen here." if len(ready) > 1 else "Install one, or look at the demo first."
    )
    return f"Your settings name {provider}, which is not installed here. {more} samoloop doctor says more."


def _choices(root: Path | None, environ: Mapping[str, str]) -> tuple[list[Choice], str, bool, list[Choice], str]:
    """Workflows with what each is for, the settings' first; the settings' CLI, and whether it is here; those that are;
    and what is wrong with all that.
    """
    names = installed(environ)
    ready = [Choice(name, name) for name in names]
    ready.append(Choice("demo", "demo: scripted, no model, no cost, to see how it goes"))
    try:
        found = [workflow_files.load(name, root) for name in workflow_files.names(root)]
        settings = loading.load(root or state_folder(environ), environ)
    except (SamoloopError, OSError) as error:
        return [], "", True, ready, sentence(error)
    found.sort(key=lambda one: one.name != settings.workflow)
    is_here = settings.provider in names or settings.provider not in BUILT_IN or settings.provider == "demo"
    return [Choice(one.name, one.summary) for one in found], settings.provider, is_here, ready, ""


# --- the board --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
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
        others=[(one.project.name, _board_url(one.project.root)) for one in every] if len(every) > 1 else [],
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
    return redirect(_board_url(root) if form.get("one") else "/backlog", said)


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


def _board_url(root: Path) -> str:
    return "/backlog?" + urlencode({"project": str(root)}, errors="replace")


ROUTES: list[BaseRoute] = [
    Route("/new", new),
    Route("/new", send, methods=["POST"]),
    Route("/backlog", board),
    Route("/backlog", order, methods=["POST"]),
    Route("/up", up, methods=["POST"]),
]
