"""Durations as people write them: `30m`, `90s`, `1h`, `2h30m`, or whole seconds."""

import re

from samoloop.base.errors import shown

_UNITS = {"h": 3600, "m": 60, "s": 1}
_LONGEST = 40  # of the text
_TOO_LONG = 10**9
_SHAPE = re.compile(r"(?:\d+[hms])+")


def parse_seconds(value: object) -> int:
    """Whole seconds, at most some 30 years. Raises ValueError with a sentence that names the value."""
    seconds = None
    if isinstance(value, int) and not isinstance(value, bool):
        seconds = value
    elif isinstance(value, str) and len(value) < _LONGEST:
        text = value.strip()
        if text.isdecimal():
            seconds = int(text)
        elif _SHAPE.fullmatch(text):
            seconds = sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([hms])", text))
    if seconds is not None and 0 <= seconds < _TOO_LONG:
        return seconds
    raise ValueError(f"a duration is 30m, 90s, 2h or whole seconds, got {shown(value)}")


def format_seconds(seconds: float) -> str:
    """For people: `0.4s`, `12s`, `3m 05s`, `2h 10m`."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"


def growing_pause(failures: int, first: float, longest: float) -> float:
    """How long to wait after so many failures in a row, in seconds: each time twice as long."""
    return min(first * 2.0 ** min(failures - 1, 20), longest)
