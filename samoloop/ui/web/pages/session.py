"""One session: headline, gate, timeline, documents, and the log of the child at work."""

from starlette.routing import BaseRoute

ROUTES: list[BaseRoute] = []
