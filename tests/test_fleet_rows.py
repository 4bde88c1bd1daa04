"""What follows from the rows of machines and sessions. Pure."""

from dataclasses import replace

import pytest

from samoloop.fleet import rows
from samoloop.fleet.rows import MachineRow, SessionRow

SESSION = SessionRow("p1", "auth", "0ff", 3, "ann", "Login", "build", 2, "ready", "", "claude", (), 1, 0.0)
MACHINE = MachineRow("ann", "a1", "ann.lan", "1", 1, ("p1", "p2"), ("claude", "codex"), ("gpu", "mac"), 2)


@pytest.mark.parametrize(
    ("session", "machine", "serves"),
    [
        ({}, {}, True),
        ({"provider": "gemini"}, {}, False),
        ({"project": "p3"}, {}, False),
        ({"tags": ("gpu",)}, {}, True),
        ({"tags": ("mac", "gpu")}, {}, True),
        ({"tags": ("gpu", "arm")}, {}, False),
        ({"format": 2}, {}, False),  # written by a newer samoloop
        ({"format": 1}, {"format": 2}, True),
        ({"tags": ("gpu",)}, {"tags": ()}, False),
    ],
)
def test_a_machine_listens_to_a_queue_just_where_it_can_serve_the_session(session, machine, serves):
    row, one = replace(SESSION, **session), replace(MACHINE, **machine)
    assert rows.can_serve(one, row) is serves
    assert (rows.queue_of(row) in rows.queues(one)) is serves


def test_the_order_of_tags_makes_no_other_queue_and_their_words_do_not_run_together():
    assert rows.queue("p", "c", ("b", "a"), 1) == rows.queue("p", "c", ("a", "b"), 1)
    assert rows.queue("p", "c", ("ab",), 1) != rows.queue("p", "c", ("a", "b"), 1)


def test_the_channel_of_a_queue_is_not_too_long_for_postgres():
    assert len("procrastinate_queue_v1#" + rows.queue("p" * 500, "c" * 500, (), 1)) < 64


@pytest.mark.parametrize(
    ("machines", "session", "waits"),
    [
        ([], {}, True),
        ([{}], {}, False),
        ([{"seconds": 31.0}], {}, True),  # not heard of
        ([{"draining": True}], {}, True),
        ([{"providers": ("codex",)}], {}, True),
        ([{"providers": ("codex",)}, {}], {}, False),
        ([], {"due_in": None}, False),  # it waits for a person
        ([], {"at_work": True}, False),
    ],
)
def test_a_session_that_no_live_machine_serves_is_told(machines, session, waits):
    found = [replace(MACHINE, **machine) for machine in machines]
    assert rows.nobody_serves(replace(SESSION, **session), found, 30.0) is waits


@pytest.mark.parametrize(
    ("held", "before", "running", "lost"),
    [
        ({1}, {1}, set(), {1}),
        ({1}, set(), set(), set()),  # fetched this moment, perhaps
        ({1}, {1}, {1}, set()),
        (set(), {1}, set(), set()),
        ({1, 2}, {1, 2}, {2}, {1}),
    ],
)
def test_a_job_is_forgotten_that_the_database_gave_and_nobody_runs(held, before, running, lost):
    assert rows.forgotten(held, before, running) == lost
