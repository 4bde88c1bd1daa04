"""Logs of the fleet's sessions, read on another machine than the one where a child ran: their newest part."""

import json
import os
from pathlib import Path

import pytest
from at_work import hosts
from browser import Browser
from click.testing import CliRunner, Result
from kit import GOOD_CHILD, git, until
from machines import Machine, make_fleet
from test_machine import CHORE, LEDGER
from test_transport import hook

from samoloop.api.logs import attempts
from samoloop.config.projects import register
from samoloop.core.control import LOG_PARTS
from samoloop.core.session import Session
from samoloop.fleet import log_parts
from samoloop.fleet.parcel import Kind
from samoloop.git.objects import Objects
from samoloop.ui.cli import cli
from samoloop.ui.web.site import url_of

TALKS = 'echo "word $SAMOLOOP_ITERATION of $FLEET_HOST"\n'


@pytest.fixture
def machines(tmp_path: Path) -> list[Machine]:
    made = make_fleet(tmp_path, "echo 'what the child said'\n" + GOOD_CHILD)
    for machine in made:
        (machine.root / ".samoloop.yaml").write_text(json.dumps(machine.said))
    return made


@pytest.fixture
def bare(machines: list[Machine]) -> Path:
    return Path(git(machines[0].root, "config", "remote.origin.url"))


def worked(machine: Machine) -> Session:
    """A session with an iteration of this machine, on the remote, without its logs."""
    session = machine.hand_in()
    machine.iterate(session)
    machine.send(session, Kind.ITERATION)
    return session


def given(machine: Machine, session: Session) -> str:
    with machine.at_work():
        return log_parts.give(session)


def log(machine: Machine, *words: str) -> Result:
    before = Path.cwd()
    with machine.at_work():
        os.chdir(machine.root)
        try:
            return CliRunner().invoke(cli, ["log", "auth", *words])
        finally:
            os.chdir(before)


def test_the_log_of_another_machine_is_shown_with_whose_it_is(machines: list[Machine]) -> None:
    one, two = machines
    session = worked(one)
    assert given(one, session) == ""
    two.place(session.name)
    done = log(two)
    assert "what the child said" in done.stdout and "requirements" in done.stdout
    assert "It ran on one: its log, as it was at 20" in done.stderr
    assert "It ran on" not in log(one).stderr
    assert log(two, "--raw").stdout == log(one, "--raw").stdout


def test_of_a_large_log_the_newest_part_is_shown_from_a_whole_line_on_and_how_much_that_is(
    machines: list[Machine],
) -> None:
    one, two = machines
    session = worked(one)
    with one.at_work():
        last = attempts(session.journal.read(), session.logs)[-1]
        lines = [f"line {number}" for number in range(50_000)]
        last.log.write_text("\n".join(lines) + "\n")
        assert log_parts.give(session) == log_parts.give(session) == ""  # it takes the place of the one before
    two.place(session.name)
    done = log(two, "--raw")
    assert done.stdout.endswith("line 49999\n") and done.stdout.startswith("line ")
    assert f"the newest {len(done.stdout):,} of {sum(map(len, lines)) + 50_000:,} bytes of its log" in done.stderr


def test_bytes_that_are_no_text_arrive_as_they_are_and_links_and_lines_without_end_do_no_harm(
    machines: list[Machine],
) -> None:
    one, two = machines
    session = worked(one)
    with one.at_work():
        last = attempts(session.journal.read(), session.logs)[-1]
        last.log.write_bytes(bytes(range(256)) * 4)
        (session.logs / "large.log").write_bytes(b"a" * 300_000 + b"end")
        (session.logs / "link.log").symlink_to("/etc/passwd")
        assert log_parts.give(session) == ""
    copy, _ = two.place(session.name)
    before = Path.cwd()
    with two.at_work():
        assert log_parts.take(copy) == ""
        found = attempts(copy.journal.read(), copy.logs)[-1]
        assert found.log.read_bytes() == bytes(range(256)) * 4
        part = copy.control / LOG_PARTS
        assert not (part / "link.log").exists() and (part / "large.log").read_bytes()[-3:] == b"end"
        assert (part / "large.log").stat().st_size == 256 * 1024
    assert Path.cwd() == before and log(two).exit_code == 0


