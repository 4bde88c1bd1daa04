"""What the readers of all CLIs share: JSON lines of any shape into typed values, never an error.

A child controls every byte of its output, so a field counts only when it has the type that the CLI documents.
"""

import json
import math
from collections.abc import Iterator

from samoloop.core.events import Event, Failure, Trouble

DETAIL_LIMIT = 200  # characters of a tool call that a person is shown
MESSAGE_LIMIT = 1_000  # characters of an error message
LARGEST_COUNT = 2**53  # tokens; more is nonsense, and no float or JSON reader of ours holds it exactly

# Which field of a tool's input tells a person most, in this order, over all CLIs.
_TELLING = (
    *("command", "cmd", "file_path", "filePath", "absolute_path", "path", "dir_path", "pattern", "query", "url"),
    *("skill", "name", "description", "prompt"),
)
_SIGNAL_CODES = (129, 130, 137, 143)  # what a process that catches HUP, INT, KILL, TERM reports as its exit code


def parse_object(line: bytes) -> dict[str, object] | None:
    """The JSON object on one line, or None for anything else."""
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        value = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def mapping(value: object, *keys: str) -> dict[str, object]:
    """The object under `keys`, one level a key; empty where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def objects(value: dict[str, object], key: str) -> Iterator[dict[str, object]]:
    """The objects in the list under `key`; what is no object is passed over."""
    found = value.get(key)
    for item in found if isinstance(found, list) else ():
        if isinstance(item, dict):
            yield item


def text(value: dict[str, object], key: str) -> str:
    """The string under `key`, free of lone surrogates (which no file or socket takes); empty where there is none."""
    found = value.get(key)
    return found.encode("utf-8", "replace").decode() if isinstance(found, str) else ""


def count(value: dict[str, object], key: str) -> int | None:
    """The whole number, zero or more, under `key`."""
    found = value.get(key)
    if isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= LARGEST_COUNT:
        return found
    return None


def amount(value: dict[str, object], key: str) -> float | None:
    """The finite number, zero or more, under `key`: money, or a time."""
    found = value.get(key)
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found <= LARGEST_COUNT:
        return None
    return float(found) if math.isfinite(found) else None


def total(*counts: int | None) -> int | None:
    """The sum of what is known; None where nothing is."""
    known = [number for number in counts if number is not None]
    return sum(known) if known else None


def one_line(words: str, limit: int = DETAIL_LIMIT) -> str:
    """The first line that says something, cut to `limit` characters."""
    line = next((line.strip() for line in words[: limit * 20].splitlines() if line.strip()), "")
    return line if len(line) <= limit else line[: limit - 1] + "…"


def tool_detail(arguments: dict[str, object]) -> str:
    """The most telling argument of a tool call: the command, the path."""
    return next((one_line(text(arguments, key)) for key in _TELLING if text(arguments, key)), "")


def message(words: str) -> str:
    """An error message, cut to what a person reads."""
    words = words.strip()
    return words if len(words) <= MESSAGE_LIMIT else words[: MESSAGE_LIMIT - 1] + "…"


def status_trouble(status: int | None) -> Trouble:
    """What an HTTP status of a model endpoint means."""
    match status:
        case 401 | 403:
            return Trouble.LOGIN
        case 402:
            return Trouble.BILLING
        case 404:
            return Trouble.MODEL
        case 413:
            return Trouble.CONTEXT
        case 429:
            return Trouble.RATE
        case int() if status >= 500:
            return Trouble.OVERLOAD
    return Trouble.OTHER


def ended_by_signal(exit_code: int | None) -> bool:
    """Whether a signal ended the CLI, or nobody knows what did: then its last words say nothing of its health."""
    return exit_code is None or exit_code < 0 or exit_code in _SIGNAL_CODES


def unfinished(name: str, exit_code: int | None, stderr_tail: str, trouble: Trouble = Trouble.OTHER) -> list[Event]:
    """The failure of a CLI that ended with an error by itself, without its word that the run is over.

    Exit code 0 tells nothing either: it is what some CLIs end with when a signal stops them.
    """
    if exit_code == 0 or ended_by_signal(exit_code):
        return []
    last = next((line.strip() for line in reversed(stderr_tail.splitlines()) if line.strip()), "no message")
    return [Failure(trouble, message(f"{name} ended with exit code {exit_code} and no result: {last}"))]
