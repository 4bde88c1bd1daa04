"""The fleet's database, with a real Postgres."""

from dataclasses import replace

import psycopg
import pytest
from fleet_rows import machine, session

from samoloop.base.errors import LockHeld, UsageError
from samoloop.fleet.database import Database


def jobs(url: str) -> list[tuple[str, str]]:
    """State and lock of all jobs."""
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT status::text, lock FROM procrastinate_jobs ORDER BY id").fetchall()


def test_a_session_that_is_due_has_one_job_and_at_a_gate_none(database, url):
    assert database.put(session(number=1))
    assert database.put(session(number=2))
    assert jobs(url) == [("todo", "p1/auth")]
    assert database.put(session(number=3, due_in=None, condition="blocked"))
    assert jobs(url) == []
    assert database.session("p1", "auth").due_in is None


def test_a_job_that_waited_for_long_comes_at_once_when_something_was_said(database, url):
    database.put(session(number=1, due_in=3600.0))
    assert 3590 < database.session("p1", "auth").due_in <= 3600
    database.put(session(number=2, due_in=0.0))
    with psycopg.connect(url) as connection:
        late = connection.execute("SELECT count(*) FROM procrastinate_jobs WHERE scheduled_at > now()").fetchone()
    assert (late, len(jobs(url))) == ((0,), 1)


def test_news_of_an_older_parcel_changes_nothing(database, url):
    database.put(session(number=2, due_in=0.0, phase="review"))
    assert not database.put(session(number=1, due_in=None, phase="build"))
    assert database.session("p1", "auth").phase == "review"
    assert jobs(url) == [("todo", "p1/auth")]


def test_what_is_no_longer_the_fleets_has_no_row_and_no_job(database, url):
    database.put(session())
    database.forget("p1", "auth")
    assert (database.session("p1", "auth"), jobs(url)) == (None, [])


def test_the_sweep_gives_a_job_to_what_is_due_and_has_none(database, url):
    database.put(session("due"))
    database.put(session("gate", due_in=None))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DELETE FROM procrastinate_jobs")
    database.sweep(30)
    assert jobs(url) == [("todo", "p1/due")]


def test_a_machine_hears_that_it_shall_drain(database):
    database.enter(machine(), 30)
    assert database.drain("ann")
    assert database.beat("ann", "state of ann", 1, 30).draining
    assert [(one.running, one.draining) for one in database.machines()] == [(1, True)]
    assert not database.drain("nobody")


def test_two_machines_of_one_name_are_told_apart_and_one_that_starts_again_is_the_same(database):
    database.enter(machine(), 30)
    database.enter(machine(slots=3), 30)
    with pytest.raises(UsageError, match=r"another machine that is called ann on host ann\.lan"):
        database.enter(machine(id="other"), 30)
    assert not database.beat("ann", "other", 0, 30).known


def test_the_later_end_of_a_usage_limit_counts_for_all_of_a_login(database):
    database.limit("ours", "claude", 600, "weekly")
    database.limit("ours", "claude", 60, "daily")
    seconds, message = database.limits("ours")["claude"]
    assert 590 < seconds <= 600 and message == "weekly"
    assert database.limits("theirs") == {}
    database.unlimit("ours", "claude")
    assert database.limits("ours") == {}


def test_a_command_that_holds_a_session_keeps_machines_and_commands_from_it(database, url):
    database.put(session())
    with database.hold("p1", "auth"):
        assert database.begin("p1", "auth", "ann") is None
        with (
            Database(url, "bob") as other,
            pytest.raises(LockHeld, match="held by a command on ann"),
            other.hold("p1", "auth"),
        ):
            pass
    assert database.begin("p1", "auth", "bob").parcel == session().parcel
    assert database.session("p1", "auth").machine == "bob"


def test_a_command_is_told_which_machine_is_at_work(database, url):
    database.put(replace(session(), machine="bob"))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE procrastinate_jobs SET status = 'doing'")
    with pytest.raises(LockHeld, match="auth is at work on bob"), database.hold("p1", "auth"):
        pass
