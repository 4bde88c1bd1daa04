"""Says again what waits for a person, to all who hear of it and do not remind by themselves, as the phone does."""

from dataclasses import replace
from datetime import datetime

from samoloop.config.outlets import Outlets, is_quiet, reminder_seconds
from samoloop.core.state import Condition, State
from samoloop.core.words import News
from samoloop.worker import outbox
from samoloop.worker.outbox import Announcement
from samoloop.worker.worker import Worker

_GATES = (News.QUESTIONS, News.PLAN, News.ACTION)
_RESTS = {News.BLOCKED: (Condition.BLOCKED, Condition.WAITING), News.FAILED: (Condition.FAILED,)}


def remind(worker: Worker) -> None:
    """Announce once more what was announced last, where it is time and the person has not acted on it."""
    if again := due(_last(worker), worker.state, worker.config.outlets, worker.clock.epoch()):
        worker.announce(again)


def _last(worker: Worker) -> Announcement | None:
    """What was announced last: by this worker, else by an earlier one, which may have reminded already."""
    said, stored = worker.announced, outbox.last(worker.session.dir)
    return stored if stored and (said is None or (stored.gate, stored.kind) == (said.gate, said.kind)) else said


def due(last: Announcement | None, state: State, outlets: Outlets, now: float) -> Announcement | None:
    """The reminder that is due at `now` (epoch seconds)."""
    if last is None or not outlets.remind_seconds or not still_waits(last, state):
        return None
    if now - last.at < reminder_seconds(outlets.remind_seconds, last.reminder):
        return None
    if is_quiet(outlets.quiet, datetime.fromtimestamp(now).astimezone()):
        return None
    return replace(last, reminder=last.reminder + 1, at=now)


def still_waits(last: Announcement, state: State) -> bool:
    """Whether a session waits for a person with just what was announced."""
    if last.kind in _GATES:
        return state.gate is not None and state.gate.id == last.gate
    return state.gate is None and state.rests and state.condition in _RESTS.get(last.kind, ())
