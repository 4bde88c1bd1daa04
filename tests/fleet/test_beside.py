"""Sessions that one machine is at beside each other do not stand in each other's way."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from at_work import hosts, waits
from kit import GOOD_CHILD, git, until
from machines import hook, make_fleet
from test_dies import at_child
from test_machine import CHILD

from samoloop.fleet.machine import _MORE_THREADS
from samoloop.fleet.parcel import Kind
from samoloop.worker.lease import FILES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]  # whole commands

# The remote takes a parcel of this session when the file is gone.
SLOW = """
while read old new ref; do case $ref in refs/samoloop/fleet/*{name}) touch {folder}/asked
until [ ! -e {folder}/slow ]; do sleep 0.02; done;; esac; done
"""

# What a machine fetches with, which says nothing while the file is there.
SILENT = """#!/bin/sh
[ ! -e {folder}/silent ] || : > {folder}/asked.$$
until [ ! -e {folder}/silent ]; do sleep 0.02; done
exec git-upload-pack "$@"
"""


def seen(url: str, machine: str) -> float:
    """When the database heard of a machine last, in seconds."""
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT extract(epoch FROM seen) FROM samoloop_machines WHERE name = %s", (machine,))
        return float(found.fetchone()[0])  # type: ignore[index]


def test_one_begins_while_another_is_handed_over(tmp_path: Path, url: str) -> None:
    with hosts(tmp_path, url, CHILD, "ann") as (ann,):
        at_child(tmp_path, ann)
        hook(tmp_path / "remote.git", "pre-receive", SLOW.format(name="x", folder=tmp_path))
        (tmp_path / "slow").touch()
        (tmp_path / "hold").unlink()
        until((tmp_path / "asked").exists)
        ann.say("run", "Add a feature", "--session", "y", "--fleet")
        until(lambda: any(record["event"] == "started" for record in ann.records("y")))
        (tmp_path / "slow").unlink()
        until(lambda: waits(ann, "x") and waits(ann, "y"))
        assert "could not go on here" not in ann.said()


def test_a_machine_is_heard_of_while_all_its_copies_wait_for_a_silent_remote(tmp_path: Path, url: str) -> None:
    names = [f"s{number}" for number in range(_MORE_THREADS + 1)]  # as many as there are threads
    with hosts(tmp_path, url, CHILD, "ann", "laptop") as (ann, laptop):
        for name in names:
            laptop.say("run", "Add a feature", "--session", name, "--fleet", "--needs", "gpu")
        silent = tmp_path / "upload-pack"
        silent.write_text(SILENT.format(folder=tmp_path))
        silent.chmod(0o755)
        git(ann.root, "config", "remote.origin.uploadpack", str(silent))
        ann.start("--slots", "1")
        until(lambda: len(ann.sessions()) == len(names))
        (tmp_path / "silent").touch()
        for name in names:
            laptop.say("tell", name, "words")
        until(lambda: len(list(tmp_path.glob("asked.*"))) == len(names))
        begun = seen(url, "ann")
        until(lambda: seen(url, "ann") > begun + ann.lease_seconds, 15)  # a git gives up after 30
        (tmp_path / "silent").unlink()


def test_the_way_to_the_remote_for_one_holds_no_other(tmp_path: Path) -> None:
    (one,) = make_fleet(tmp_path, GOOD_CHILD, ("one",))
    slow, other = one.hand_in(name="slow"), one.hand_in(name="other")
    hook(tmp_path / "remote.git", "pre-receive", SLOW.format(name="slow", folder=tmp_path))
    (tmp_path / "slow").touch()
    one.iterate(slow)
    with ThreadPoolExecutor(1) as thread, one.at_work():
        with FILES.taken(other):
            pushed = thread.submit(one.send, slow, Kind.ITERATION)
            until((tmp_path / "asked").exists)
        is_held, is_done = FILES.is_held(other.dir), pushed.done()
        (tmp_path / "slow").unlink()
        assert (is_held, is_done, pushed.result()) == (False, False, [])
