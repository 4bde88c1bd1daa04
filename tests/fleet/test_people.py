"""What people do with a session of the fleet from any of its machines: answers, commands, moves."""

import json
import signal
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest
from at_work import Host, fleet_row, hosts, waits
from kit import git, script, until
from test_machine import CHILD, LEDGER, ledger

pytestmark = pytest.mark.slow  # whole commands


def gate_is_here(host: Host, name: str) -> bool:
    """Whether the copy on this machine has come to its gate."""
    records = [record["event"] for record in host.records(name)]
    return "gate_shown" in records and records.count("gate_opened") > records.count("gate_closed")


def test_two_people_answer_at_once_and_the_first_counts_and_the_other_is_told(tmp_path: Path, url: str) -> None:
    with hosts(tmp_path, url, CHILD, "ann", "ben") as (ann, ben):
        for host in (ann, ben):
            host.settings = {"announce": {"command": ["true"]}}
            host.settle()
        ann.start()
        ben.start("--providers", "demo")
        ann.say("run", "Add a feature", "--session", "x", "--fleet")
        until(lambda: waits(ben, "x") and gate_is_here(ben, "x"))
        ann.end()
        ann.start("--providers", "demo")  # nobody goes on while both answer
        for host, answer in ((ann, "A"), (ben, "B")):
            assert host.worker
            host.worker.send_signal(signal.SIGSTOP)  # what one says is not heard on the other before that answers too
            host.say("answer", "x", f"Q1={answer}")
        for host in (ann, ben):
            host.worker.send_signal(signal.SIGCONT)
        late = until(lambda: next((host for host in (ann, ben) if "Q1 was answered by" in host.said()), None))
        first = ben if late is ann else ann
        mine = "A" if first is ann else "B"
        outbox = until(lambda: [path for path in late.home.rglob("_outbox/*.json") if '"late"' in path.read_text()])
        assert "Q1 was answered by" in json.loads(outbox[0].read_text())["text"]
        until(lambda: all(f"**Answer:** {mine}" in host.text("x", "_qa.md") for host in (ann, ben)))
        ann.end()
        ann.start()
        until(lambda: any(record["event"] == "gate_closed" for record in ann.records("x")))
        closed = [record for record in ann.records("x") if record["event"] == "gate_closed"]
        assert closed[0]["answers"]["Q1"]["answer"].startswith(mine)


def test_a_machine_that_is_drained_hands_over_and_takes_nothing_new(tmp_path: Path, url: str) -> None:
    with hosts(tmp_path, url, CHILD, "ann", "ben") as (ann, ben):
        (tmp_path / "hold").touch()
        ann.start()
        ann.say("run", "Add a feature", "--session", "x", "--fleet")
        until(lambda: len(ledger(tmp_path)) == 1)
        assert "takes nothing new" in ben.say("fleet", "drain", "ann")
        until(lambda: "Asked to take nothing new" in ann.said())
        (tmp_path / "hold").unlink()
        assert ann.worker
        assert ann.worker.wait(60) == 0
        ann.worker = None
        assert ledger(tmp_path) == [("1", "investigation", "ann")]
        assert "none; on each machine" in ben.say("fleet", "status")
        ben.start()
        until(lambda: waits(ben, "x"))
        assert ledger(tmp_path)[1:] == [("2", "requirements", "ben")]
        wrong = ben.run("fleet", "drain", "nobody")
        assert wrong.returncode == 2 and "there are: ben" in wrong.stderr


