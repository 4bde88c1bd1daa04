"""Words made fit for a terminal, in colours. click leaves these out where the output is none; NO_COLOR anywhere."""

import os
from typing import Any

import click

from samoloop.base.printable import printable

_STYLES: dict[str, dict[str, Any]] = {
    "strong": {"bold": True},
    "dim": {"dim": True},
    "good": {"fg": "green"},
    "warn": {"fg": "yellow"},
    "bad": {"fg": "red"},
    "head": {"bold": True},
    "tool": {"fg": "cyan"},
    "trouble": {"fg": "yellow"},
    "result": {"fg": "green"},
}


def paint(text: str, tone: str) -> str:
    """`text`, which only shows, in the colour of its tone; unknown tones stay plain."""
    text = printable(text)
    style = _STYLES.get(tone)
    return click.style(text, **style) if style and text and not os.environ.get("NO_COLOR") else text


def tone_of_change(line: str) -> str:
    """The tone of one line of a patch."""
    if line.startswith(("diff ", "--- ", "+++ ")):
        return "strong"
    return {"+": "good", "-": "bad", "@": "tool"}.get(line[:1], "plain")
