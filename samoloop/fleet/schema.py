"""The fleet's tables: made at once or not at all, and known by a version that each start compares with its own."""

import psycopg
from psycopg.rows import DictRow

from samoloop.fleet import jobs
from samoloop.fleet.address import DatabaseError

Connection = psycopg.Connection[DictRow]
VERSION = 1
_LOCK = 7_266_562_656_711  # of those who make the tables: any number that others are not likely to take

TABLES = """
CREATE TABLE samoloop_fleet (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    version integer NOT NULL,
    jobs text NOT NULL,
    swept timestamptz NOT NULL DEFAULT now(),
    steady_since timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE samoloop_machines (
    name text PRIMARY KEY,
    id text NOT NULL,
    host text NOT NULL,
    version text NOT NULL,
    format integer NOT NULL,
    projects text[] NOT NULL,
    providers text[] NOT NULL,
    tags text[] NOT NULL,
    slots integer NOT NULL,
    running integer NOT NULL DEFAULT 0,
    phone boolean NOT NULL,
    draining boolean NOT NULL DEFAULT false,
    seen timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE samoloop_sessions (
    project text NOT NULL,
    name text NOT NULL,
    parcel text NOT NULL,
    number integer NOT NULL,
    machine text NOT NULL,
    title text NOT NULL,
    phase text NOT NULL,
    iteration integer NOT NULL,
    condition text NOT NULL,
    reason text NOT NULL,
    provider text NOT NULL,
    tags text[] NOT NULL,
    format integer NOT NULL,
    due timestamptz,
    wish text NOT NULL DEFAULT '',
    begun text NOT NULL DEFAULT '',
    told text[] NOT NULL DEFAULT '{}',
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project, name)
);
CREATE INDEX samoloop_sessions_due ON samoloop_sessions (due) WHERE due IS NOT NULL;
CREATE TABLE samoloop_limits (
    login text NOT NULL,
    provider text NOT NULL,
    until timestamptz NOT NULL,
    message text NOT NULL,
    PRIMARY KEY (login, provider)
);

CREATE FUNCTION samoloop_tell_of_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR OLD.parcel IS DISTINCT FROM NEW.parcel OR OLD.wish IS DISTINCT FROM NEW.wish THEN
        PERFORM pg_notify('samoloop', json_build_object(
            'project', NEW.project, 'name', NEW.name, 'parcel', NEW.parcel, 'machine', NEW.machine, 'wish', NEW.wish
        )::text);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER samoloop_sessions_told AFTER INSERT OR UPDATE ON samoloop_sessions
    FOR EACH ROW EXECUTE FUNCTION samoloop_tell_of_session();

CREATE FUNCTION samoloop_tell_of_machine() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('samoloop', json_build_object('machine', NEW.name, 'draining', NEW.draining)::text);
    RETURN NULL;
END $$;
CREATE TRIGGER samoloop_machines_told AFTER UPDATE OF draining ON samoloop_machines
    FOR EACH ROW WHEN (OLD.draining <> NEW.draining) EXECUTE FUNCTION samoloop_tell_of_machine();

CREATE FUNCTION samoloop_tell_of_limit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('samoloop', json_build_object('login', COALESCE(NEW.login, OLD.login))::text);
    RETURN NULL;
END $$;
CREATE TRIGGER samoloop_limits_told AFTER INSERT OR UPDATE OR DELETE ON samoloop_limits
    FOR EACH ROW EXECUTE FUNCTION samoloop_tell_of_limit();

-- A job that waited for its session to be free is told of as if it were new; else a poll would find it.
CREATE FUNCTION samoloop_tell_of_freed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    waiting record;
BEGIN
    SELECT id, queue_name INTO waiting FROM procrastinate_jobs
        WHERE queueing_lock = OLD.lock AND status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now());
    IF FOUND THEN
        PERFORM pg_notify('procrastinate_queue_v1#' || waiting.queue_name,
            json_build_object('type', 'job_inserted', 'job_id', waiting.id)::text);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER samoloop_jobs_freed AFTER DELETE ON procrastinate_jobs
    FOR EACH ROW WHEN (OLD.status = 'doing' AND OLD.lock IS NOT NULL) EXECUTE FUNCTION samoloop_tell_of_freed();
"""


def make(connection: Connection) -> None:
    """All tables, or those of an older version brought up to this one. Two at once: the second finds them made."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        found = _found(connection)
        if found is None:
            if _is_there(connection, "procrastinate_jobs"):
                raise DatabaseError(
                    "the database has tables of Procrastinate that no fleet made: name one of the fleet's own"
                )
            connection.execute(jobs.schema_text())
            connection.execute(TABLES)
            connection.execute("INSERT INTO samoloop_fleet (version, jobs) VALUES (%s, %s)", _ours())
            return
        _refuse_newer(found)
        for step in jobs.migrations():
            if step.name > found[1]:
                connection.execute(step.read_text(encoding="utf-8"))
        connection.execute("UPDATE samoloop_fleet SET version = %s, jobs = %s", _ours())


def check(connection: Connection) -> None:
    """Raise DatabaseError where the tables are not those of this version."""
    found = _found(connection)
    if found is None:
        raise DatabaseError("the database is no fleet's yet: samoloop fleet init")
    _refuse_newer(found)
    if found != _ours():
        raise DatabaseError(
            f"the fleet's database has schema {_shown(found)} of an older version, this one needs {_shown(_ours())}: "
            "bring it up to date with `samoloop fleet init`, when no older machine is at work any more"
        )


def _found(connection: Connection) -> tuple[int, str] | None:
    if not _is_there(connection, "samoloop_fleet"):
        return None
    row = connection.execute("SELECT version, jobs FROM samoloop_fleet").fetchone()
    return (row["version"], row["jobs"]) if row else None


def _is_there(connection: Connection, table: str) -> bool:
    row = connection.execute("SELECT to_regclass(%s) AS found", (table,)).fetchone()
    return bool(row and row["found"])


def _refuse_newer(found: tuple[int, str]) -> None:
    ours = _ours()
    if found[0] > ours[0] or found[1] > ours[1]:
        raise DatabaseError(
            f"the fleet's database has schema {_shown(found)} of a newer version, this one knows {_shown(ours)}: "
            "install a newer samoloop here, with `samoloop[fleet]`"
        )


def _ours() -> tuple[int, str]:
    return VERSION, jobs.migrations()[-1].name


def _shown(found: tuple[int, str]) -> str:
    return f"{found[0]}/{found[1].partition('_')[0]}"