def test_a_session_begun_by_hand_goes_to_the_fleet_and_home_again(tmp_path: Path, url: str) -> None:
    with hosts(tmp_path, url, CHILD, "ann", "ben") as (ann, ben):
        assert ann.run("run", "Add a feature", "--session", "x", "--no-wait").returncode == 3
        assert "is the fleet's now" in ann.say("fleet", "move", "x")
        ben.start()
        until(lambda: gate_is_here(ben, "x"))
        ben.say("answer", "x", "Q1=A")
        until(lambda: waits(ann, "x") and fleet_row(ann, "x")["phase"] == "planning")
        assert [host for _, _, host in ledger(tmp_path)] == ["ann", "ann", "ben", "ben"]
        assert "own again" in ann.say("fleet", "move", "x", "--here")
        assert fleet_row(ann, "x") is None
        until(lambda: not ben.sessions())
        assert "samoloop/x" not in ben.git("branch", "--list")
        ann.say("approve", "x")
        done = ann.run("resume", "x", "--no-wait")
        assert done.returncode == 0, done.stdout + done.stderr
        assert {host for _, _, host in ledger(tmp_path)[4:]} == {"ann"}
        assert "is the fleet's now" in ann.say("run", "Another", "--session", "y", "--fleet")


def test_a_session_is_bound_to_one_machine_until_it_is_let_go(tmp_path: Path, url: str) -> None:
    with hosts(tmp_path, url, CHILD, "ann", "ben") as (ann, ben):
        ann.start()
        ben.start()
        ann.say("run", "Add a feature", "--session", "x", "--fleet")
        until(lambda: waits(ann, "x") and gate_is_here(ann, "x"))
        assert "goes on on ben" in ann.say("fleet", "move", "x", "--to", "ben")
        before = len(ledger(tmp_path))
        ann.say("answer", "x", "Q1=A")
        until(lambda: waits(ann, "x") and fleet_row(ann, "x")["phase"] == "planning")
        assert {host for _, _, host in ledger(tmp_path)[before:]} == {"ben"}
        wrong = ann.run("fleet", "move", "x", "--to", "cid")
        assert wrong.returncode == 2 and "there are: ann, ben" in wrong.stderr
        assert "any machine" in ann.say("fleet", "move", "x", "--to", "any")


def test_a_session_waits_for_a_machine_that_has_its_cli_and_the_status_says_so(tmp_path: Path, url: str) -> None:
    with hosts(tmp_path, url, CHILD, "ann", "ben") as (ann, ben):
        ann.start("--providers", "demo")
        ann.say("run", "Add a feature", "--session", "x", "--fleet")
        until(lambda: fleet_row(ann, "x"))
        assert fleet_row(ann, "x")["unserved"] == "none has scripted"
        assert "waits for a machine that is not there: none has scripted" in ann.say("fleet", "status")
        ann.say("run", "Another", "--session", "y", "--fleet", "--needs", "gpu")
        ben.start()
        until(lambda: waits(ann, "x"))
        assert fleet_row(ann, "y")["unserved"] == "none has gpu"
        assert {host for _, _, host in ledger(tmp_path)} == {"ben"}
        ben.end()
        ben.start("--tags", "gpu")
        until(lambda: waits(ann, "y"))


def test_a_session_that_a_newer_samoloop_packed_is_left_to_newer_machines(tmp_path: Path, url: str) -> None:
    from samoloop.fleet.database import Database

    with hosts(tmp_path, url, CHILD, "ann") as (ann,):
        ann.say("run", "Add a feature", "--session", "x", "--fleet")
        with Database(url, "new") as database:
            [row] = database.sessions()
            database.put(replace(row, format=99))
        ann.start()
        until(lambda: fleet_row(ann, "x")["unserved"] == "all have an older samoloop: update one")
        assert not ledger(tmp_path)


def test_words_at_a_resume_reach_the_next_child_on_another_machine(tmp_path: Path, url: str) -> None:
    blocked = CHILD.replace(
        "investigation) echo",
        """investigation)
  case $(cat "$SAMOLOOP_SESSION_DIR"/_guidance.md 2>/dev/null) in *sqlite*) ;; *)
    signal '{"status": "blocked", "reason": "which database?"}'; exit;;
  esac
  echo""",
    )
    with hosts(tmp_path, url, blocked, "ann", "ben") as (ann, ben):
        ben.start()
        ann.start("--providers", "demo")
        ann.say("run", "Add a feature", "--session", "x", "--fleet")
        until(lambda: (fleet_row(ann, "x") or {}).get("condition") == "blocked")
        until(lambda: any(record["event"] == "rested" for record in ann.records("x")))
        done = ann.run("resume", "x", "-m", "Use sqlite.")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "a machine of the fleet goes on with it" in done.stdout
        until(lambda: waits(ann, "x"))
        assert ledger(tmp_path)[-1] == ("3", "requirements", "ben")


