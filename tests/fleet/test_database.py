"""The fleet's database, with a real Postgres."""

import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest
from fleet_rows import machine, session

from samoloop.base.errors import LockHeld, UsageError
from samoloop.fleet import address, schema
from samoloop.fleet import jobs as jobs_module
from samoloop.fleet.address import DatabaseError, DatabaseGone
from samoloop.fleet.database import Database
from samoloop.fleet.postgres import Postgres


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


def test_who_began_and_never_handed_over_is_known_to_the_next_whatever_others_said_meanwhile(database, url):
    database.put(session(number=1))
    database.begin("p1", "auth", "ann")
    with Database(url, "ben") as ben:
        ben.put(session(number=2))  # a person's act there
        assert ben.begin("p1", "auth", "ben").left_by == "ann"
        ben.put(session(number=3))
        assert ben.begin("p1", "auth", "ben").left_by == ""


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


def test_what_reached_a_person_is_noted_once_by_whoever_notes_it_and_the_newest_are_kept(database):
    database.put(session())
    for items in (["ann-1"], ["ann-1", "ann-2"], ["ann-2"]):
        database.tell("p1", "auth", items)
    assert database.session("p1", "auth").told == ("ann-1", "ann-2")
    database.tell("p1", "auth", [f"ben-{number}" for number in range(150)])
    told = database.session("p1", "auth").told
    assert len(told) == 100 and told[-1] == "ben-149"


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


# --- what can go wrong ------------------------------------------------------------------------------------------------


def as_user(url: str, user: str, password: str = "pw") -> str:
    """The address of the same database for another user."""
    return f"postgresql://{user}:{password}@{url.partition('@')[2]}"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda url: url.replace("@127.0.0.1:", "@127.0.0.1:1"), "cannot be reached"),
        (lambda url: url.replace("@127.0.0.1:", "@no-such-host.invalid:"), "cannot be reached"),
        (lambda url: url.rpartition("/")[0] + "/nothing", "cannot be reached .*does not exist"),
        (lambda url: as_user(url, "samoloop", "wr0ng"), "cannot be reached .*authentication failed"),
        (lambda url: url.replace(":", "", 1), "cannot be read"),
        (lambda url: url.replace("://", "://a b%zz:"), "cannot be"),
    ],
)
def test_an_address_that_leads_nowhere_is_a_sentence_without_its_password(url, wrong, says):
    address = wrong(url)
    with pytest.raises(DatabaseError, match=says) as refused, Database(address, "ann") as database:
        database.check()
    assert "SAMOLOOP_FLEET_DATABASE" in str(refused.value)
    said = "".join(traceback.format_exception(refused.value))
    assert url.split(":")[2].partition("@")[0] not in said and "wr0ng" not in said


def test_a_user_without_rights_is_told_so(url):
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS guest")
        connection.execute("CREATE ROLE guest LOGIN PASSWORD 'pw'")
    with Database(as_user(url, "guest"), "ann") as guest, Database(url, "ann") as owner:
        with pytest.raises(DatabaseError, match=r"does not let this user do that .*permission denied"):
            guest.init()
        owner.init()
        with pytest.raises(DatabaseError, match=r"does not let this user do that .*samoloop_fleet"):
            guest.check()


def test_tables_of_no_fleet_of_an_older_and_of_a_newer_version_are_told_apart(url):
    with Database(url, "ann") as database, psycopg.connect(url, autocommit=True) as connection:
        with pytest.raises(DatabaseError, match="no fleet's yet: samoloop fleet init"):
            database.check()
        with pytest.raises(DatabaseError, match="no fleet's yet"):
            database.sessions()
        database.init()
        database.check()
        newest = jobs_module.migrations()[-1].name
        for version, steps, says in (
            (schema.VERSION + 1, newest, r"schema 2/.* of a newer version, .* 1/.*install a newer samoloop"),
            (schema.VERSION, "99.00.00_01_pre.sql", r"schema 1/99.00.00 of a newer version.*install a newer samoloop"),
            (schema.VERSION - 1, newest, r"schema 0/.* of an older version.*samoloop fleet init"),
        ):
            connection.execute("UPDATE samoloop_fleet SET version = %s, jobs = %s", (version, steps))
            with pytest.raises(DatabaseError, match=says):
                database.check()


