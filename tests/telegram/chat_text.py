"""A chat as text: what the phone showed, message by message, as it stands in docs/gates.md."""

import re
import textwrap
from collections.abc import Iterator
from typing import Any

BOT = "samoloop"
WIDTH = 88
# What differs from run to run, and what it is shown as.
VARYING = (
    (r"\b\d\d-\d\d-\d\d-(?=[a-z])", "26-11-21-"),
    (r"\b\d\d-\d\d-\d{4}-(?=[a-z])", "11-21-0930-"),
    (r"\b\d\d:\d\d\b", "09:30"),
    (r"\b(?=[0-9a-f]*\d)[0-9a-f]{7,40}\b", "c0ffee0"),
    (r"\b(\d+m )?\d+(\.\d+)?s\b", "1s"),
)


def settled(log: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The log without what differs from run to run."""
    return [{**entry, **{key: _settled(entry[key]) for key in ("text", "file") if key in entry}} for entry in log]


def _settled(text: str) -> str:
    for pattern, shown in VARYING:
        text = re.sub(pattern, shown, text)
    return text


def told(log: list[dict[str, Any]]) -> str:
    """All of it but the status message, which is edited as time goes by.

    What the bot did between two acts of the person depends on who was quicker: so first what its messages became in
    the end, then what it sent. Of a message that was changed, only what is new in it is told.
    """
    status = {entry["id"] for entry in log if entry["what"] == "send" and is_status(entry)}
    toasts = {entry["tap"]: entry["text"] for entry in log if entry["what"] == "toast"}
    before: dict[int, list[str]] = {}  # the lines of each message
    lines: list[str] = []
    for stretch in _stretches([entry for entry in log if entry.get("id") not in status]):
        became = {entry["id"]: entry for entry in stretch if entry["what"] == "edit"}
        rest = [entry for entry in stretch if entry["what"] != "edit"]
        older = [entry for id, entry in became.items() if id in before]
        newer = [entry for id, entry in became.items() if id not in before]
        for entry in [*rest[:1], *older, *rest[1:], *newer]:
            lines += _entry(entry, toasts, before)
    return "\n".join(lines).rstrip("\n") + "\n"


def _stretches(log: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Each act of the person, with what the bot did until the next."""
    stretch: list[dict[str, Any]] = []
    for entry in log:
        if entry["what"] == "tap" or (entry["what"] == "send" and entry["from"] != BOT):
            yield stretch
            stretch = []
        stretch.append(entry)
    yield stretch


def is_status(entry: dict[str, Any]) -> bool:
    return bool(entry["silent"] and not entry["file"] and "iteration" in entry["text"])


def _entry(entry: dict[str, Any], toasts: dict[str, str], before: dict[int, list[str]]) -> Iterator[str]:
    if entry["what"] == "tap":
        yield f"{entry['from']} taps [{entry['text']}]"
        if said := toasts.get(entry["tap"]):
            yield from _wrapped(said, "    » ")
        yield ""
    elif entry["what"] in ("send", "edit"):
        shown = [f"    📎 {entry['file']}"] if entry["file"] else []
        shown += [*_wrapped(entry["text"], "    ")]
        shown += [f"    {' '.join(f'[{label}]' for label in row)}" for row in entry["buttons"]]
        known = before.get(entry["id"], [])
        before[entry["id"]] = shown
        how = " changes that message" if known else ", without a sound" if entry["silent"] else ""
        yield f"{entry['from']}{how}:"
        yield from (line for line in shown if line not in known)
        yield ""


def _wrapped(text: str, before: str) -> Iterator[str]:
    for line in text.splitlines():
        yield from textwrap.wrap(line, WIDTH, initial_indent=before, subsequent_indent=before) or [""]