def test_a_session_at_work_elsewhere_is_stopped_from_here_and_not_moved_away_under_its_worker(
    tmp_path: Path, url: str
) -> None:
    with hosts(tmp_path, url, CHILD, "ann", "ben") as (ann, ben):
        (tmp_path / "hold").touch()
        ben.start()
        ann.start("--providers", "demo")
        ann.say("run", "Add a feature", "--session", "x", "--fleet")
        until(lambda: len(ledger(tmp_path)) == 1)
        for words in (("resume", "x", "-m", "hurry"), ("rewind", "x", "0"), ("fleet", "move", "x", "--here")):
            refused = ann.run(*words)
            assert refused.returncode == 2 and "at work on ben" in refused.stderr, refused.stderr
        assert "asked ben to stop" in ann.say("stop", "x")
        (tmp_path / "hold").unlink()
        until(lambda: fleet_row(ann, "x")["condition"] == "stopped")
        assert ledger(tmp_path) == [("1", "investigation", "ben")]
        until(lambda: ann.status("x")["condition"] == "stopped")
        assert ann.run("resume", "x").returncode == 0
        until(lambda: waits(ann, "x"))


def test_from_an_answer_to_the_next_child_on_another_machine_it_takes_a_moment(tmp_path: Path, url: str) -> None:
    asks = """
    [ -z "$SAMOLOOP_ITERATION" ] || date +%s.%N >> "$(dirname "$0")/times"
    case $SAMOLOOP_PHASE in
    investigation) echo x > 11-21-0900-dive-x.md; next requirements;;
    *) rm -f _qa.md; ask "Question $SAMOLOOP_ITERATION?";;
    esac
    """
    with hosts(tmp_path, url, asks, "ann", "ben") as (ann, ben):
        ann.start("--providers", "demo")
        ben.start()
        ann.say("run", "Ask", "--session", "x", "--fleet")
        times = tmp_path / "times"
        took = []
        for count in range(2, 7):
            until(lambda: waits(ann, "x") and gate_is_here(ann, "x"))
            answered = ann.stamp_answer("x")
            until(lambda count=count: len(times.read_text().split()) > count)
            took.append(float(times.read_text().split()[count]) - answered)
        print(f"from an answer to the next child on another machine: {sorted(took)}, median {median(took):.3f} s")
        assert median(took) < 3  # measured by benchmarks; here a busy machine has its say


FILE_GATE = """
case $SAMOLOOP_ITERATION in
1)
  echo "KEY=" > "$SAMOLOOP_WORKTREE/local.env"
  signal '{"status": "waiting", "for": "file_update", "file": "local.env", "reason": "the key"}';;
*) signal '{"status": "blocked", "reason": "that is all", "needs": "clarification"}';;
esac
"""


