"""When a schedule comes: times of the wall, in a zone. Pure.

Schedules are cron's, five fields. Where the clock jumps forward, a time that it leaves out comes right after the jump;
where it goes back, one that comes twice counts once.
"""

from datetime import datetime, tzinfo

from samoloop.base.errors import shown

_LONGEST = 200  # characters
WORDS = {"hourly": "0 * * * *", "daily": "0 0 * * *", "weekly": "0 0 * * 1", "monthly": "0 0 1 * *"}


def check(every: str) -> str:
    """The schedule. Raises ValueError with a sentence where it is none, or never comes."""
    from cronsim import CronSim, CronSimError

    what = f"a schedule is five fields as cron reads them, such as '0 3 * * 1-5', or {', '.join(WORDS)}"
    if len(every) > _LONGEST or len(WORDS.get(every, every).split()) != 5:
        raise ValueError(f"{what}, got {shown(every)}")
    minute, hour, day, month, weekday = fields = WORDS.get(every, every).split()
    start = datetime(2024, 1, 1)  # noqa: DTZ001  in no zone, which only moves it
    try:
        CronSim(" ".join((minute, hour, day, "*", weekday)), start), CronSim(f"0 0 * {month} *", start)
    except CronSimError as error:
        raise ValueError(f"{what}; {shown(every)}: {str(error)[:1].lower()}{str(error)[1:]}") from None
    try:
        next(CronSim(" ".join(fields), start))
    except (CronSimError, StopIteration):
        raise ValueError(f"{shown(every)} never comes: no such month has such a day") from None
    return every


def upcoming(every: str, after: float, zone: tzinfo) -> float:
    """The first time after `after`, in epoch seconds. Raises ValueError where none comes."""
    return _first(WORDS.get(every, every), datetime.fromtimestamp(after, zone)).timestamp()


def last_due(every: str, after: float, now: float, zone: tzinfo) -> float | None:
    """The last time after `after` and not after `now`: of those that were missed, one. None where none came."""
    from cronsim import CronSim

    cron, start = WORDS.get(every, every), after
    back = CronSim(cron, datetime.fromtimestamp(now, zone), reverse=True)
    for _ in range(2):  # the first may lie in a jump of the clock, and so after `now`
        try:
            start = max(after, next(back).timestamp() - 1)
        except StopIteration:
            break
    found = None
    while (time := _first(cron, datetime.fromtimestamp(start, zone)).timestamp()) <= now:
        found = start = time
    return found


def _first(cron: str, after: datetime) -> datetime:
    from cronsim import CronSim, CronSimError

    try:
        return next(time for time in CronSim(cron, after) if time.timestamp() > after.timestamp())
    except (StopIteration, CronSimError) as error:
        raise ValueError(f"'{cron}' never comes") from error
