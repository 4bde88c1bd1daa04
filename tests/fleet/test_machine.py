"""`fleet work` on several machines: who works on what, and what happens when one dies."""

from collections import Counter
from pathlib import Path

import psycopg
import pytest
from at_work import Host, fleet_row, hosts, waits
from kit import GOOD_CHILD, until

pytestmark = pytest.mark.slow  # whole commands

# Each child writes down that it worked; one that is told to hold waits until it may go on.
LEDGER = """
here=$(dirname "$0")
[ -z "$SAMOLOOP_ITERATION" ] || echo "$SAMOLOOP_ITERATION $SAMOLOOP_PHASE $FLEET_HOST" >> "$here/ledger"
[ ! -e "$here/hold" ] || [ -z "$SAMOLOOP_ITERATION" ] || until [ ! -e "$here/hold" ]; do sleep 0.02; done
"""
CHILD = LEDGER + GOOD_CHILD
# All of a small workflow, which asks nothing.
CHORE = """
case $SAMOLOOP_PHASE in
investigation) printf '# Dive\\n\\n- [x] do it\\n' > 11-21-0900-dive-x.md; next implementation;;
implementation) next testing;;
testing) echo tested > 11-21-0900-testing-x.md; next done;;
done) echo all > 11-21-0900-summary-x.md; signal '{"status": "done", "summary": "all"}';;
esac
"""


def ledger(folder: Path) -> list[tuple[str, ...]]:
    """Iteration, phase and machine of each child that was started."""
    path = folder / "ledger"
    return [tuple(line.split()) for line in path.read_text().splitlines()] if path.exists() else []


def started(host: Host, name: str) -> Counter[tuple[int, int]]:
    return Counter(
        (record["iteration"], record["attempt"]) for record in host.records(name) if record["event"] == "started"
    )


def test_a_session_handed_in_on_one_machine_is_worked_on_by_another(tmp_path: Path, url: str) -> None:
    with hosts(tmp_path, url, CHILD, "ann", "ben") as (ann, ben):
        ben.start()
        assert "the fleet's now" in ann.say("run", "Add a feature", "--session", "x", "--fleet")
        until(lambda: waits(ann, "x"))
        assert ledger(tmp_path) == [("1", "investigation", "ben"), ("2", "requirements", "ben")]


def test_a_session_goes_on_on_another_machine_when_the_one_at_work_on_it_dies(tmp_path: Path, url: str) -> None:
    with hosts(tmp_path, url, CHILD, "ann", "ben") as (ann, ben):
        (tmp_path / "hold").touch()
        ann.start()
        ann.say("run", "Add a feature", "--session", "x", "--fleet")
        until(lambda: len(ledger(tmp_path)) == 1)
        ben.start()
        ann.kill()
        assert not ann.processes()
        (tmp_path / "hold").unlink()
        until(lambda: waits(ben, "x"))
        assert ledger(tmp_path) == [
            ("1", "investigation", "ann"),
            ("1", "investigation", "ben"),
            ("2", "requirements", "ben"),
        ]
        prompt = next((ben.home / "state").rglob("001-investigation*.prompt.md")).read_text()
        assert "begun on ann, of which nothing was heard" in prompt


def forgets(url: str) -> None:
    """The database is as if whoever gave a parcel to the remote had died before they could tell it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DELETE FROM procrastinate_jobs")
        connection.execute("DELETE FROM samoloop_sessions")


def test_what_the_database_was_never_told_is_found_on_the_remote(tmp_path: Path, url: str) -> None:
    with hosts(tmp_path, url, CHILD, "ann", "ben") as (ann, ben):
        ann.say("run", "Add a feature", "--session", "x", "--fleet")
        forgets(url)
        ben.start()
        until(lambda: waits(ben, "x"))
        forgets(url)
        until(lambda: waits(ben, "x"))  # also while the machine is at work


def test_who_hands_in_again_what_came_to_the_remote_and_not_to_the_database_is_served(tmp_path: Path, url: str) -> None:
    with hosts(tmp_path, url, CHILD, "ann") as (ann,):
        ann.say("run", "Add a feature", "--session", "x", "--fleet")
        forgets(url)
        assert "the fleet's now" in ann.say("run", "--session", "x", "--fleet")
        assert fleet_row(ann, "x")


def test_an_answer_on_one_machine_lets_another_go_on(tmp_path: Path, url: str) -> None:
    with hosts(tmp_path, url, CHILD, "ann", "ben") as (ann, ben):
        ann.start("--providers", "demo")  # it works on nothing here, and has copies all the same
        ben.start()
        ben.say("run", "Add a feature", "--session", "x", "--fleet")
        until(lambda: waits(ann, "x") and ann.records("x"))
        until(lambda: ann.status("x")["gate"])
        assert "A machine of the fleet goes on" in ann.say("answer", "x", "Q1=B")
        until(lambda: len(ledger(tmp_path)) > 2)
        until(lambda: waits(ann, "x"))
        assert ann.status("x")["gate"]["kind"] == "plan_approval" or until(
            lambda: ann.status("x")["phase"] == "planning"
        )
        assert {host for _, _, host in ledger(tmp_path)} == {"ben"}
        assert ann.status("x")["machine"] == "ben" and "ben, of the fleet" in ann.say("status", "x")
        answered = next(record for record in ben.records("x") if record["event"] == "gate_closed")
        assert answered["answers"]["Q1"]["answer"].startswith("B")
