"""Colours for plain output. click leaves them out where the output is no terminal; NO_COLOR turns them off anywhere."""

import os
from typing import Any

import click

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
    """`text` in the colour of its tone; unknown tones stay plain."""
    style = _STYLES.get(tone)
    return click.style(text, **style) if style and text and not os.environ.get("NO_COLOR") else text
