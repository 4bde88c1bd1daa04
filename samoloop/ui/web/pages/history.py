"""Search over all sessions, numbers and pictures over time."""

from starlette.routing import BaseRoute

ROUTES: list[BaseRoute] = []
