"""What changed, told to the pages that are open."""

from starlette.routing import BaseRoute

ROUTES: list[BaseRoute] = []
