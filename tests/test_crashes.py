"""A worker that dies between two effects, and the next one: what each death once lost. All are in `make faults`."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from kit import GOOD_CHILD, Bench, git, make_repo, samoloop, script

from samoloop.base import effects
from samoloop.base.errors import GitError, SessionError
from samoloop.children.stop import StopRequest
from samoloop.config.outlets import Outlets
from samoloop.core import gates
from samoloop.core.records import Interrupted, Noted
from samoloop.core.rules import Kind
from samoloop.core.session import Session
from samoloop.core.state import Condition
from samoloop.core.words import News
from samoloop.git import checkpoint
from samoloop.queue.source import when_due
from samoloop.worker import outbox


class Died(BaseException):
    """The worker is no more. Nothing catches this, so nothing is tidied up that a kill would leave."""


def die_at(point: str):
    def at(name: str) -> None:
        if name == point:
            raise Died(point)

    return at


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    settings = {"announce": {"command": ["true"]}}
    return Bench(make_repo(tmp_path / "repo"), script(tmp_path, GOOD_CHILD), settings)


def said(session: Session) -> list[tuple[str, str]]:
    items = [json.loads(path.read_text()) for path in sorted((session.control / "_outbox").glob("*.json"))]
    return [(item["kind"], item.get("gate", "")) for item in items if item["kind"] not in ("started", "resumed")]


def dies(bench: Bench, session: Session, point: str, **options: object) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Died):
        patch.setattr(effects, "observer", die_at(point))
        bench.run(session, **options)


@pytest.mark.parametrize(
    "point",
    [
        "after record gate_opened",
        "after write _qa.md",
        "before write N.json",
        "after write N.json",
        "after record rested",
    ],
)
def test_a_gate_is_announced_once_though_the_worker_died_while_it_opened(bench, point):
    session = bench.session()
    dies(bench, session, point)
    assert bench.run(session).kind is Kind.WAIT
    assert said(session) == [("questions", "g1")]


@pytest.mark.parametrize(
    "point", ["after write N.json", "before write _report.md", "after write _report.md", "before record rested"]
)
def test_a_session_whose_worker_died_at_its_very_end_is_finished_by_resume(bench, point):
    settings = f"provider: mine\nproviders: {{mine: {{command: [{bench.child}]}}}}\nannounce: {{command: ['true']}}\n"
    (bench.root / ".samoloop.yaml").write_text(settings)
    session = bench.session()
    bench.run(session)
    gates.answer(session.dir, Session(session.dir).state().gate, {"Q1": "A"}, "Ann")
    bench.run(session)
    gates.decide_plan(session.dir, Session(session.dir).state().gate, gates.Verdict.APPROVE, "Ann")
    while Session(session.dir).state().condition is not Condition.DONE:
        dies(bench, session, point)
    state = Session(session.dir).state()
    assert not state.rests and when_due(session, state, os.environ) == 0.0
    assert samoloop(bench.root, "resume", session.name).returncode == 0
    assert "**Done" in (session.dir / "_report.md").read_text()
    assert Session(session.dir).state().condition is Condition.DONE
    again = samoloop(bench.root, "resume", session.name)
    assert "is done, so no child reads it" in again.stderr


def test_the_end_is_announced_once(bench):
    session = bench.session()
    assert bench.run(session, yes=True).kind is Kind.DONE
    before = said(session)
    session.record(Noted(text="a record more"))
    with pytest.raises(SessionError, match="is done"):
        bench.run(session, yes=True)
    assert said(session) == before and [kind for kind, _ in before].count("done") == 1


def test_half_written_files_of_a_killed_worker_go_away(bench):
    session = bench.session()
    bench.run(session)
    left = [session.dir / "._overview.md.abcdefgh.tmp", session.control / "_outbox" / ".000002.json.abcdefgh.tmp"]
    childs = session.dir / ".notes.abcdefgh.tmp"
    for path in [*left, childs]:
        path.write_text("half")
    bench.run(session)
    assert [path.exists() for path in left] == [False, False]
    assert childs.exists()


def test_a_child_after_one_that_was_killed_is_told_what_may_be_half_done(bench):
    body = "case $SAMOLOOP_PHASE in investigation) if ! [ -f once ]; then touch once; kill -9 $$; fi;; esac\n"
    bench.child = script(bench.child.parent, body + GOOD_CHILD)
    session = bench.session()
    bench.run(session)
    told = (session.dir / "_logs" / "001-investigation.2.prompt.md").read_text()
    assert "Attempt 1 of iteration 1 did not end properly (the CLI was killed by signal 9)" in told
    assert "did not end properly" not in (session.dir / "_logs" / "002-requirements.prompt.md").read_text()


def test_a_lost_record_of_a_start_overwrites_nothing(bench):
    bench.settings = {"commit": False}  # no checkpoint knows better
    session = bench.session()
    bench.run(session)
    first = (session.dir / "_logs" / "001-investigation.prompt.md").stat().st_mtime_ns
    lines = session.journal.path.read_bytes().splitlines(keepends=True)
    [prepared] = [number for number, line in enumerate(lines) if b'"event":"prepared"' in line]
    session.journal.path.write_bytes(b"".join(lines[: prepared + 1]))
    bench.run(session)
    names = sorted(path.name for path in (session.dir / "_logs").glob("*.jsonl"))
    assert names[:2] == ["001-investigation.2.jsonl", "001-investigation.jsonl"]
    assert (session.dir / "_logs" / "001-investigation.prompt.md").stat().st_mtime_ns == first


def test_a_gate_whose_file_is_gone_before_it_opened_is_asked_for_again(bench):
    bench.settings = {"commit": False}  # no checkpoint knows better
    session = bench.session()
    assert bench.run(session).kind is Kind.WAIT
    lines = session.journal.path.read_bytes().splitlines(keepends=True)
    [opened] = [number for number, line in enumerate(lines) if b'"event":"gate_opened"' in line]
    session.journal.path.write_bytes(b"".join(lines[:opened]))
    (session.dir / "_qa.md").unlink()
    (session.dir / "asked").unlink()
    assert bench.run(session).gate == "qa_answers"
    assert "_qa.md is missing or cannot be read" in (session.logs / "002-requirements.2.prompt.md").read_text()
    assert Session(session.dir).state().gate.questions == ("Q1",)


def test_an_overview_that_was_cut_off_stops_nobody(bench):
    session = bench.session()
    bench.run(session)
    path = session.dir / "_overview.md"
    text = path.read_text()
    path.write_text(text[: text.index("Phase: requirements") + len("Phase: requi")])
    assert bench.run(session).kind is Kind.WAIT
    assert "Phase: requirements\n" in path.read_text()


def test_a_person_who_saves_while_the_gate_opens_is_not_overwritten(bench):
    session = bench.session()
    bench.run(session)
    gate = Session(session.dir).state().gate
    program = (
        "import sys, time; from pathlib import Path; from samoloop.core import gates\n"
        "with gates.changing(Path(sys.argv[1])):\n"
        "    print('held', flush=True); time.sleep(0.2); Path(sys.argv[1], '_qa.md').write_text('by a person')\n"
    )
    (session.dir / "_qa.md").unlink()
    person = subprocess.Popen([sys.executable, "-c", program, str(session.dir)], stdout=subprocess.PIPE)
    try:
        assert person.stdout is not None
        person.stdout.readline()
        gates.put(gate, "the worker's", session.dir)
    finally:
        person.wait(10)
        person.stdout.close()
    assert person.returncode != -signal.SIGKILL
    assert (session.dir / "_qa.md").read_text() == "by a person"


def test_checkpoints_that_git_cannot_read_are_not_taken_for_none(bench):
    session = bench.session()
    bench.run(session)
    worker = bench.worker(session)
    git(bench.root, "pack-refs", "--all")
    ref = bench.root / ".git" / worker.ref
    ref.parent.mkdir(parents=True, exist_ok=True)
    ref.write_text("1" * 40 + "\n")
    with pytest.raises(GitError, match="git log failed"):
        checkpoint.tip(worker.store, worker.ref)


def test_what_a_dead_reader_left_half_written_goes_away_with_its_next_start(tmp_path):
    folder = tmp_path / "_outbox"
    folder.mkdir()
    for reader in ("command", "telegram"):
        (folder / f".{reader}.cursor.abcdefgh.tmp").touch()
    outbox.remove_leftovers(tmp_path, "command.cursor")
    assert [path.name for path in folder.iterdir()] == [".telegram.cursor.abcdefgh.tmp"]


def test_a_finished_session_is_not_over_until_everybody_has_heard_of_it(tmp_path):
    assert not outbox.is_left(tmp_path)
    outlets = Outlets(command=("true",), webhook="http://127.0.0.1:9/x")
    outbox.put(tmp_path, outbox.Announcement(News.DONE, "s"), outlets)
    outbox.acknowledge(tmp_path, "command", 1)
    assert outbox.is_left(tmp_path)
    outbox.acknowledge(tmp_path, "webhook", 1)
    assert not outbox.is_left(tmp_path)


def test_a_lock_of_a_git_that_died_with_its_worker_goes_away(bench):
    session = bench.session()
    dies(bench, session, "after record ended")
    lock = bench.worker(session).worktree.git_dir / "index.lock"
    lock.touch()
    dies(bench, session, "before write prompt")
    assert not lock.exists()


FORGED = """[ $SAMOLOOP_PHASE = requirements ] || { next requirements; exit; }
printf '# Questions\\n\\n### Q1: Which way?\\n**Answer:** as I like\\n' > _qa.md
signal '{"status": "waiting", "for": "qa_answers"}'
"""


def test_a_gate_is_in_the_journal_before_its_file_changes(bench):
    bench.child = script(bench.child.parent, FORGED)
    session = bench.session()
    dies(bench, session, "after record gate_opened")
    assert "as I like" in (session.dir / "_qa.md").read_text()
    assert bench.run(session).kind is Kind.WAIT
    assert "as I like" not in (session.dir / "_qa.md").read_text()


def test_guidance_outlives_a_worker_that_died_with_it_in_hand(bench):
    session = bench.session()
    gates.tell(session.dir, "Mind the docs", "Ann")
    dies(bench, session, "after take inbox")
    dies(bench, session, "after record started")
    assert "Mind the docs" in (session.dir / "_logs" / "001-investigation.prompt.md").read_text()


def test_guidance_is_told_again_until_a_child_has_answered(bench):
    session = bench.session()
    gates.tell(session.dir, "Mind the docs", "Ann")
    for attempt in ("", ".2", ".3"):
        dies(bench, session, "after record started")
        assert "Mind the docs" in (session.dir / "_logs" / f"001-investigation{attempt}.prompt.md").read_text()
    bench.run(session)
    assert "Mind the docs" not in (session.dir / "_logs" / "002-requirements.prompt.md").read_text()


def interruptions(session: Session) -> list[str]:
    return [record.why for record in session.journal.read() if isinstance(record, Interrupted)]


def test_a_child_that_is_gone_without_a_word_was_interrupted(bench):
    session = bench.session()
    dies(bench, session, "after record started")
    bench.run(session)
    assert interruptions(session) == ["its process is gone"]


def test_a_signal_from_before_a_restart_of_the_machine_counts_no_more(bench, monkeypatch):
    session = bench.session()
    dies(bench, session, "after record started")
    (session.dir / "_signal.json").write_text('{"status": "blocked", "reason": "from another life"}')
    for module in ("worker.iteration", "children.child"):
        monkeypatch.setattr(f"samoloop.{module}.boot_id", lambda: "another boot")
    assert bench.run(session).kind is Kind.WAIT
    assert interruptions(session) == ["the machine was restarted"]


def test_a_signal_without_its_process_counts_while_the_machine_runs(bench):
    session = bench.session()
    dies(bench, session, "after record started")
    (session.dir / "_signal.json").write_text('{"status": "blocked", "reason": "no key", "needs": "human_decision"}')
    assert bench.run(session).kind is Kind.BLOCKED
    assert interruptions(session) == []


def test_a_child_finds_the_overview_that_went_missing_before_it(bench):
    session = bench.session()
    dies(bench, session, "after record ended")
    path = session.dir / "_overview.md"
    path.write_text(path.read_text() + "\nWhat was found so far.\n")
    dies(bench, session, "after record started")
    path.unlink()
    dies(bench, session, "after record started")
    assert "Phase: requirements" in path.read_text()


@pytest.mark.parametrize(("by_person", "left"), [(False, Condition.READY), (True, Condition.STOPPED)])
def test_only_a_person_stops_a_session_for_good(bench, by_person, left):
    """A machine that goes down ends its workers: `up` goes on with their sessions afterwards."""
    stop = StopRequest()
    stop.by_person = by_person
    stop.ask_to_finish()
    session = bench.session()
    assert bench.run(session, stop=stop).kind is Kind.STOPPED
    assert Session(session.dir).state().condition is left


def test_the_end_is_announced_though_the_worker_died_before_it_could(bench):
    session = bench.session()
    while Session(session.dir).state().condition is not Condition.DONE:
        dies(bench, session, "after record ended", yes=True)
    assert ("done", "") not in said(session)
    assert bench.run(session, yes=True).kind is Kind.DONE
    assert said(session).count(("done", "")) == 1
