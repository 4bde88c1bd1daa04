"""Where a session goes on: on the machine that had it last, if that has room now; else wherever there is room.

A job waits in the own queue of that machine, and where it is not taken within seconds the sweep gives it to all.
"""

from collections.abc import Iterator
from datetime import datetime

from samoloop.fleet.rows import MachineRow, SessionRow, can_serve, is_bound, lock, of_table, own_queue, queue_of, queues
from samoloop.fleet.rules import BEAT_SECONDS
from samoloop.fleet.schema import Connection

_FRESH_SECONDS = 1.5 * BEAT_SECONDS
_OWN_SECONDS = 5.0  # that a job waits for the one machine
# Room: less runs there than it has slots, it was heard of a beat ago, and nothing else waits that it could take.
_ROOM = """
SELECT m.*, m.slots > (
    SELECT count(*) FROM procrastinate_jobs j JOIN samoloop_sessions s ON j.lock = s.project || '/' || s.name
    WHERE s.machine = m.name AND j.status = 'doing' AND j.lock <> %(lock)s) AS has_room
FROM samoloop_machines m
WHERE m.name = %(machine)s AND NOT m.draining AND m.seen > now() - make_interval(secs => %(fresh)s)
"""
_OTHERS_WAIT = """
SELECT 1 FROM procrastinate_jobs j
WHERE j.status = 'todo' AND j.queue_name = ANY(%(queues)s) AND j.scheduled_at <= now() AND j.lock <> %(lock)s
    AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs d WHERE d.lock = j.lock AND d.status = 'doing')
LIMIT 1
"""
_HELD_UP = """
SELECT s.*, extract(epoch FROM s.due - now())::float8 AS due_in, j.queue_name AS queue
FROM samoloop_sessions s JOIN procrastinate_jobs j ON j.queueing_lock = s.project || '/' || s.name
WHERE j.status = 'todo' AND j.scheduled_at < now() - make_interval(secs => %(seconds)s)
    AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs d WHERE d.lock = j.lock AND d.status = 'doing')
"""


def queue_where_it_was(connection: Connection, row: SessionRow) -> str:
    """The own queue of the machine that had the session last, whose worktree and caches are warm, where that has room
    now; else empty."""
    if row.due_in is None or row.due_in > 0 or is_bound(row):
        return ""
    given = {"machine": row.machine, "lock": lock(row.project, row.name), "fresh": _FRESH_SECONDS}
    found = connection.execute(_ROOM, given).fetchone()
    if found is None or not found["has_room"] or not can_serve(machine := of_table(MachineRow, found), row):
        return ""
    others = connection.execute(_OTHERS_WAIT, {**given, "queues": queues(machine)}).fetchone()
    return "" if others else own_queue(row, row.machine)


def held_up(connection: Connection) -> Iterator[tuple[SessionRow, datetime]]:
    """Sessions whose machine did not take its job, and when they were due."""
    for found in connection.execute(_HELD_UP, {"seconds": _OWN_SECONDS}).fetchall():
        row = of_table(SessionRow, found)
        if found["queue"] != queue_of(row):
            yield row, found["due"]
