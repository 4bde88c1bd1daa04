"""What an error of the Gemini CLI means.

Its result gives words only, at times the endpoint's body inside them; the exit code is the HTTP status modulo 256, or
one of the CLI's own; the class of its exception is on standard error. Seen in version 0.61.0.
"""

import json
import re

from samoloop.core.events import Event, Failure, Trouble
from samoloop.providers.reading import count, mapping, message, objects, status_trouble, text, unfinished

_STATUS = {status % 256: status for status in (400, 401, 402, 403, 413, 429, 500, 502, 503, 504, 529)}
_NO_LOGIN = 41  # the CLI's own exit code
_BODY = re.compile(r"\[API Error: (\{.*\})\]", re.DOTALL)
_REPORT = re.compile(r"^Error when talking to Gemini API Full report available at: \S+ (\w+): ", re.MULTILINE)
_CLASSES = {"ModelNotFoundError": Trouble.MODEL, "TerminalQuotaError": Trouble.USAGE_LIMIT}
_NETWORK = re.compile(r"\[API Error: (exception TypeError: fetch failed|terminated)")
_TOO_LONG = re.compile(r"The input token count \(?\d+\)? exceeds the maximum number of tokens allowed")


def failures_of(words: str | None, exit_code: int | None, stderr_tail: str) -> list[Event]:
    """The failure behind a run's end; `words` are the result's, None where there was no result."""
    if words is None:
        trouble = Trouble.LOGIN if exit_code == _NO_LOGIN else Trouble.OTHER
        return unfinished("gemini", exit_code, stderr_tail, trouble)
    told = _body_trouble(words) or _report_trouble(stderr_tail) or _words_trouble(words)
    trouble = told or status_trouble(_STATUS.get(exit_code or 0))
    return [Failure(trouble, message(words) or "gemini reported an error without words")]


def _body_trouble(words: str) -> Trouble | None:
    """What the endpoint's own body tells, where the result quotes it."""
    body = _BODY.match(words)
    try:
        error = mapping(json.loads(body[1]), "error") if body else {}
    except (ValueError, RecursionError):
        return None
    if any(detail.get("reason") == "API_KEY_INVALID" for detail in objects(error, "details")):
        return Trouble.LOGIN  # its status is 400
    if _TOO_LONG.match(text(error, "message")):
        return Trouble.CONTEXT
    code = count(error, "code")
    return status_trouble(code) if code else None


def _report_trouble(stderr_tail: str) -> Trouble | None:
    report = _REPORT.search(stderr_tail)
    return _CLASSES.get(report[1]) if report else None


def _words_trouble(words: str) -> Trouble | None:
    return Trouble.NETWORK if _NETWORK.match(words) else None
