"""What the error messages of Codex mean: it gives no code, only one of a few fixed sentences.

They are matched from their first character and only where Codex itself speaks (`error`, `turn.failed`), never in words
of the model. Seen in version 0.169.0.
"""

import json
import re
from datetime import datetime, timedelta

from samoloop.core.events import Failure, Trouble
from samoloop.providers.reading import mapping, message, status_trouble, text

_RETRY = re.compile(r"Reconnecting\.\.\. (?:\d+/\d+|waiting for network)(?: \((.*)\))?\s*$", re.DOTALL)
_STATUS = re.compile(r"(?:unexpected status|exceeded retry limit, last status:) (\d{3})\b")
_SENTENCES = (
    (re.compile(r"You[’']ve hit your usage limit\."), Trouble.USAGE_LIMIT),
    (re.compile(r"To use Codex with your ChatGPT plan, upgrade "), Trouble.BILLING),
    (re.compile(r"Quota exceeded\. Check your plan and billing details\."), Trouble.BILLING),
    (re.compile(r"rate limit exceeded: "), Trouble.RATE),
    (re.compile(r"We[’']re currently experiencing high demand"), Trouble.OVERLOAD),
    (re.compile(r"Selected model is at capacity\."), Trouble.OVERLOAD),
    (re.compile(r"Codex ran out of room in the model's context window\."), Trouble.CONTEXT),
    (re.compile(r"The model `[^`]*` does not exist or you do not have access to it\.$"), Trouble.MODEL),
    (re.compile(r"The '[^']*' model is not supported when using Codex "), Trouble.MODEL),
    (re.compile(r"Connection failed: |stream disconnected before completion|error sending request"), Trouble.NETWORK),
    (re.compile(r"Missing environment variable: `"), Trouble.LOGIN),
    (re.compile(r"Your access token could not be refreshed|Your session has expired\."), Trouble.LOGIN),
    (re.compile(r"Your authentication session could not be refreshed"), Trouble.LOGIN),
)
_CODES = {
    "context_length_exceeded": Trouble.CONTEXT,
    "invalid_api_key": Trouble.LOGIN,
    "model_not_found": Trouble.MODEL,
    "insufficient_quota": Trouble.BILLING,
}
# "… or try again at 9:13 AM." (today) and "… at Nov 25th, 2026 2:34 PM.", in local time.
_AGAIN = re.compile(r"try again at (?:(\w{3} \d{1,2})\w\w, (\d{4}) )?(\d{1,2}:\d{2} [AP]M)\.$")


def failure_of(words: str, now: float) -> Failure:
    """The failure that a message tells of; `now` is the time of the message in epoch seconds."""
    if retry := _RETRY.match(words):
        return Failure(_trouble(retry[1] or ""), message(words), fatal=False)
    trouble = _trouble(words)
    resets_at = _resets_at(words, now) if trouble is Trouble.USAGE_LIMIT else None
    return Failure(trouble, message(words) or "codex reported an error without words", resets_at=resets_at)


def _trouble(words: str) -> Trouble:
    if status := _STATUS.match(words):
        return status_trouble(int(status[1]))
    for sentence, trouble in _SENTENCES:
        if sentence.match(words):
            return trouble
    return _body_trouble(words) if words.startswith("{") else Trouble.OTHER


def _body_trouble(words: str) -> Trouble:
    """A 400 is passed on as the endpoint's bare body."""
    try:
        body = json.loads(words)
    except (ValueError, RecursionError):
        return Trouble.OTHER
    detail = text(mapping(body), "detail")
    return _CODES.get(text(mapping(body, "error"), "code")) or (_trouble(detail) if detail else Trouble.OTHER)


def _resets_at(words: str, now: float) -> float | None:
    """The end of a usage limit in epoch seconds: the sentence names it to the minute, in local time."""
    found = _AGAIN.search(words)
    if found is None:
        return None
    day = f"{found[1]} {found[2]}" if found[1] else datetime.fromtimestamp(now).strftime("%b %d %Y")  # noqa: DTZ006
    try:
        named = datetime.strptime(f"{day} {found[3]}", "%b %d %Y %I:%M %p")  # noqa: DTZ007
    except ValueError:
        return None
    if named.timestamp() < now - 12 * 3600:  # said before midnight, meant after it
        named += timedelta(days=1)
    return named.timestamp() + 60  # the sentence leaves the seconds out
