"""A chat as text: what the phone showed, message by message, as it stands in docs/gates.md."""

import re
import textwrap
from collections.abc import Iterator
from typing import Any

WIDTH = 88
# What differs from run to run, and what it is shown as.
VARYING = (
    (r"\b\d\d-\d\d-\d\d-(?=[a-z])", "26-11-21-"),
    (r"\b\d\d-\d\d-\d{4}-(?=[a-z])", "11-21-0930-"),
    (r"\b\d\d:\d\d\b", "09:30"),
    (r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,40}\b", "c0ffee0"),
    (r"\b(\d+m )?\d+(\.\d+)?s\b", "1s"),
)


def told(log: list[dict[str, Any]]) -> str:
    """All of it but the status message, which is edited as time goes by."""
    status = {entry["id"] for entry in log if entry["what"] == "send" and is_status(entry)}
    toasts = {entry["tap"]: entry["text"] for entry in log if entry["what"] == "toast"}
    lines = [line for entry in log if entry.get("id") not in status for line in _entry(entry, toasts)]
    text = "\n".join(lines)
    for pattern, shown in VARYING:
        text = re.sub(pattern, shown, text)
    return text + "\n"


def is_status(entry: dict[str, Any]) -> bool:
    return bool(entry["silent"] and not entry["file"] and "iteration" in entry["text"])


def _entry(entry: dict[str, Any], toasts: dict[str, str]) -> Iterator[str]:
    if entry["what"] == "tap":
        yield f"{entry['from']} taps [{entry['text']}]"
        if said := toasts.get(entry["tap"]):
            yield from _wrapped(said, "    » ")
        yield ""
    elif entry["what"] in ("send", "edit"):
        yield f"{entry['from']}{_how(entry)}:"
        if entry["file"]:
            yield f"    📎 {entry['file']}"
        yield from _wrapped(entry["text"], "    ")
        yield from (f"    {' '.join(f'[{label}]' for label in row)}" for row in entry["buttons"])
        yield ""


def _how(entry: dict[str, Any]) -> str:
    if entry["what"] == "edit":
        return " changes that message"
    return ", without a sound" if entry["silent"] else ""


def _wrapped(text: str, before: str) -> Iterator[str]:
    for line in text.splitlines():
        yield from textwrap.wrap(line, WIDTH, initial_indent=before, subsequent_indent=before) or [""]
