"""A Postgres of one's own: up soon, reached by its password alone, and gone with its owner."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from hosts import until

from samoloop.base import proc
from samoloop.base.errors import SamoloopError, UsageError
from samoloop.fleet import postgres
from samoloop.fleet.postgres import Postgres

OWN = """
import time
from samoloop.fleet.postgres import Postgres
with Postgres() as server:
    print(server.url, server._folder, flush=True)
    time.sleep(1000)
"""


def postmasters(folder: str) -> list[int]:
    """The servers that run on the folder."""
    pids = [int(path.name) for path in proc.PROC.glob("[0-9]*")]
    return [pid for pid in pids if any(word.startswith(folder) for word in proc.command(pid))]


def test_what_was_written_is_there_after_a_kill_and_after_a_stop():
    with Postgres() as own:
        for end in (own.kill, own.stop):
            with psycopg.connect(own.url, autocommit=True) as connection:
                connection.execute("CREATE TABLE IF NOT EXISTS kept (x int)")
                connection.execute("INSERT INTO kept VALUES (1)")
            end()
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(own.url)
            own.start()
        with psycopg.connect(own.url) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (2,)


def test_who_has_not_the_password_comes_not_in(server):
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(server.url.replace("@", "x@", 1))
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(server.url.replace(server.url[len("postgresql://samoloop") : server.url.index("@")], ""))


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_it_ends_with_its_owner_and_in_good_order_leaves_nothing(end):
    owner = subprocess.Popen([sys.executable, "-c", OWN], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert owner.stdout
        url, folder = owner.stdout.readline().split()
        assert postmasters(folder)
        owner.send_signal(end)
        owner.wait(20)
        until(lambda: not postmasters(folder), "the server ended")
        until(lambda: not Path(folder).exists(), "its data is gone")
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url)
    finally:
        owner.kill()
        owner.wait()
        owner.stdout.close()


def test_a_taken_port_is_a_sentence(server):
    with pytest.raises(SamoloopError, match=rf"does not start on 127.0.0.1:{server.port}: .*in use"):
        Postgres(port=server.port).__enter__()


@pytest.mark.skipif(os.geteuid() != 0, reason="who is not root reads what it has installed")
def test_programs_that_its_user_may_not_read_are_copied(tmp_path, monkeypatch):
    installed = postgres.find().parent
    hidden = tmp_path / "site-packages"
    hidden.mkdir(mode=0o700)
    for name in (installed.name, f"{installed.name}.libs"):
        shutil.copytree(installed.parent / name, hidden / name, ignore=shutil.ignore_patterns("include", "pginstall"))
    for path in hidden.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
    monkeypatch.setattr(sys, "path", [str(hidden), *(place for place in sys.path if place != str(installed.parent))])
    monkeypatch.delitem(sys.modules, installed.name, raising=False)
    importlib.invalidate_caches()
    assert postgres.find().is_relative_to(hidden)
    with Postgres() as own, psycopg.connect(own.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_where_the_wheel_is_not_there_it_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'samoloop\[fleet-try\]'"):
        postgres.find()
