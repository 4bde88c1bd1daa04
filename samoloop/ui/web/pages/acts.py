"""What a person does with a session: tell, stop, resume, rewind, fork."""

from starlette.routing import BaseRoute

ROUTES: list[BaseRoute] = []
