"""A new task: started, or put into a backlog."""

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from samoloop.api import backlog
from samoloop.api.asked import How, Order, Wishes
from samoloop.api.detach import detach
from samoloop.api.hand_off import hand_off
from samoloop.base.errors import SamoloopError, UsageError, sentence, shown
from samoloop.base.places import state_folder
from samoloop.base.values import frozen
from samoloop.config import loading, task_files, workflow_files
from samoloop.config.keys import BUILT_IN, Finish
from samoloop.config.project import find_root
from samoloop.providers import installed
from samoloop.queue import background
from samoloop.ui.cli.backlog import keys_of
from samoloop.ui.cli.common import as_settings
from samoloop.ui.web.pages import board
from samoloop.ui.web.pages.asked import number_typed, typed
from samoloop.ui.web.render import page, redirect, speaker
from samoloop.ui.web.site import Site, url_of

_SENT = 200  # forms whose effect is known, so that one sent twice acts once
_FIELDS = (
    *("task", "project", "folder", "workflow", "provider", "name", "base", "until"),
    *("max_iterations", "max_time", "max_cost", "finish", "after", "at", "every", "priority"),
)


@frozen
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
    return board.url_of(root), f"{added.name} is in the backlog{more}" + (f" ({note})" if note else "")


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


ROUTES: list[BaseRoute] = [
    Route("/new", new),
    Route("/new", send, methods=["POST"]),
]
