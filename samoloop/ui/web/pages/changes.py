"""What a session, or one iteration of it, changed in the code."""

from starlette.routing import BaseRoute

ROUTES: list[BaseRoute] = []
