"""What a session holds, to be read: logs, documents, prompts, checks, the report; and as downloads."""

from starlette.routing import BaseRoute

ROUTES: list[BaseRoute] = []
