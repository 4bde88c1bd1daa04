"""A gate and its form: a plan to be approved, questions to be answered, an action to be done."""

from starlette.routing import BaseRoute

ROUTES: list[BaseRoute] = []
