"""Commands on a machine where no `fleet work` runs: a laptop that hands in, looks, and answers."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from at_work import Host, hosts, waits
from kit import GOOD_CHILD, script, until
from machines import git
from programs import program
from watch_terminal import watched
from web_process import started

pytestmark = pytest.mark.slow  # whole commands


@pytest.fixture
def pair(tmp_path: Path, url: str) -> Iterator[tuple[Host, Host]]:
    """A laptop that handed a session in, and a machine on which it waits for an answer."""
    with hosts(tmp_path, url, GOOD_CHILD, "laptop", "ben") as (laptop, ben):
        ben.start()
        laptop.say("run", "Add a feature", "--session", "x", "--fleet")
        until(lambda: waits(laptop, "x"))
        yield laptop, ben


def at_plan(host: Host) -> bool:
    """Whether the copy there waits for approval of the plan."""
    gate = host.status("x")["gate"]
    return bool(gate) and gate["kind"] == "plan_approval"


def test_a_command_shows_what_the_fleet_did_meanwhile(pair: tuple[Host, Host]) -> None:
    laptop = pair[0]
    assert "waits for answers to Q1" in laptop.say("status", "x")
    assert "Which way?" in laptop.say("questions")


def test_a_list_of_all_sessions_does_as_well(pair: tuple[Host, Host]) -> None:
    assert "answers to Q1" in pair[0].say("list")


def test_an_answer_goes_to_the_remote_at_once(pair: tuple[Host, Host]) -> None:
    """Without a name: that the session waits is known by what the remote has alone."""
    laptop, ben = pair
    laptop.say("answer", "Q1=north")
    until(lambda: at_plan(ben))
    laptop.say("approve", "x", "-m", "as planned")
    until(lambda: ben.status("x")["condition"] == "done")
    assert laptop.status("x")["condition"] == "done"


def test_what_is_said_while_the_remote_is_away_goes_there_with_the_next_command(pair: tuple[Host, Host]) -> None:
    laptop, ben = pair
    laptop.say("status", "x")
    remote = Path(git(laptop.root, "config", "remote.origin.url"))
    remote.rename(remote.with_name("away"))
    looked = laptop.run("status", "x")
    assert looked.returncode == 0 and "waits for answers" in looked.stdout
    assert "may be behind the fleet: origin cannot be reached" in " ".join(looked.stderr.split())
    said = laptop.run("answer", "x", "Q1=north")
    assert said.returncode == 0
    assert "is kept, and handed over by the next command on" in " ".join(said.stderr.split())
    remote.with_name("away").rename(remote)
    laptop.say("status", "x")
    until(lambda: at_plan(ben))


def test_a_program_sees_what_the_fleet_did_and_its_words_go_there(pair: tuple[Host, Host]) -> None:
    laptop, ben = pair
    with program(laptop.root, laptop.env) as peer:
        rows = json.loads(peer.call("sessions")[0])["sessions"]
        assert [row["waits_for"] for row in rows] == ["answers to Q1"]
        told, failed = peer.call("tell", session="x", words="Use sqlite.")
        assert not failed and json.loads(told)["condition"] == "waiting"
        until(lambda: "Use sqlite." in ben.inbox("x"))
        ben.say("answer", "x", "Q1=north")
        until(lambda: json.loads(peer.call("status", session="x")[0])["waits_for"].startswith("approval of"))


def test_a_program_that_waits_sees_what_the_fleet_does(pair: tuple[Host, Host]) -> None:
    laptop, ben = pair
    with program(laptop.root, laptop.env) as peer, ThreadPoolExecutor(1) as pool:
        mark = json.loads(peer.call("status", session="x")[0])["mark"]
        waiting = pool.submit(peer.call, "wait", session="x", until="change", mark=mark, seconds=60)
        ben.say("answer", "x", "Q1=north")
        assert json.loads(waiting.result()[0])["mark"] != mark


def test_who_watches_sees_what_the_fleet_does(pair: tuple[Host, Host]) -> None:
    laptop, ben = pair
    remote = Path(git(laptop.root, "config", "remote.origin.url"))
    with watched(laptop.root, columns=120, env=laptop.env) as terminal:
        terminal.until("1 needs you")
        remote.rename(remote.with_name("away"))
        terminal.until("what is here may be behind the fleet: origin cannot be reached")
        remote.with_name("away").rename(remote)
        until(lambda: "enter log  a answer" in terminal.written.rpartition("may be behind the fleet")[2])
        ben.say("answer", "x", "Q1=north")
        terminal.until("approval of")
        terminal.press("q")
        assert terminal.exit_code() == 0


def test_an_open_page_shows_what_the_fleet_does(pair: tuple[Host, Host]) -> None:
    laptop, ben = pair
    with started(laptop.root, "--port", "0", env=laptop.env) as web, web.connect() as stream:
        cookie = web.cookie()
        stream.sendall(f"GET /live HTTP/1.1\r\nHost: localhost:{web.port}\r\n{cookie}\r\n\r\n".encode())
        until(lambda: "answers to Q1" in web.ask("GET / HTTP/1.1", cookie))
        ben.say("answer", "x", "Q1=north")
        until(lambda: "approval of" in web.ask("GET / HTTP/1.1", cookie))


def test_a_program_is_told_that_its_words_are_not_there_yet(pair: tuple[Host, Host]) -> None:
    laptop = pair[0]
    laptop.say("status", "x")
    remote = Path(git(laptop.root, "config", "remote.origin.url"))
    remote.rename(remote.with_name("away"))
    with program(laptop.root, laptop.env) as peer:
        told, failed = peer.call("tell", session="x", words="Use sqlite.")
    [note] = json.loads(told)["notes"]
    assert not failed and "is kept, and handed over by the next command" in note


def test_what_a_person_can_do_with_a_session_that_waits_for_a_machine(tmp_path: Path, url: str) -> None:
    """A machine goes on by itself, so no command for that is named."""
    with hosts(tmp_path, url, GOOD_CHILD, "laptop") as (laptop,):
        laptop.say("run", "Add a feature", "--session", "x", "--fleet")
        shown = laptop.say("status", "x")
        assert "laptop, of the fleet" in shown and "samoloop tell" in shown
        assert "samoloop resume" not in shown and "none is running" not in shown


def test_a_machine_without_the_cli_hands_in_and_has_one_more_thing_done(tmp_path: Path, url: str) -> None:
    at_home = {"providers": {"scripted": {"command": ["~/bin/child.sh"]}}}
    with hosts(tmp_path, url, GOOD_CHILD, "laptop", "ben", settings=at_home) as (laptop, ben):
        (ben.home / "bin").mkdir()
        script(ben.home / "bin", GOOD_CHILD)
        assert "is no program" in " ".join(laptop.run("run", "Add a feature").stderr.split())
        laptop.say("run", "Add a feature", "--session", "x", "--fleet")
        ben.start()
        until(lambda: waits(laptop, "x"))
        laptop.say("answer", "x", "Q1=north")
        until(lambda: at_plan(ben))
        laptop.say("approve", "x")
        until(lambda: ben.status("x")["condition"] == "done")
        before = ben.status("x")["iteration"]
        laptop.say("resume", "x", "-m", "One more thing")
        until(lambda: ben.status("x")["iteration"] > before)
