"""Words for a person's terminal: lines that fit, and times and sums that read at a glance."""

from datetime import datetime, timedelta

from samoloop.base.durations import format_seconds

_TAB = 4
_COMMAND = "  # "  # between a command and what it does


def wrapped(text: str, columns: int | None) -> list[str]:
    """The lines of `text`, broken between words so that they fit; what goes on stands a little further in.

    A command stays whole, so that it can be copied, and its comment goes before it where both do not fit; so does a
    word that is too long, such as a path.
    """
    lines = text.split("\n")
    if columns is None:
        return lines
    return [part for line in lines for part in _wrapped_line(line.expandtabs(_TAB), columns)]


def _wrapped_line(line: str, columns: int) -> list[str]:
    from textwrap import wrap

    if len(line) <= columns:
        return [line]
    margin = " " * (len(line) - len(line.lstrip()))
    command, found, what = line.partition(_COMMAND)
    if found:
        return [f"{margin}# {what}", command.rstrip()]
    indent = f"{margin}  "[: max(columns - 1, 0)]
    return wrap(line, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def count(number: int) -> str:
    """A number of tokens: `950`, `12.3k`, `4.1M`."""
    if number < 1000:
        return str(number)
    return f"{number / 1000:.1f}k" if number < 999_950 else f"{number / 1e6:.1f}M"


def dollars(cost_usd: float | None, *, virtual: bool = False) -> str:
    """A cost; what is unknown, or very little, is never shown as nothing. Virtual is what a subscription covers."""
    if cost_usd is None:
        return "cost unknown"
    sum_usd = "<0.01 USD" if 0 < cost_usd < 0.005 else f"{cost_usd:.2f} USD"
    return f"{sum_usd} virtual" if virtual else sum_usd


def spending(cost_usd: float, virtual_usd: float, unpriced: int = 0) -> str:
    """What was spent: the known part in money, that there is an unknown one, and apart from both what is virtual."""
    parts = [dollars(cost_usd)] if cost_usd or not (unpriced or virtual_usd) else []
    parts += (["unknown"] if parts else [dollars(None)]) if unpriced else []
    parts += [dollars(virtual_usd, virtual=True)] if virtual_usd else []
    return " + ".join(parts)


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
