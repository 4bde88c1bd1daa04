"""Words for a person's terminal: nothing that a child wrote may act on it, and times and sums read at a glance."""

from datetime import datetime, timedelta

from samoloop.base.durations import format_seconds

# What could move the cursor, change colours or reorder a line: C0 and C1 controls, and the marks that turn the
# direction of writing. Line feeds are kept where lines are wanted.
_SHOWN = {code: chr(0x2400 + code) for code in range(0x20)} | {0x7F: "\u2421"}
_SHOWN |= dict.fromkeys([*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029], "\ufffd")
_SHOWN |= dict.fromkeys(range(0xD800, 0xE000), "\ufffd")  # lone surrogates: no stream takes them
_COMMAND = "  # "  # between a command and what it does
_SHOWN_IN_LINES = _SHOWN | {ord("\n"): "\n", ord("\t"): "    "}


def printable(text: str) -> str:
    """`text` as lines that only show: control characters as pictures of themselves."""
    return text.replace("\r\n", "\n").translate(_SHOWN_IN_LINES)


def one_line(text: str, limit: int | None = None) -> str:
    """`text` as a single line that only shows, cut to `limit` characters."""
    line = " ".join(text[: 50 * limit if limit else None].split()).translate(_SHOWN)
    return line if limit is None or len(line) <= limit else line[: max(limit - 1, 0)] + "…"


def wrapped(text: str, columns: int | None) -> list[str]:
    """The lines of `text`, broken between words so that they fit; what goes on stands a little further in.

    A command with its comment stays whole, so that it can be copied; so does a word that is too long, such as a path.
    """
    lines = text.split("\n")
    if columns is None or not any(len(line) > columns for line in lines):
        return lines
    return [part for line in lines for part in _wrapped_line(line, columns)]


def _wrapped_line(line: str, columns: int) -> list[str]:
    from textwrap import wrap

    if len(line) <= columns or _COMMAND in line:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return wrap(line, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def count(number: int) -> str:
    """A number of tokens: `950`, `12.3k`, `4.1M`."""
    if number < 1000:
        return str(number)
    return f"{number / 1000:.1f}k" if number < 999_950 else f"{number / 1e6:.1f}M"


def dollars(cost_usd: float | None) -> str:
    """A cost; what is unknown, or very little, is never shown as nothing."""
    if cost_usd is None:
        return "cost unknown"
    return "<0.01 USD" if 0 < cost_usd < 0.005 else f"{cost_usd:.2f} USD"


def clock_time(epoch: float, now: float) -> str:
    """When something happens, in local time: `14:05` today, else `Sun 22 Nov 14:05`."""
    moment, present = (datetime.fromtimestamp(seconds).astimezone() for seconds in (epoch, now))
    return f"{moment:%H:%M}" if moment.date() == present.date() else f"{moment:%a %d %b %H:%M}"


def resumes(epoch: float, now: float) -> str:
    """`resumes 14:05, in 2h 10m`; a time that is over: `can go on now`."""
    if epoch <= now:
        return "can go on now"
    return f"resumes {clock_time(epoch, now)}, in {format_seconds(epoch - now)}"


def age(since: datetime, now: datetime) -> str:
    """How long ago, roughly: `40s`, `5m`, `3h`, `12d`."""
    passed = max(now - since, timedelta())
    if passed.days:
        return f"{passed.days}d"
    minutes = passed.seconds // 60
    return f"{minutes // 60}h" if minutes >= 60 else f"{minutes}m" if minutes else f"{passed.seconds}s"
