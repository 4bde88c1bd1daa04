"""Who is to hear of a session, by the configuration."""

from dataclasses import field
from datetime import datetime, time

from samoloop.base.errors import shown
from samoloop.base.values import frozen
from samoloop.config.schema import Key, Table, address, on_or_off, or_off, positive_seconds, texts

Hours = tuple[time, time] | None
REMIND_SECONDS = 1800.0
LONGEST_REMINDER_SECONDS = 24 * 3600.0
TELEGRAM = "telegram"  # a reader that reminds by itself


@frozen
class Outlets:
    """Who is to hear of it, beside the terminal that a worker runs in."""

    telegram: bool = False
    command: tuple[str, ...] = ()  # gets each announcement as JSON on its standard input
    webhook: str = ""  # gets it as the body of a POST
    desktop: bool = False  # shows it as a notice
    terminal: bool = field(default=True, kw_only=True)  # bell, title and notice, where a worker runs in one
    remind_seconds: float = REMIND_SECONDS  # the first reminder of what waits; 0: never
    quiet: Hours = None

    @property
    def readers(self) -> tuple[str, ...]:
        """Those who read the outbox. Empty: nobody, and nothing is written."""
        given = {TELEGRAM: self.telegram, "command": self.command, "webhook": self.webhook, "desktop": self.desktop}
        return tuple(name for name, there in given.items() if there)


def remind_seconds(value: object) -> float:
    return float(or_off(positive_seconds)(value) or 0)


def quiet_hours(value: object) -> tuple[time, time]:
    try:
        start, end = str(value)[:40].split("-")
        return time.fromisoformat(start.strip()), time.fromisoformat(end.strip())
    except ValueError:
        raise ValueError(f'it must be two local times such as "22:00-07:30", got {shown(value)}') from None


def is_quiet(hours: Hours, now: datetime) -> bool:
    """Whether it is a time without reminders."""
    if hours is None:
        return False
    start, end = hours
    return start <= now.time() < end if start <= end else now.time() >= start or now.time() < end


def reminder_seconds(first: float, count: int) -> float:
    """How long to wait before another reminder, where so many were given: each time twice as long."""
    return float(min(first * 2 ** min(count, 30), LONGEST_REMINDER_SECONDS))


OUTLETS = Table(
    (
        Key(
            "desktop",
            on_or_off,
            "a notice on your desktop (notify-send, osascript); `announce: desktop` for short",
            example="on",
        ),
        Key(
            "terminal",
            on_or_off,
            "bell, title and notice of the terminal that a worker runs in; on if not set",
            example="off",
        ),
        Key(
            "command",
            texts,
            "program and arguments; gets each announcement as JSON on standard input",
            example="[sh, -c, cat >> ~/samoloop.log]",
        ),
        Key("webhook", address, "an address; gets it as a POST", example="https://hooks.example.org/samoloop"),
        Key(
            "remind",
            remind_seconds,
            "first reminder of what waits for you, each next one twice as late; 30m if not set, or off",
            example="1h",
        ),
        Key("quiet", quiet_hours, 'local times without reminders, such as "22:00-07:30"', example='"22:00-07:30"'),
    ),
    lambda found: Outlets(**{"remind_seconds" if name == "remind" else name: item for name, item in found.items()}),
)