def test_a_file_that_a_person_fills_in_stays_on_its_machine_and_its_gate_closes_everywhere(
    tmp_path: Path, url: str
) -> None:
    with hosts(tmp_path, url, LEDGER + FILE_GATE, "ann", "ben") as (ann, ben):
        ann.start()
        ann.say("run", "Add a feature", "--session", "x", "--fleet")
        until(lambda: waits(ann, "x"))
        ann.end()
        ben.start()
        until(lambda: gate_is_here(ben, "x"))
        [file] = (ann.root / ".samoloop" / "worktrees").glob("*/local.env")
        file.write_text("KEY=geheim\n")
        assert "a machine of the fleet goes on with it" in ann.say("resume", "x")
        until(lambda: (fleet_row(ben, "x") or {}).get("condition") == "blocked")
        assert [line[2] for line in ledger(tmp_path)] == ["ann", "ben"]
        [prompt] = ben.home.rglob("002-*.prompt.md")
        assert "local.env, which a person filled in, is on the machine where they did that" in prompt.read_text()
        every = git(tmp_path / "remote.git", "rev-list", "--objects", "--all").split()
        texts = (git(tmp_path / "remote.git", "cat-file", "-p", oid) for oid in every if len(oid) == 40)
        assert not any("geheim" in text for text in texts)
        ann.start("--providers", "demo")
        until(lambda: any(record["event"] == "placed" and record["machine"] == "ben" for record in ann.records("x")))
        assert file.read_text() == "KEY=geheim\n"


def test_from_another_machine_a_session_is_told_answered_approved_and_archived(tmp_path: Path, url: str) -> None:
    with hosts(tmp_path, url, CHILD, "ann", "ben") as (ann, ben):
        ann.start()
        ben.start("--providers", "demo")  # it looks on
        ann.say("run", "Add a feature", "--session", "x", "--fleet")
        until(lambda: waits(ben, "x") and gate_is_here(ben, "x"))
        ben.say("tell", "x", "Mind the tests.")
        ben.say("answer", "x", "Q1=A")
        until(lambda: gates_closed(ben, "x") == 1 and waits(ben, "x") and gate_is_here(ben, "x"))
        ben.say("approve", "x")
        until(lambda: (fleet_row(ben, "x") or {}).get("condition") == "done")
        until(lambda: ben.status("x")["condition"] == "done")
        assert "Mind the tests." in ann.text("x", "_guidance.md")
        assert {line[2] for line in ledger(tmp_path)} == {"ann"}
        ben.say("archive", "x")
        until(lambda: any(record["event"] == "archived" for record in ann.records("x")))


def gates_closed(host: Host, name: str) -> int:
    return [record["event"] for record in host.records(name)].count("gate_closed")


def test_resume_at_a_gate_says_what_it_waits_for_and_keeps_nobody_from_the_session(tmp_path: Path, url: str) -> None:
    with hosts(tmp_path, url, CHILD, "ann") as (ann,):
        ann.start()
        ann.say("run", "Add a feature", "--session", "x", "--fleet")
        until(lambda: waits(ann, "x") and gate_is_here(ann, "x"))
        done = ann.run("resume", "x")
        assert done.returncode == 3 and "samoloop answer" in done.stdout
        ann.say("answer", "x", "Q1=A")
        until(lambda: len(ledger(tmp_path)) > 2)


# The way to the remote, which counts in vain tries while it is cut off.
WAY = """#!/bin/sh
shift
[ ! -e {folder}/cut ] || {{ echo try >> {folder}/tries; exit 255; }}
exec sh -c "$*"
"""


def test_an_answer_while_the_remote_is_away_is_handed_over_when_it_is_back(tmp_path: Path, url: str) -> None:
    way, tries = script(tmp_path, "", "way.sh"), tmp_path / "tries"
    way.write_text(WAY.format(folder=tmp_path))
    with hosts(tmp_path, url, CHILD, "ann", lease_seconds=60) as (ann,):  # nobody looks at the remote meanwhile
        ann.git("config", "core.sshCommand", str(way))
        ann.git("remote", "set-url", "origin", f"ssh://host{tmp_path}/remote.git")
        ann.start()
        ann.say("run", "Add a feature", "--session", "x", "--fleet")
        until(lambda: waits(ann, "x") and gate_is_here(ann, "x"))
        (tmp_path / "cut").touch()
        ann.say("answer", "x", "Q1=A")
        until(lambda: tries.exists() and len(tries.read_text().splitlines()) > 5)  # more than there is news of it
        (tmp_path / "cut").unlink()
        until(lambda: len(ledger(tmp_path)) > 2)