def test_a_log_that_is_nowhere_but_on_its_machine_is_said_and_so_is_why(machines: list[Machine]) -> None:
    one, two = machines
    session = worked(one)
    two.place(session.name)
    done = log(two)
    assert done.exit_code == 0 and "It ran on another machine, which has its log: nothing of it is here." in done.stderr
    assert "origin has no part of the logs of" in done.stderr and "takes refs/samoloop/logs/" in done.stderr


def test_a_remote_that_refuses_logs_or_is_away_is_a_sentence_and_what_is_here_is_shown(
    machines: list[Machine], bare: Path
) -> None:
    one, two = machines
    session = worked(one)
    hook(bare, "update", 'case $1 in refs/samoloop/logs/*) echo "no logs here" >&2; exit 1;; esac')
    assert "origin did not take the logs of" in (said := given(one, session)) and "no logs here" in said
    (bare / "hooks" / "update").unlink()
    assert given(one, session) == ""
    two.place(session.name)
    assert "what the child said" in log(two).stdout
    bare.rename(bare.with_name("away"))
    done = log(two)
    assert "what the child said" in done.stdout and "cannot be had now: origin cannot be reached" in done.stderr


def test_what_no_machine_gives_is_left_out_of_what_came(machines: list[Machine]) -> None:
    one, two = machines
    session = worked(one)
    with one.at_work():
        objects = Objects.of(one.repo.git_dir, session.state().created.base or "")
        files = [
            ("..", 0o100644, objects.blob(b"x")),
            ("link.jsonl", 0o120000, objects.blob(b"/etc/passwd")),
            ("large.jsonl", 0o100644, objects.blob(b"x" * 300_000)),
            ("good.jsonl", 0o100644, objects.blob(b"good")),
            ("_parts.json", 0o100644, objects.blob(b"[1, 2")),
        ]
        commit = objects.commit(objects.tree(files), [], b"logs\n")
    one.git("push", "--quiet", "origin", f"{commit}:{log_parts.ref_of(session.name)}")
    copy, _ = two.place(session.name)
    with two.at_work():
        assert log_parts.take(copy) == ""
        assert sorted(path.name for path in (copy.control / LOG_PARTS).iterdir()) == ["_parts.json", "good.jsonl"]
    assert log(two).exit_code == 0


def test_the_page_shows_the_part_with_whose_it_is(machines: list[Machine]) -> None:
    one, two = machines
    session = worked(one)
    copy, _ = two.place(session.name)
    with two.at_work():
        register(two.root, os.environ)
        ann = Browser(os.environ)
        html = ann.open(f"{url_of(copy)}/log/1")
        assert "nothing of it is here" in html and "has no part of the logs" in html
    given(one, session)
    with two.at_work():
        log_parts._asked.clear()  # in five seconds
        html = ann.open(f"{url_of(copy)}/log/1")
        assert "what the child said" in html and "It ran on one: its log, as it was at" in html
        answer = ann.client.get(f"{url_of(copy)}/download/log/{attempts(copy.journal.read(), copy.logs)[0].log.name}")
        assert b"what the child said" in answer.content


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("looks_on", [True, False], ids=["beside fleet work", "alone"])
def test_a_session_is_followed_from_another_machine_to_its_end(tmp_path: Path, url: str, looks_on: bool) -> None:
    with hosts(tmp_path, url, LEDGER + TALKS + CHORE, "ann", "ben", settings={"workflow": "chore"}) as (ann, ben):
        if looks_on:
            ann.start("--providers", "demo")
        (tmp_path / "hold").touch()
        ann.say("run", "Add a feature", "--session", "x", "--fleet")
        ben.start()
        until(lambda: (tmp_path / "ledger").exists())
        with ann.running("log", "x", "-f") as (follows, shown):
            until(lambda: "comes at the end of its iteration" in shown.read_text())
            (tmp_path / "hold").unlink()
            assert follows.wait(100) == 0
        text = shown.read_text()
        assert "It ran on ben: its log, as it was at" in text and "x is done" in text
        assert "word 4 of ben" in text
