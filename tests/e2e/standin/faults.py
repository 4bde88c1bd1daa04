"""Ways in which a model's API fails, in the words and headers of each API."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What goes wrong."""

    WRONG_KEY = "wrong-key"
    FORBIDDEN = "forbidden"
    RATE_LIMIT = "rate-limit"
    SERVER_ERROR = "server-error"
    OVERLOADED = "overloaded"
    UNKNOWN_MODEL = "unknown-model"
    USAGE_LIMIT = "usage-limit"
    CUT = "cut"
    SLOW = "slow"


@dataclass(frozen=True)
class Fault:
    """A fault and the requests that it hits: model calls number `after` and on, `times` of them."""

    kind: Kind
    after: int = 0  # this many model calls are answered properly first
    times: int | None = None  # None: for ever
    retry_after: int | None = None  # seconds, the header of a RATE_LIMIT
    delay_seconds: float = 5.0  # before the first byte, for SLOW
    resets_in: int = 3600  # seconds, for USAGE_LIMIT

    def hits(self, number: int) -> bool:
        """Whether the model call with this number (from 0) fails."""
        return self.after <= number and (self.times is None or number < self.after + self.times)


@dataclass(frozen=True)
class Refusal:
    """An HTTP answer that is no reply of a model."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


STATUS = {
    Kind.WRONG_KEY: 401,
    Kind.FORBIDDEN: 403,
    Kind.RATE_LIMIT: 429,
    Kind.SERVER_ERROR: 500,
    Kind.OVERLOADED: 529,
    Kind.UNKNOWN_MODEL: 404,
    Kind.USAGE_LIMIT: 429,
}

MESSAGE = {
    Kind.FORBIDDEN: "this account may not use the API",
    Kind.RATE_LIMIT: "too many requests",
    Kind.SERVER_ERROR: "internal server error",
    Kind.OVERLOADED: "Overloaded",
    Kind.USAGE_LIMIT: "usage limit reached",
}

# In each API's own words where a CLI knows a fault by them.
_OPENAI_KEY = "Incorrect API key provided: sk-fake**6789."
_OPENAI_MODEL = "The model `{model}` does not exist or you do not have access to it."
OWN_MESSAGE = {
    ("anthropic", Kind.WRONG_KEY): "invalid x-api-key",
    ("responses", Kind.WRONG_KEY): _OPENAI_KEY,
    ("chat", Kind.WRONG_KEY): _OPENAI_KEY,
    ("gemini", Kind.WRONG_KEY): "API key not valid. Please pass a valid API key.",
    ("anthropic", Kind.UNKNOWN_MODEL): "model: {model}",
    ("responses", Kind.UNKNOWN_MODEL): _OPENAI_MODEL,
    ("chat", Kind.UNKNOWN_MODEL): _OPENAI_MODEL,
    ("gemini", Kind.UNKNOWN_MODEL): (
        "models/{model} is not found for API version v1beta, or is not supported for generateContent."
    ),
}

ANTHROPIC_TYPE = {
    Kind.WRONG_KEY: "authentication_error",
    Kind.FORBIDDEN: "permission_error",
    Kind.RATE_LIMIT: "rate_limit_error",
    Kind.SERVER_ERROR: "api_error",
    Kind.OVERLOADED: "overloaded_error",
    Kind.UNKNOWN_MODEL: "not_found_error",
    Kind.USAGE_LIMIT: "rate_limit_error",
}

OPENAI_CODE = {
    Kind.WRONG_KEY: ("invalid_request_error", "invalid_api_key"),
    Kind.FORBIDDEN: ("invalid_request_error", "unsupported_country_region_territory"),
    Kind.RATE_LIMIT: ("requests", "rate_limit_exceeded"),
    Kind.SERVER_ERROR: ("server_error", None),
    Kind.OVERLOADED: ("server_error", None),
    Kind.UNKNOWN_MODEL: ("invalid_request_error", "model_not_found"),
    Kind.USAGE_LIMIT: ("insufficient_quota", "insufficient_quota"),
}

GEMINI_STATUS = {
    Kind.WRONG_KEY: (400, "INVALID_ARGUMENT"),
    Kind.FORBIDDEN: (403, "PERMISSION_DENIED"),
    Kind.RATE_LIMIT: (429, "RESOURCE_EXHAUSTED"),
    Kind.SERVER_ERROR: (500, "INTERNAL"),
    Kind.OVERLOADED: (503, "UNAVAILABLE"),
    Kind.UNKNOWN_MODEL: (404, "NOT_FOUND"),
    Kind.USAGE_LIMIT: (429, "RESOURCE_EXHAUSTED"),
}


def refusal(fault: Fault, dialect: str, model: str) -> Refusal:
    """The answer of this API to this fault. CUT and SLOW are no refusals: the server plays them."""
    message = (OWN_MESSAGE.get((dialect, fault.kind)) or MESSAGE[fault.kind]).format(model=model)
    headers = {"retry-after": str(fault.retry_after)} if fault.retry_after is not None else {}
    resets_at = int(time.time()) + fault.resets_in
    if dialect == "anthropic":
        body = _anthropic(fault.kind, message)
        if fault.kind is Kind.USAGE_LIMIT:
            headers |= _anthropic_quota(resets_at)
    elif dialect == "gemini":
        return Refusal(GEMINI_STATUS[fault.kind][0], _gemini(fault.kind, message), headers)
    elif dialect == "responses" and fault.kind is Kind.USAGE_LIMIT:
        error = {"type": "usage_limit_reached", "message": message, "plan_type": "plus", "resets_at": resets_at}
        body = {"error": error}
    else:
        kind, code = OPENAI_CODE[fault.kind]
        body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return Refusal(STATUS[fault.kind], body, headers)


def _anthropic(kind: Kind, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": ANTHROPIC_TYPE[kind], "message": message}}


def _anthropic_quota(resets_at: int) -> dict[str, str]:
    """The headers by which claude tells a subscription's limit from a plain 429 (only with an OAuth token)."""
    prefix = "anthropic-ratelimit-unified"
    return {
        f"{prefix}-status": "rejected",
        f"{prefix}-reset": str(resets_at),
        f"{prefix}-representative-claim": "five_hour",
        f"{prefix}-5h-status": "rejected",
        f"{prefix}-5h-reset": str(resets_at),
        f"{prefix}-5h-utilization": "1.0",
    }


def _gemini(kind: Kind, message: str) -> dict[str, Any]:
    status, name = GEMINI_STATUS[kind]
    error: dict[str, Any] = {"code": status, "message": message, "status": name}
    if kind is Kind.WRONG_KEY:
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
    if kind is Kind.USAGE_LIMIT:
        violation = {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "quotaValue": "50"}
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}]
    return {"error": error}
