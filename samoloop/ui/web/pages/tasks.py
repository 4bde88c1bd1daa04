"""Start a task, add one to a backlog, put a backlog in order, `up` on and off."""

from starlette.routing import BaseRoute

ROUTES: list[BaseRoute] = []
