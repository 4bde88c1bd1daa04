"""The way back, by the commands: rewind, fork, diff, archive."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kit import GOOD_CHILD, Bench, git, make_repo, samoloop, script

from samoloop.core.control import CHILD_LOCK
from samoloop.core.session import Session
from samoloop.core.state import Condition

pytestmark = pytest.mark.slow  # whole commands

COMMITS = """
case $SAMOLOOP_PHASE in
implementation)
  echo "code $SAMOLOOP_ITERATION" > "$SAMOLOOP_WORKTREE/feature.txt"
  echo "note $SAMOLOOP_ITERATION" >> notes.md
  if [ "$SAMOLOOP_ITERATION" -lt 7 ]; then next implementation; else next testing; fi
  exit;;
esac
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(make_repo(tmp_path / "repo"), script(tmp_path, COMMITS + GOOD_CHILD))
    settings = {"provider": "scripted", "providers": {"scripted": {"command": [str(bench.child)]}}}
    (bench.root / ".samoloop.yaml").write_text(json.dumps(settings))
    return bench


@pytest.fixture
def session(bench: Bench) -> Session:
    """Done: investigation 1, requirements 2-3, planning 4, implementation 5-7, testing 8, quality 9, done 10."""
    made = bench.session("Add a feature", name="feature")
    bench.run(made, yes=True)
    return Session(made.dir)


