"""The limiter: a bucket for every caller, made when the caller is first seen."""

import math
import time
from collections.abc import Callable, Mapping

from tollgate.bucket import Bucket, Rate
from tollgate.http import Handler, Request, Response

EXEMPT = ("/health", "/metrics")


class Limiter:
    """Wraps a handler. The buckets live in this process and nowhere else."""

    def __init__(
        self,
        handler: Handler,
        rates: Mapping[str, Rate],
        plan_of: Callable[[str], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._handler = handler
        self._rates = rates
        self._plan_of = plan_of
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}

    def __call__(self, request: Request) -> Response:
        if request.path in EXEMPT:
            return self._handler(request)
        key = request.headers.get("x-api-key", "")
        plan = self._plan_of(key)
        rate = self._rates[plan]
        bucket = self._buckets.setdefault(key, Bucket(rate, self._clock))
        if not bucket.take():
            return too_many(bucket, rate)
        response = self._handler(request)
        headers = {**response.headers, "x-ratelimit-limit": str(rate.burst), "x-ratelimit-left": str(bucket.left())}
        return Response(response.status, response.body, headers)


def too_many(bucket: Bucket, rate: Rate) -> Response:
    """What a caller sees that has spent its tokens: 429, and when to come back, in whole seconds, rounded up."""
    wait = math.ceil(bucket.seconds_until_next())
    headers = {"retry-after": str(wait), "x-ratelimit-limit": str(rate.burst), "x-ratelimit-left": "0"}
    return Response(429, f"too many requests: try again in {wait} s", headers)
