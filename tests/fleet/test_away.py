"""What `fleet work` says and does where its database or its remote is not there, from its start on."""

import asyncio
import gc
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from at_work import Host, hosts, waits
from kit import GOOD_CHILD, until
from machines import hook
from procrastinate.exceptions import ConnectorException
from test_machine import CHILD

from samoloop.fleet.machine import _unless_the_database_is_away
from samoloop.fleet.postgres import Postgres

AGAIN = "it is asked again until it answers"
pytestmark = pytest.mark.timeout(180)


def secret(server: Postgres) -> str:
    return server.url.partition("://")[2].partition("@")[0].partition(":")[2]


@contextmanager
def begun_before_its_database(folder: Path) -> Iterator[tuple[Postgres, Host]]:
    with Postgres() as server, hosts(folder, server.url, CHILD, "ann") as (ann,):
        server.stop()
        ann.begin()
        until(lambda: AGAIN in ann.said())
        yield server, ann


@pytest.mark.slow  # whole commands
def test_begun_before_its_database_it_says_so_and_waits_for_it(tmp_path: Path) -> None:
    with begun_before_its_database(tmp_path) as (server, ann):
        assert f"the fleet's database at 127.0.0.1:{server.port}/fleet cannot be reached" in ann.said()
        server.start()
        until(lambda: "ann takes sessions of" in ann.said())
        assert ann.said().count("\n") == 3  # away, back, and at work
        assert "answers again" in ann.said() and secret(server) not in ann.said()
        assert ann.end() == 130


@pytest.mark.slow  # whole commands
def test_while_it_waits_for_its_database_a_person_can_end_it(tmp_path: Path) -> None:
    with begun_before_its_database(tmp_path) as (_, ann):
        assert ann.end(signal.SIGINT) == 130
        assert "Traceback" not in ann.said()


@pytest.mark.slow  # whole commands
def test_an_address_that_no_waiting_helps_ends_it_with_a_sentence(tmp_path: Path, url: str) -> None:
    with hosts(tmp_path, url, CHILD, "ann") as (ann,):
        password = url.partition("://")[2].partition("@")[0].partition(":")[2]
        for wrong, why in (
            (url.replace("//samoloop:", "//bob:"), "bob"),
            (url.replace(password, "geheim"), "password authentication failed"),
            (f"{url}_not", "does not exist"),
            (url.replace("127.0.0.1", "nobody.invalid"), "nobody.invalid"),
        ):
            ann.url = wrong
            ann.settle()
            ended = ann.run("fleet", "work")
            assert ended.returncode == 2 and why in ended.stderr, ended.stderr
            assert "Traceback" not in ended.stderr
            assert not any(word in ended.stderr + ended.stdout for word in (AGAIN, password, "geheim"))


@pytest.mark.slow  # whole commands
def test_begun_while_the_remote_is_away_it_says_so_and_waits_for_it(tmp_path: Path, url: str) -> None:
    with hosts(tmp_path, url, CHILD, "ann") as (ann,):
        (tmp_path / "remote.git").rename(tmp_path / "away.git")
        ann.begin()
        until(lambda: AGAIN in ann.said())
        (tmp_path / "away.git").rename(tmp_path / "remote.git")
        until(lambda: "ann takes sessions of" in ann.said())
        assert ann.said().count(AGAIN) == 1


@pytest.mark.slow  # whole commands
def test_another_project_whose_remote_is_away_keeps_nobody_waiting(tmp_path: Path, url: str) -> None:
    with hosts(tmp_path, url, CHILD, "ann") as (ann,):
        ann.start()
        ann.end()
        other = tmp_path / "other"
        ann.git("clone", "--quiet", str(tmp_path / "remote.git"), str(other))
        (tmp_path / "remote.git").rename(tmp_path / "moved.git")
        here = replace(ann, root=other)
        here.git("config", "remote.origin.url", str(tmp_path / "moved.git"))
        here.start()
        assert f"{ann.root} is left alone" in here.said() and AGAIN not in here.said()
        here.end()


@pytest.mark.slow  # whole commands
def test_each_time_that_the_database_is_away_one_sentence_says_so_and_one_that_it_is_back(tmp_path: Path) -> None:
    with Postgres() as server, hosts(tmp_path, server.url, CHILD, "ann") as (ann,):
        ann.start()
        for times in (1, 2):
            server.kill()
            until(lambda times=times: ann.said().count(AGAIN) == times)
            server.start()
            until(lambda times=times: ann.said().count("The fleet's database answers again.") == times)
        assert ann.said().count("\n") == 5
        assert secret(server) not in ann.said()


@pytest.mark.slow  # whole commands
def test_what_came_to_the_remote_but_could_not_be_written_down_here_is_the_fleet_s(tmp_path: Path, url: str) -> None:
    with hosts(tmp_path, url, GOOD_CHILD, "ann") as (ann,):
        ann.run("run", "Add a feature", "--session", "x", "--no-wait")
        in_the_way = f"refs/samoloop/fleet/{ann.folder('x').name}/other"
        ann.git("update-ref", in_the_way, "HEAD")
        done = ann.run("fleet", "move", "x")
        assert done.returncode == 2 and "update-ref failed" in done.stderr
        ann.git("update-ref", "-d", in_the_way)
        ann.start()
        until(lambda: waits(ann, "x"))
        assert "ann, of the fleet" in ann.say("status", "x")


@pytest.mark.slow  # whole commands
def test_what_the_remote_did_not_take_just_then_is_handed_in_by_the_same_command_later(
    tmp_path: Path, url: str
) -> None:
    with hosts(tmp_path, url, GOOD_CHILD, "ann") as (ann,):
        ann.run("run", "Add a feature", "--session", "x", "--no-wait")
        remote = Path(ann.git("config", "remote.origin.url"))
        hook(remote, "pre-receive", "grep -q fleet-id || kill -9 $PPID")
        done = ann.run("fleet", "move", "x")
        assert done.returncode == 2 and "origin cannot be reached" in " ".join(done.stderr.split())
        (remote / "hooks" / "pre-receive").unlink()
        assert "is the fleet's now" in ann.say("fleet", "move", "x")
        assert waits(ann, "x")


def test_a_job_whose_end_cannot_be_written_down_is_no_fault_that_a_person_is_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(error: Exception) -> None:
        raise error

    async def left_alone() -> None:
        asyncio.get_running_loop().set_exception_handler(_unless_the_database_is_away)
        for error in (ConnectorException("away"), ValueError("a fault of ours")):
            task = asyncio.create_task(fail(error))
            await asyncio.wait([task])
            del task, error
            gc.collect()

    with caplog.at_level(logging.ERROR, logger="asyncio"):
        asyncio.run(left_alone())
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["a fault of ours"]