def run(bench: Bench, *words: str) -> str:
    done = samoloop(bench.root, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_rewind_puts_code_and_session_back_and_keeps_what_was_left(bench, session):
    tip = git(bench.root, "rev-parse", session.branch)
    out = run(bench, "rewind", "feature", "5")
    assert "back at the end of iteration 5, phase implementation" in out
    assert (session.worktree / "feature.txt").read_text() == "code 5\n"
    assert (session.dir / "notes.md").read_text() == "note 5\n"
    left = out.split("git log ")[1].split()[0]
    assert tip in git(bench.root, "log", "--format=%H", left)
    again = Session(session.dir).state()
    assert (again.condition, again.phase, again.iteration) == (Condition.READY, "implementation", 10)
    bench.run(session, yes=True)
    assert (session.worktree / "feature.txt").read_text() == "code 11\n"
    assert Session(session.dir).state().condition is Condition.DONE


def test_rewind_to_a_gate_opens_it_again(bench, session):
    run(bench, "rewind", "feature", "4")
    assert bench.run(session).reason.startswith("waits for approval")
    assert "Decision: _waiting_" in (session.dir / "_approval.md").read_text()


def test_rewind_to_zero_is_before_the_first_child(bench, session):
    run(bench, "rewind", "feature", "0")
    assert not (session.worktree / "feature.txt").exists()
    assert Session(session.dir).state().phase == "investigation"


def test_rewind_never_rewrites_the_journal(bench, session):
    before = session.journal.path.read_bytes()
    run(bench, "rewind", "feature", "5")
    assert session.journal.path.read_bytes().startswith(before)


def test_rewind_refuses_while_a_child_is_alive_and_for_an_unknown_iteration(bench, session):
    hold = "import sys; from pathlib import Path; from samoloop.base.locks import Lock\n"
    hold += "with Lock.take(Path(sys.argv[1]), 1.0, 'x'): print('held', flush=True), sys.stdin.read()"
    words = [sys.executable, "-c", hold, str(session.control / CHILD_LOCK)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stdout.readline() == b"held\n"
        done = samoloop(bench.root, "rewind", "feature", "5")
        assert done.returncode == 2 and "a child of" in done.stderr
    done = samoloop(bench.root, "rewind", "feature", "77")
    assert done.returncode == 2 and "there are 0 to 10" in done.stderr


def test_a_fork_goes_its_own_way_beside_the_original(bench, session):
    out = run(bench, "fork", "feature", "5", "--session", "other")
    assert "on branch samoloop/other" in out
    other = next(path for path in session.dir.parent.iterdir() if path.name.endswith("-other"))
    fork = Session(other)
    assert (fork.worktree / "feature.txt").read_text() == "code 5\n"
    assert fork.state().phase == "implementation" and fork.state().given
    bench.run(fork, yes=True)
    assert Session(other).state().condition is Condition.DONE
    assert (session.worktree / "feature.txt").read_text() == "code 7\n"
    assert samoloop(bench.root, "fork", "feature", "5", "--session", "other").returncode == 2


def test_diff_of_one_iteration_is_its_code_and_with_session_its_own_files(bench, session):
    out = run(bench, "diff", "feature", "-n", "6")
    assert "+code 6" in out and "-code 5" in out and "note 6" not in out and "code 7" not in out
    own = run(bench, "diff", "feature", "-n", "6", "--session")
    assert "+note 6" in own and "code 6" not in own and f"b/_sessions/{session.name}/" in own


def test_diff_is_the_whole_branch_with_what_a_person_put_on_it_and_without_the_session(bench, session):
    out = run(bench, "diff", "feature")
    assert "+code 7" in out and "code 6" not in out and "note" not in out
    assert run(bench, "diff", "feature", "--stat").strip().startswith("feature.txt |")
    assert "_qa.md" in run(bench, "diff", "feature", "--session", "--stat")
    (session.worktree / "mine.txt").write_text("mine\n")
    git(session.worktree, "add", ".")
    git(session.worktree, "commit", "-qm", "By hand")
    assert "+mine" in run(bench, "diff", "feature")
    run(bench, "archive", "feature")
    assert "+mine" in run(bench, "diff", "feature")


def test_diff_of_the_plan_is_between_what_a_person_was_shown_and_what_it_is_now(bench):
    session = bench.session("Plan twice", name="twice")
    bench.run(session, yes=False)
    assert samoloop(bench.root, "answer", "twice", "--suggested").returncode == 0
    bench.run(session)
    assert "has changed nothing in the plan" in run(bench, "diff", "twice", "--plan")
    (plan,) = session.dir.glob("*-plan-*.md")
    plan.write_text(plan.read_text() + "- [ ] 1.9 more\n")
    assert "+- [ ] 1.9 more" in run(bench, "diff", "twice", "--plan")


def test_show_is_what_a_person_has_to_judge_now(bench, session):
    done = run(bench, "show", "feature")
    where = [done.index(part) for part in ("── report", "-summary-x.md", "-plan-x.md", "── which files", "── the code")]
    assert where == sorted(where) and "+code 7" in done
    other = bench.session("Another", name="other")
    bench.run(other)
    asks = run(bench, "show", "other")
    assert "Q1" in asks and "report" not in asks
    assert samoloop(bench.root, "answer", "other", "--suggested").returncode == 0
    bench.run(other)
    assert "the plan" in run(bench, "show", "other") and "_qa.md" not in run(bench, "show", "other")
    assert "── report" in run(bench, "show", "other", "--report")
    assert run(bench, "show", "feature", "--diff").startswith("── which files")


def test_archive_takes_what_is_finished_and_an_unfinished_session_only_by_force(bench, session):
    other = bench.session("Another", name="other")
    bench.run(other)
    run(bench, "archive")
    assert not session.worktree.exists() and other.worktree.exists()
    done = samoloop(bench.root, "archive", "other")
    assert done.returncode == 2
    assert "is not finished (waiting in requirements)" in done.stderr and "archive " in done.stderr
    assert "--force" in done.stderr and other.worktree.exists()
    run(bench, "archive", "other", "--force")
    assert not other.worktree.exists()


def test_archive_removes_a_clean_worktree_only_and_keeps_the_rest(bench, session):
    (session.worktree / "left.txt").write_text("x")
    assert samoloop(bench.root, "archive", "feature").returncode == 2
    (session.worktree / "left.txt").unlink()
    run(bench, "archive", "feature")
    assert not session.worktree.exists()
    assert git(bench.root, "show", f"{session.branch}:feature.txt") == "code 7"
    assert (session.dir / "_report.md").exists()


def test_a_deleted_ref_starts_the_checkpoints_anew_and_says_so(bench):
    session = bench.session("Add a feature", name="feature")
    bench.run(session)
    git(bench.root, "update-ref", "-d", f"refs/samoloop/sessions/{session.name}")
    bench.run(session, yes=True)
    assert any("was deleted; the checkpoints start anew" in said for said in bench.view.said)


def test_in_place_rewinds_from_its_private_repository(tmp_path):
    folder = tmp_path / "plain"
    folder.mkdir()
    bench = Bench(folder, script(tmp_path, COMMITS + GOOD_CHILD))
    session = bench.session("Add a feature", in_place=True, name="feature")
    bench.run(session, yes=True)
    settings = {"provider": "scripted", "providers": {"scripted": {"command": [str(bench.child)]}}}
    config = Path(os.environ["HOME"]) / ".config/samoloop"
    config.mkdir(parents=True)
    (config / "config.yaml").write_text(json.dumps(settings))
    out = run(bench, "rewind", "feature", "6")
    assert (folder / "feature.txt").read_text() == "code 6\n"
    command = out.partition("What was left is kept: ")[2].splitlines()[0]
    log = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, check=True).stdout
    assert "Before going back to iteration 6" in log
    assert "no second worktree" in samoloop(folder, "fork", "feature", "6", "--session", "x").stderr


def test_after_archive_only_what_needs_the_worktree_makes_it_again(bench, session):
    run(bench, "archive", "feature")
    for words in (("rewind", "feature", "99"), ("fork", "feature", "99", "--session", "x")):
        assert samoloop(bench.root, *words).returncode == 2
    assert "+code 6" in run(bench, "diff", "feature", "-n", "6")
    assert "archived already" in run(bench, "archive", "feature")
    status = run(bench, "status", "feature")
    assert "samoloop archive" not in status and "git merge" not in status
    run(bench, "fork", "feature", "5", "--session", "other")
    assert not session.worktree.exists()


def test_archive_takes_what_was_removed_by_hand(bench, session):
    shutil.rmtree(session.worktree)
    run(bench, "archive", "feature")
    assert Session(session.dir).state().archived


def test_the_report_names_the_commits_that_the_branch_has_and_none_that_a_rewind_left(bench, session):
    run(bench, "rewind", "feature", "5")
    bench.run(session, yes=True)
    report = (session.dir / "_report.md").read_text()
    for number, there in ((5, True), (6, False), (7, False), (11, True)):
        assert (f", iteration {number} (" in report) is there


def test_a_session_that_goes_on_is_archived_no_more_also_where_no_child_has_worked_in_its_worktree(bench, session):
    for iteration in ("6", "5"):
        run(bench, "archive", "feature", "--force")
        assert "archived ones" in run(bench, "list")
        run(bench, "rewind", "feature", iteration)
        assert session.worktree.exists() and "feature" in run(bench, "list")


def test_after_archive_rewind_makes_the_worktree_again(bench, session):
    run(bench, "archive", "feature")
    assert "was made again" in run(bench, "rewind", "feature", "5")
    assert (session.worktree / "feature.txt").read_text() == "code 5\n"
