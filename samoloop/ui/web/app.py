"""The page as one application: its pages, what they share, and what is said where there is none."""

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from samoloop.base import errors
from samoloop.base.errors import SamoloopError
from samoloop.ui.cli import failures
from samoloop.ui.web import live
from samoloop.ui.web.guard import Guard, Guarding
from samoloop.ui.web.pages import acts, board, changes, gate, history, overview, reading, session, tasks
from samoloop.ui.web.render import HERE, keep_name, refusal
from samoloop.ui.web.site import Gone

if TYPE_CHECKING:
    from samoloop.ui.web.site import Site

_PAGES = (overview, tasks, board, session, reading, changes, gate, acts, history, live)
_WORDS = {404: "There is no such page.", 405: "This address does not take that."}


def make_app(site: "Site", guarding: Guarding) -> Starlette:
    """Acts and reads through `site` and `api` alone; nothing runs while nobody asks."""
    app = Starlette(
        routes=[
            *(route for module in _PAGES for route in module.ROUTES),
            Route("/name", keep_name, methods=["POST"]),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        middleware=[Middleware(Guard, guarding=guarding, refuse=refusal), Middleware(Faults)],
        exception_handlers={HTTPException: _no_page, Gone: _gone, SamoloopError: _refused, OSError: _refused},
    )
    app.state.site = site
    app.state.live = live.Live(site)
    app.state.past = history.Past(site)
    return app


def _no_page(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refusal(request, error.status_code, _WORDS.get(error.status_code, error.detail))


def _gone(request: Request, error: Exception) -> Response:
    return refusal(request, 404, errors.sentence(error))


def _refused(request: Request, error: Exception) -> Response:
    return refusal(request, 409, errors.sentence(error))


class Faults:
    """What should not happen is a page for the browser and a sentence on the terminal."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def watched(message: Message) -> None:
            nonlocal has_begun
            has_begun = has_begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            failures.say(f"samoloop: {failures.keep(error)}")
            if not has_begun:
                answer = refusal(Request(scope), 500, "This is a fault of samoloop; its terminal says which.")
                await answer(scope, receive, send)
