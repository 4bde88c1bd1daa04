"""The hosts of these tests are what they say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hosts import HERE, Network, Remote, Server, until

CONNECT = "import socket; socket.create_connection(({address!r}, {port}), timeout=1).close(); print('there')"


@pytest.fixture
def network():
    with Network() as network:
        yield network


def links() -> str:
    return subprocess.run(["ip", "-o", "link"], check=True, capture_output=True, text=True).stdout


def test_hosts_meet_at_the_remote_and_the_database_and_change_nothing_of_this_machines_network(network):
    before = links()
    remote, server = Remote(network), Server(network)
    remote.start()
    remote.seed({"README.md": "x\n"})
    server.start()
    ann, bob = network.host("ann"), network.host("bob")
    place = ann.clone(remote.url)
    (place / "new").write_text("1")
    ann.run("git", "add", "new", cwd=place)
    ann.run("git", "commit", "-qm", "new", cwd=place)
    ann.run("git", "push", "-q", "origin", "HEAD:refs/samoloop/fleet/x", cwd=place)
    assert "refs/samoloop/fleet/x" in bob.run("git", "ls-remote", remote.url).stdout
    assert ann.home != bob.home
    ask = f"import sys; from samoloop.fleet.database import Database; Database({server.url!r}, 'ann').init()"
    ann.run(sys.executable, "-c", ask)
    assert links() == before


def test_a_host_that_is_cut_off_reaches_nobody_until_it_is_joined_again(network):
    remote = Remote(network)
    remote.start()
    ann = network.host("ann")
    reach = [sys.executable, "-c", CONNECT.format(address=remote.host.address, port=9418)]
    assert ann.run(*reach).stdout == "there\n"
    network.cut(ann)
    assert ann.run(*reach, check=False).returncode
    network.join(ann)
    until(lambda: ann.run(*reach, check=False).returncode == 0, "it is there again")


def test_the_power_of_one_host_goes_and_the_others_go_on(network):
    ann, bob = network.host("ann"), network.host("bob")
    ann.start("sh", "-c", "sleep 1000 & setsid sleep 1000 & sleep 1000")
    bob.start("sleep", "1000")
    until(lambda: len(ann.pids()) == 4, "all are started")
    ann.kill()
    assert (ann.pids(), len(bob.pids())) == (set(), 1)


def test_a_server_is_killed_and_started_with_what_it_knew(network):
    server, ann = Server(network), network.host("ann")
    server.start()
    ask = "from samoloop.fleet.database import Database; d = Database({url!r}, 'ann'); d.{what}()"
    ann.run(sys.executable, "-c", ask.format(url=server.url, what="init"))
    server.ask("kill")
    assert (
        "cannot be reached"
        in ann.run(sys.executable, "-c", ask.format(url=server.url, what="check"), check=False).stderr
    )
    server.ask("start")
    ann.run(sys.executable, "-c", ask.format(url=server.url, what="check"))


def test_a_full_disk_is_one_hosts_own(network):
    ann, bob = network.host("ann", disk_mb=4), network.host("bob")
    filler = ann.fill_disk()
    with pytest.raises(OSError, match="No space left"):
        (ann.home / "x").write_bytes(bytes(1 << 20))
    (bob.home / "x").write_bytes(bytes(1 << 20))
    filler.unlink()
    (ann.home / "x").write_bytes(bytes(1 << 20))


LEAVE = """
import os, sys
sys.path.insert(0, {here!r})
from hosts import Network
network = Network().__enter__()
network.host("ann", disk_mb=4).start("sleep", "1000")
print(network.folder, network.hosts["ann"].namespace, flush=True)
os.kill(os.getpid(), 9)
"""


def test_what_a_run_left_whose_owner_was_killed_is_removed_by_the_next():
    killed = subprocess.run(
        [sys.executable, "-c", LEAVE.format(here=str(HERE))], capture_output=True, text=True, env={**os.environ}
    )
    folder, namespace = killed.stdout.split()
    assert Path(folder).exists() and (Path("/run/netns") / namespace).exists()
    with Network() as network:
        assert not Path(folder).exists() and not (Path("/run/netns") / namespace).exists()
        mine = network.folder
    assert not mine.exists()


HOLD = """
import sys, time
from samoloop.fleet.address import DatabaseGone
from samoloop.fleet.database import Database
with Database(sys.argv[1], "ann") as database, database.hold("p1", "auth"):
    database.sessions()
    print("held", flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    try:
        database.sessions()
    except DatabaseGone:
        print(time.monotonic() - began, flush=True)
"""


def test_a_database_that_went_silent_is_noticed_and_what_a_lost_machine_held_is_free_again(network):
    """Nobody tells either of them: only the time in which nothing came does."""
    server, ann, bob = Server(network), network.host("ann"), network.host("bob")
    server.start()
    init = "from samoloop.fleet.database import Database; Database({url!r}, 'bob').init()"
    bob.run(sys.executable, "-c", init.format(url=server.url))
    holding = ann.start(sys.executable, "-c", HOLD, server.url, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holding.stdout and holding.stdin
    assert holding.stdout.readline() == "held\n"
    hold = "from samoloop.fleet.database import Database\nwith Database({url!r}, 'bob').hold('p1', 'auth'): pass"
    refused = bob.run(sys.executable, "-c", hold.format(url=server.url), check=False)
    assert "held by a command on ann" in refused.stderr
    network.cut(ann)
    holding.stdin.write("\n")
    holding.stdin.flush()
    free = lambda: bob.run(sys.executable, "-c", hold.format(url=server.url), check=False).returncode == 0  # noqa: E731
    until(free, "the lock is free", 40)
    assert float(holding.stdout.readline()) < 30
