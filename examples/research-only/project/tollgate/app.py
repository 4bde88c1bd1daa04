"""Puts the gateway together."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from tollgate.bucket import Rate
from tollgate.http import Handler, Request, Response
from tollgate.limiter import Limiter

ANONYMOUS = "anonymous"
ANONYMOUS_RATE = Rate(per_minute=6, burst=3)


def build(settings: Mapping[str, Any], clock: Callable[[], float] = time.monotonic) -> Handler:
    """The gateway for these settings: `plans` (name to per_minute and burst) and `keys` (key to plan)."""
    rates = {name: Rate(**plan) for name, plan in settings["plans"].items()}
    rates[ANONYMOUS] = ANONYMOUS_RATE
    keys: Mapping[str, str] = settings["keys"]
    return Limiter(backend, rates, lambda key: keys.get(key, ANONYMOUS), clock)


def backend(request: Request) -> Response:
    """Stands for the service behind the gateway."""
    if request.path == "/health":
        return Response(200, "ok")
    return Response(200, f"{request.method} {request.path}")
