"""One session: headline, gate, timeline, documents, and the log of the child at work."""

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from samoloop.api import documents
from samoloop.api.logs import attempts
from samoloop.api.status import row, standing
from samoloop.api.timeline import Entry, timeline
from samoloop.base.clock import Clock
from samoloop.base.durations import format_seconds
from samoloop.base.printable import one_line
from samoloop.base.values import frozen
from samoloop.core import gates
from samoloop.core.records import Record
from samoloop.core.session import Session
from samoloop.ui.terminal.endings import follows, oddities, tokens_so_far
from samoloop.ui.terminal.overview import stands, tone_of
from samoloop.ui.terminal.status_text import facts, where
from samoloop.ui.terminal.words import dollars
from samoloop.ui.web import logs
from samoloop.ui.web.pages import acts, gate
from samoloop.ui.web.pages.asked import SESSION, number_in, session_of
from samoloop.ui.web.render import page, speaker
from samoloop.ui.web.site import url_of

ENTRIES = 100  # of a timeline, on one page
_LONGEST_LINE, _MOST_LINES = 1_000, 12  # of what is said in one entry


@frozen
class Shown:
    """An entry of the timeline, as its template shows it."""

    number: int  # from 1, the oldest
    entry: Entry
    title: str
    numbers: tuple[str, ...]  # who, how long, for how much
    why: str
    lines: tuple[str, ...]
    more: int  # lines that are left out
    oddities: tuple[str, ...]


def look(request: Request) -> Response:
    """GET: the newest entries of its timeline, or with `?page=` older ones."""
    session = session_of(request)
    history = session.journal.read()
    found = standing(session)
    entries = timeline(history, lambda name: gates.read_text(session.logs / name) or "")[::-1]
    pages = max(-(-len(entries) // ENTRIES), 1)
    number = min(max(number_in(request.query_params.get("page", "")) or 1, 1), pages)
    now, listed = time.time(), row(session)
    return page(
        request,
        "session.html",
        session=session,
        url=url_of(session),
        found=found,
        tone=tone_of(listed),
        stands=stands(listed),
        where=where(found).partition(" ")[2],
        facts=facts(found, Clock().now()),
        gate=gate.shown(session, speaker(request)) if number == 1 else None,
        acts=acts.offered(session) if number == 1 else None,
        entries=[
            _shown(len(entries) - place, entries[place], now)
            for place in range((number - 1) * ENTRIES, min(number * ENTRIES, len(entries)))
        ],
        count=len(entries),
        number=number,
        pages=pages,
        documents=documents.names(session),
        log=_at_work(session, history, found, request) if number == 1 else None,
    )


def _at_work(session: Session, history: list[Record], found: dict[str, Any], request: Request) -> logs.Part | None:
    """The last lines of the child at work; None where none is."""
    every = attempts(history, session.logs) if found["child"]["alive"] else []
    return logs.end_of(session, every[-1], request.app.state.site.environ) if every else None


def _shown(number: int, entry: Entry, now: float) -> Shown:
    lines = [one_line(line, _LONGEST_LINE) for text in entry.lines for line in text.splitlines() if line.strip()]
    ended = entry.ended
    return Shown(
        number,
        entry,
        one_line(entry.title, _LONGEST_LINE),
        tuple(word for word in _numbers(entry) if word),
        one_line(follows(ended, now), _LONGEST_LINE) if ended else "",
        tuple(lines[:_MOST_LINES]),
        max(len(lines) - _MOST_LINES, 0),
        tuple(oddities(ended)) if ended else (),
    )


def _numbers(entry: Entry) -> list[str]:
    who = " ".join(word for word in (entry.provider, entry.model) if word)
    if entry.ended is None:
        return [who]
    usage = entry.ended.outcome.usage
    tokens = tokens_so_far(usage.input_tokens, usage.output_tokens)
    cost = dollars(usage.cost_usd, virtual=usage.virtual)
    return [who, format_seconds(entry.ended.outcome.seconds), cost, tokens]


ROUTES: list[BaseRoute] = [Route(SESSION, look)]
