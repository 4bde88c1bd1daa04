"""All sessions of all projects, those that wait for a person first."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from samoloop.ui.web.render import page


def overview(request: Request) -> Response:
    return page(request, "overview.html", rows=request.app.state.site.rows())


ROUTES: list[BaseRoute] = [Route("/", overview)]