def test_init_brings_an_older_version_up_to_date_with_the_jobs_that_are_in_it(url):
    steps = jobs_module.migrations()
    with psycopg.connect(url, autocommit=True) as connection, Database(url, "ann") as database:
        for step in steps[:-6]:
            connection.execute(step.read_text())
        connection.execute(schema.TABLES)
        connection.execute("INSERT INTO samoloop_fleet (version, jobs) VALUES (0, %s)", (steps[-7].name,))
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock) VALUES ('q', 'samoloop.iterate', 'p1/old')"
        )
        with pytest.raises(DatabaseError, match="older version"):
            database.check()
        database.init()
        database.check()
        assert database.put(session())
    assert jobs(url) == [("todo", "p1/old"), ("todo", "p1/auth")]


def test_tables_that_another_program_made_are_left_alone(url):
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(jobs_module.schema_text())
        with Database(url, "ann") as database, pytest.raises(DatabaseError, match="that no fleet made"):
            database.init()
        found = connection.execute("SELECT to_regclass('samoloop_fleet')").fetchone()
    assert found == (None,)


def test_many_may_make_the_tables_at_once(url):
    def make(number: int) -> None:
        with Database(url, f"m{number}") as database:
            database.init()
            database.check()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(8)))


def test_a_connection_that_is_lost_in_the_middle_of_a_transaction_costs_nothing(database, url):
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SEQUENCE times")
        connection.execute(
            "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF nextval('times') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NEW; END $$"
        )
        # after the session's row is written, before its job is
        connection.execute("CREATE TRIGGER cut AFTER INSERT ON samoloop_sessions FOR EACH ROW EXECUTE FUNCTION cut()")
    assert database.put(session())
    assert (database.session("p1", "auth").number, jobs(url)) == (1, [("todo", "p1/auth")])


def test_a_server_that_comes_back_in_time_is_waited_for_and_one_that_does_not_is_told():
    with Postgres() as server, Database(server.url, "ann", patience_seconds=30) as patient:
        patient.init()
        server.kill()
        with Database(server.url, "ann") as hasty, pytest.raises(DatabaseGone):
            hasty.sessions()
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(patient.put, session())
            server.start()
            assert asked.result(30)
        server.stop()
        with ThreadPoolExecutor(1) as pool:  # who closes it is not kept waiting
            asked = pool.submit(patient.sessions)
            patient.close()
            with pytest.raises(DatabaseGone):
                asked.result(5)


def test_sessions_at_gates_hold_no_connection(database, url):
    def connections() -> int:
        with psycopg.connect(url) as connection:
            return connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            ).fetchone()[0]

    before = connections()
    for number in range(200):
        database.put(session(f"s{number}", due_in=None, condition="blocked"))
    assert (len(database.sessions("p1")), connections(), jobs(url)) == (200, before, [])


def test_all_machines_sweep_in_turn_and_none_is_taken_for_dead_after_a_time_without_database(database, url):
    database.enter(machine("ann"), 30)
    database.enter(machine("bob"), 30)

    def age(seconds: int, steady: int) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "UPDATE samoloop_fleet SET swept = now() - make_interval(secs => %s), "
                "steady_since = now() - make_interval(secs => %s)",
                (seconds, steady),
            )

    def beats() -> list[tuple[bool, bool]]:
        both = [database.beat(name, f"state of {name}", 0, 30) for name in ("ann", "bob")]
        return [(beat.sweeps, beat.steady) for beat in both]

    age(10, 100)
    assert beats() == [(True, True), (False, False)]
    age(3, 100)
    assert beats() == [(False, False), (False, False)]
    age(60, 100)  # nobody could
    assert beats() == [(True, False), (False, False)]
    age(10, 20)  # soon after that
    assert beats() == [(True, False), (False, False)]


def test_the_password_is_masked_in_all_words():
    url = "postgresql://ann:s%40crt@db.lan:5432/fleet"
    words = f"trouble with {url}: s@crt, s%40crt, password=s3c and postgres://bob:x@y/z"
    assert address.masked(words, url) == (
        "trouble with postgresql://ann:***@db.lan:5432/fleet: ***, ***, password=*** and postgres://bob:***@y/z"
    )
