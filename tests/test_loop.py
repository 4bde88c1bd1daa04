"""The real loop on real files, with real git and real children: what each kind of child leads to."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from kit import GOOD_CHILD, Bench, git, make_repo, samoloop, script, until

from samoloop.base.errors import LockHeld, UsageError
from samoloop.core import gates
from samoloop.core.gates import Verdict
from samoloop.core.records import Resumed
from samoloop.core.rules import Kind
from samoloop.core.session import Session, all_sessions
from samoloop.core.state import Condition
from samoloop.worker.lease import locked


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(make_repo(tmp_path / "repo"), script(tmp_path, GOOD_CHILD))


def behave(bench: Bench, body: str, phase: str = "investigation") -> Bench:
    """The good child, but for one phase."""
    rest = GOOD_CHILD.replace("case $SAMOLOOP_PHASE in", f"case $SAMOLOOP_PHASE in\n{phase})\n{body}\n;;")
    bench.child = script(bench.child.parent, rest)
    return bench


def ended(session: Session) -> list[dict]:
    return [event for event in session.journal.read() if event.event == "ended"]


def test_a_task_walks_through_every_phase_and_both_gates(bench):
    session = bench.session("Add JWT auth")
    assert bench.run(session).exit_code == 3
    gates.answer(session.dir, Session(session.dir).state().gate, {"Q1": "A"}, "Ann")
    assert bench.run(session).reason == "waits for approval of the plan 11-21-0900-plan-x.md"
    gates.decide_plan(session.dir, Session(session.dir).state().gate, Verdict.APPROVE, "Ann")
    assert bench.run(session).kind is Kind.DONE

    state = Session(session.dir).state()
    assert (state.condition, state.summary, state.phase) == (Condition.DONE, "all good", "done")
    assert [event.phase for event in ended(session)] == [
        *("investigation", "requirements", "requirements", "planning", "implementation", "testing", "quality", "done")
    ]
    assert git(bench.root, "show", "samoloop/add-jwt-auth:feature.txt") == "code"
    assert git(bench.root, "status", "--porcelain") == ""
    report = (session.dir / "_report.md").read_text()
    assert "**Done" in report and "answered by Ann" in report and "approve by Ann" in report


def test_yes_takes_suggestions_and_approves_and_says_so(bench):
    session = bench.session()
    assert bench.run(session, yes=True).kind is Kind.DONE
    closed = [event for event in session.journal.read() if event.event == "gate_closed"]
    assert [(event.verdict, event.by) for event in closed] == [("answered", "--yes"), ("approve", "--yes")]


def test_yes_is_not_remembered(bench):
    session = bench.session()
    bench.run(session, yes=True, no_wait=True)
    other = bench.session()
    assert bench.run(other).kind is Kind.WAIT


def test_changes_go_back_to_planning_with_the_comment(bench):
    session = bench.session()
    bench.run(session)
    gates.answer(session.dir, Session(session.dir).state().gate, {"Q1": "A"}, "Ann")
    bench.run(session)
    gates.decide_plan(session.dir, Session(session.dir).state().gate, Verdict.CHANGES, "Ann", comment="no new library")
    assert bench.run(session).kind is Kind.WAIT
    assert ended(session)[-1].phase == "planning"
    told = (session.dir / "_logs" / "005-planning.prompt.md").read_text()
    assert "no new library" in told


def test_reject_stops_and_resume_plans_anew(bench):
    session = bench.session()
    bench.run(session)
    gates.answer(session.dir, Session(session.dir).state().gate, {"Q1": "A"}, "Ann")
    bench.run(session)
    gates.decide_plan(session.dir, Session(session.dir).state().gate, Verdict.REJECT, "Ann", comment="too big")
    assert bench.run(session).exit_code == 6
    session.record(Resumed(by="Ann"))
    assert bench.run(session).kind is Kind.WAIT
    assert "too big" in (session.dir / "_logs" / "005-planning.prompt.md").read_text()


def test_guidance_reaches_the_next_child_once(bench):
    session = bench.session()
    gates.tell(session.dir, "use sqlite\nand nothing else", "Ann")
    bench.run(session)
    first = (session.dir / "_logs" / "001-investigation.prompt.md").read_text()
    second = (session.dir / "_logs" / "002-requirements.prompt.md").read_text()
    assert "> use sqlite\n> and nothing else" in first and "use sqlite" not in second
    assert not (session.control / "_inbox.md").exists()


BAD_SIGNALS = {
    "writes no signal": (":", "no _signal.json was written"),
    "half a JSON": ('printf \'{"status": "conti\' > _signal.json', "is not valid JSON"),
    "an empty object": ("signal '{}'", '"status" is missing'),
    "a list": ("signal '[]'", "must hold a JSON object"),
    "null": ("signal null", "must hold a JSON object"),
    "100 MB of JSON": ("truncate -s 100M _signal.json", "larger than 65536 bytes"),
    "a symlink": ("echo '{}' > x; ln -s x _signal.json", "_signal.json is a link"),
    "a pipe": ("mkfifo _signal.json", "not a regular file"),
    "a folder": ("mkdir _signal.json", "_signal.json"),
    "not UTF-8": ("printf '\\377\\376' > _signal.json", "not UTF-8"),
    "a phase that is not allowed": (
        "next implementation",
        "a child may continue with: investigation, requirements",
    ),
    "a phase as a number": ('signal \'{"status": "continue", "phase": 3}\'', '"phase" must be text'),
    "done in the first phase": ('signal \'{"status": "done"}\'', '"done" is not allowed'),
    "the number of another iteration": (
        'signal \'{"status": "continue", "phase": "requirements", "iteration": 7}\'',
        '"iteration" is 7, this is iteration',
    ),
    "waiting together with the next phase": (
        'signal \'{"status": "waiting", "phase": "planning", "for": "human_action", "reason": "x"}\'',
        '"phase" is the present one',
    ),
    "waiting without a question": ('signal \'{"status": "waiting", "for": "qa_answers"}\'', "may not wait for"),
}


@pytest.mark.parametrize("name", BAD_SIGNALS)
def test_a_bad_signal_gets_one_repair_iteration_and_then_a_human(bench, name):
    body, reason = BAD_SIGNALS[name]
    session = behave(bench, f"rm -rf _signal.json; {body}").session()
    decision = bench.run(session)
    assert (decision.kind, decision.exit_code) == (Kind.BLOCKED, 4)
    assert reason in decision.reason
    first = ended(session)[0]
    assert first.decision.kind is Kind.REPAIR and reason in first.bad_signal
    assert reason in (session.dir / "_logs" / "002-investigation.prompt.md").read_text()
    assert "samoloop resume" in (session.dir / "_report.md").read_text()


def test_a_repaired_signal_goes_on_as_if_nothing_had_been(bench):
    session = behave(bench, "if [ -f once ]; then next requirements; else touch once; fi").session()
    assert bench.run(session).kind is Kind.WAIT
    assert [event.decision.kind for event in ended(session)] == ["repair", "continue", "wait"]


def test_a_signal_of_an_earlier_attempt_is_never_taken_for_the_present_one(bench):
    session = behave(bench, "if [ -f once ]; then exit 1; fi; touch once; next investigation").session()
    decision = bench.run(session)
    assert decision.kind is Kind.FAILED
    assert [event.signal is not None for event in ended(session)] == [True, False, False]


def test_a_valid_signal_counts_whatever_the_exit_code(bench):
    session = behave(bench, "next requirements; exit 1").session()
    assert bench.run(session).kind is Kind.WAIT
    assert "exit code 1" in (session.dir / "_report.md").read_text()


def test_a_failing_cli_is_tried_twice_and_then_failed(bench):
    session = behave(bench, "echo broken >&2; exit 7").session()
    decision = bench.run(session)
    assert (decision.kind, decision.exit_code) == (Kind.FAILED, 5)
    assert [(event.iteration, event.attempt) for event in ended(session)] == [(1, 1), (1, 2)]
    report = (session.dir / "_report.md").read_text()
    assert "exit code 7" in report and "broken" in report


def test_a_child_killed_by_a_signal_is_tried_again(bench):
    session = behave(bench, "if [ -f once ]; then next requirements; else touch once; kill -9 $$; fi").session()
    assert bench.run(session).kind is Kind.WAIT
    assert [event.attempt for event in ended(session)] == [1, 2, 1]


def test_a_child_cannot_answer_its_own_question(bench):
    body = """
    printf '### Q1: Which?\\nA) one\\n**Suggestion:** A\\n**Answer:** A\\n' > _qa.md
    signal '{"status": "waiting", "for": "qa_answers"}'
    """
    session = behave(bench, body, "requirements").session()
    assert bench.run(session).kind is Kind.WAIT
    assert "**Answer:** _waiting_" in (session.dir / "_qa.md").read_text()
    assert bench.run(session).kind is Kind.WAIT


def test_a_child_cannot_step_past_the_gate_of_its_phase(bench):
    session = behave(bench, "next planning", "requirements").session()
    decision = bench.run(session)
    assert decision.kind is Kind.BLOCKED
    assert "only after its gate" in decision.reason
    assert Session(session.dir).state().phase == "requirements"


def test_a_child_cannot_approve_its_own_plan(bench):
    body = """
    echo plan > p.md
    printf '# Plan approval\\nPlan: p.md\\nDecision: approve\\nComments:\\n' > _approval.md
    plan p.md
    """
    session = behave(bench, body, "planning").session()
    bench.run(session)
    gates.answer(session.dir, Session(session.dir).state().gate, {"Q1": "A"}, "Ann")
    assert bench.run(session).kind is Kind.WAIT
    assert "Decision: _waiting_" in (session.dir / "_approval.md").read_text()
    assert bench.run(session).kind is Kind.WAIT


def test_a_process_left_by_the_child_cannot_write_the_answer_later(bench):
    body = """
    ask Which?
    setsid sh -c 'sleep 0.3; sed -i "s/_waiting_/A/" _qa.md' > /dev/null 2>&1 &
    """
    session = behave(bench, body, "requirements").session()
    bench.run(session)
    assert ended(session)[-1].swept >= 1
    assert "_waiting_" in (session.dir / "_qa.md").read_text()


def test_gate_commands_refuse_inside_a_child(bench):
    body = f"""
    cd "$SAMOLOOP_SESSION_DIR/../.."
    {sys.executable} -m samoloop approve > "$SAMOLOOP_SESSION_DIR/out" 2>&1; echo $? >> "$SAMOLOOP_SESSION_DIR/out"
    cd "$SAMOLOOP_SESSION_DIR"; next requirements
    """
    session = behave(bench, body).session()
    bench.run(session)
    assert "only a human answers" in (session.dir / "out").read_text()
    assert (session.dir / "out").read_text().endswith("2\n")


def test_a_changed_plan_makes_an_approval_by_command_void(bench):
    session = bench.session()
    bench.run(session)
    gates.answer(session.dir, Session(session.dir).state().gate, {"Q1": "A"}, "Ann")
    bench.run(session)
    gates.decide_plan(session.dir, Session(session.dir).state().gate, Verdict.APPROVE, "Ann")
    (session.dir / "11-21-0900-plan-x.md").write_text("another plan\n")
    decision = bench.run(session)
    assert decision.kind is Kind.WAIT and "has changed since it was approved" in decision.reason
    assert "Decision: _waiting_" in (session.dir / "_approval.md").read_text()


@pytest.mark.parametrize(
    "damage", ["rm _overview.md", ": > _overview.md", "rm _overview.md; ln -s /etc/hostname _overview.md"]
)
def test_a_lost_overview_comes_back_from_the_last_checkpoint(bench, damage):
    body = """
    if [ -f once ]; then next requirements
    else touch once; echo '- my note' >> _overview.md; next investigation; fi
    """
    session = behave(bench, body).session()
    bench.run(session)
    behave(bench, f"{damage}; ask again", "requirements")
    gates.answer(session.dir, Session(session.dir).state().gate, {"Q1": "A"}, "Ann")
    bench.run(session)
    text = (session.dir / "_overview.md").read_text()
    assert "- my note" in text and "Phase: requirements" in text and not (session.dir / "_overview.md").is_symlink()


def test_the_workers_lines_are_put_right_whatever_the_child_writes(bench):
    session = behave(
        bench, "sed -i 's/^Phase:.*/**Phase:** done/; s/^Iteration.*//' _overview.md; next requirements"
    ).session()
    bench.run(session)
    text = (session.dir / "_overview.md").read_text()
    assert "\nPhase: requirements\nIteration: 2\nBlocked: no\n" in text


def test_a_child_that_deletes_the_worktree_loses_nothing_of_the_person(bench):
    (bench.root / "precious.txt").write_text("uncommitted\n")
    session = behave(bench, 'rm -rf "$SAMOLOOP_WORKTREE"; next requirements').session()
    bench.run(session)
    assert Session(session.dir).worktree.is_dir()
    assert "was made anew" in (session.dir / "_logs" / "002-requirements.prompt.md").read_text()
    assert (bench.root / "precious.txt").read_text() == "uncommitted\n"
    assert git(bench.root, "status", "--porcelain") == "?? precious.txt"


def test_a_child_that_deletes_the_session_folder_ends_the_run_with_a_sentence(bench):
    session = behave(bench, 'cd /; rm -rf "$SAMOLOOP_SESSION_DIR"').session()
    done = samoloop(bench.root, "resume", session.name, env=provider_env(bench))
    assert done.returncode in (2, 5)
    assert "Traceback" not in done.stderr
    assert str(session.dir) in done.stdout + done.stderr, done.stdout


def provider_env(bench: Bench) -> dict[str, str]:
    """The scripted child for the real command, through the person's own configuration file."""
    folder = Path(os.environ["HOME"]) / ".config" / "samoloop"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(
        json.dumps({"provider": "scripted", "providers": {"scripted": {"command": [str(bench.child)]}}})
    )
    return {}


def test_two_workers_never_run_one_session(bench):
    session = bench.session()
    with locked(session):
        done = samoloop(bench.root, "resume", session.name, env=provider_env(bench))
    assert done.returncode == 2
    assert f"process {os.getpid()}" in done.stderr and session.name in done.stderr


def test_a_locked_session_says_who_holds_it(bench):
    session = bench.session()
    with locked(session), pytest.raises(LockHeld, match=str(os.getpid())), locked(Session(session.dir)):
        pass


def test_a_phase_that_never_ends_is_stopped_at_its_limit(bench):
    session = behave(bench, "touch f$SAMOLOOP_ITERATION; next investigation").session()
    decision = bench.run(session)
    assert decision.kind is Kind.BLOCKED and "limit of 20 iterations" in decision.reason
    assert len(ended(session)) == 20


def test_no_progress_is_told_once_and_then_a_human_is_asked(bench):
    session = behave(bench, "next investigation").session()
    decision = bench.run(session)
    assert decision.kind is Kind.BLOCKED and "no progress" in decision.reason
    told = [
        "No progress" in (session.dir / "_logs" / f"{n:03d}-investigation.prompt.md").read_text() for n in range(1, 5)
    ]
    assert told == [False, False, False, True]


def test_resume_renews_the_counters_so_that_blocked_is_no_dead_end(bench):
    session = behave(bench, "if [ -f fixed ]; then next requirements; fi").session()
    assert bench.run(session).kind is Kind.BLOCKED
    (session.dir / "fixed").touch()
    session = Session(session.dir)
    session.record(Resumed(by="Ann"))
    assert bench.run(session).kind is Kind.WAIT


def test_the_child_sees_no_secret_of_the_worker(bench, monkeypatch):
    session = behave(bench, "env > seen; next requirements").session()
    environ = {**os.environ, "TELEGRAM_BOT_TOKEN": "123:abc", "SAMOLOOP_PROVIDER": "claude", "OTHER": "kept"}
    bench.run(session, environ=environ)
    seen = (session.dir / "seen").read_text()
    assert "TELEGRAM" not in seen and "SAMOLOOP_PROVIDER" not in seen and "OTHER=kept" in seen
    for name in ("SESSION_DIR", "SIGNAL", "PHASE", "ITERATION", "WORKTREE", "MARKER"):
        assert f"SAMOLOOP_{name}=" in seen


def test_a_person_may_move_a_session_at_rest_by_its_overview(bench):
    session = behave(bench, "exit 9", "quality").session()
    bench.run(session, yes=True)
    path = session.dir / "_overview.md"
    path.write_text(path.read_text().replace("Phase: quality", "Phase: implementation"))
    behave(bench, "next done", "quality")
    assert bench.run(session, yes=True).kind is Kind.DONE
    assert any(event.event == "moved" and event.target == "implementation" for event in session.journal.read())


def test_a_move_past_a_gate_is_refused_with_a_sentence(bench):
    session = bench.session()
    bench.run(session)
    path = session.dir / "_overview.md"
    path.write_text(path.read_text().replace("Phase: requirements", "Phase: implementation"))
    with pytest.raises(UsageError, match="the gate of requirements was not passed"):
        bench.run(session, attended=True)
    path.write_text(path.read_text().replace("Phase: implementation", "Phase: nowhere"))
    with pytest.raises(UsageError, match="there is no such phase"):
        bench.run(session, attended=True)


def test_in_place_works_without_git(tmp_path):
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "hello.txt").write_text("hello\n")
    bench = Bench(folder, script(tmp_path, GOOD_CHILD))
    session = bench.session(in_place=True)
    assert bench.run(session, yes=True).kind is Kind.DONE
    assert (folder / "feature.txt").read_text() == "code\n"
    assert not (folder / ".git").exists()


def test_ctrl_c_during_setup_is_a_stop_and_no_failure(bench):
    settings = {"setup": ": > ../started; exec sleep 30", "provider": "x", "providers": {"x": {"command": ["true"]}}}
    (bench.root / ".samoloop.yaml").write_text(json.dumps(settings))
    with subprocess.Popen(
        [sys.executable, "-m", "samoloop", "run", "Do it"],
        cwd=bench.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as worker:
        until(lambda: (bench.root / ".samoloop" / "worktrees" / "started").exists())
        os.killpg(worker.pid, signal.SIGINT)
        said = worker.communicate(timeout=30)[0]
    assert worker.returncode == 130, said
    assert "stopped, stopped by a person" in said and "ended with" not in said
    (session,) = all_sessions(bench.root / "_sessions")
    assert session.state().condition is Condition.STOPPED and session.state().rests


def test_setup_runs_once_and_a_failing_one_says_where_to_look(bench):
    bench.settings = {"setup": "echo out; [ -f ../../../go ] && touch ran"}
    session = bench.session()
    decision = bench.run(session)
    assert decision.kind is Kind.FAILED and "its output is in" in decision.reason
    (bench.root / "go").touch()
    git(bench.root, "add", "go")
    assert bench.run(session).kind is Kind.WAIT
    assert (Session(session.dir).worktree / "ran").exists()


def test_commits_off_leaves_git_alone(bench):
    bench.settings = {"commit": False}
    session = bench.session()
    assert bench.run(session, yes=True).kind is Kind.DONE
    assert git(bench.root, "rev-parse", "samoloop/add-a-feature") == git(bench.root, "rev-parse", "trunk")
    assert git(bench.root, "for-each-ref", "refs/samoloop") == ""


def test_the_worker_survives_a_journal_that_a_crash_cut(bench):
    session = bench.session()
    bench.run(session)
    path = session.journal.path
    path.write_bytes(path.read_bytes()[:-20])
    assert bench.run(session).kind is Kind.WAIT
    assert [event.event for event in session.journal.read()].count("torn") == 1


def test_a_waiting_worker_goes_on_by_itself_when_an_editor_saves(bench):
    session = bench.session()
    process = subprocess.Popen(
        [sys.executable, "-m", "samoloop", "resume", session.name],
        cwd=bench.root,
        env={**os.environ, **provider_env(bench)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        lines = iter(process.stdout.readline, "")
        next(line for line in lines if "waits for answers to Q1" in line)
        path = session.dir / "_qa.md"
        path.write_text(path.read_text().replace("_waiting_", "B"))
        next(line for line in lines if "waits for approval of 11-21" in line)
        assert samoloop(bench.root, "approve").returncode == 0
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


@pytest.mark.parametrize(("how", "condition"), [("stop", Condition.STOPPED), ("shutdown", Condition.READY)])
def test_what_a_person_stops_rests_and_what_a_shutdown_stops_is_taken_up_again(bench, how, condition):
    """Both end the child; only the person's wish outlives it."""
    session = behave(bench, "touch up; sleep 60").session()
    environ = {**os.environ, **provider_env(bench)}
    process = subprocess.Popen([sys.executable, "-m", "samoloop", "resume", session.name], cwd=bench.root, env=environ)
    try:
        until(lambda: (session.dir / "up").exists())
        if how == "stop":
            assert samoloop(bench.root, "stop", "--now").returncode == 0
        else:
            process.terminate()
        assert process.wait(30) == 6
    finally:
        process.kill()
        process.wait()
    assert Session(session.dir).state().condition is condition
    Session(session.dir).record(Resumed(by="Ann"))
    behave(bench, "next requirements")
    assert bench.run(session).kind is Kind.WAIT
    told = (session.dir / "_logs" / "001-investigation.2.prompt.md").read_text()
    assert "was interrupted" in told


def test_a_move_by_a_person_counts_after_a_resume_too(bench):
    session = behave(bench, "exit 9", "quality").session()
    bench.run(session, yes=True)
    path = session.dir / "_overview.md"
    path.write_text(path.read_text().replace("Phase: quality", "Phase: implementation"))
    Session(session.dir).record(Resumed(by="Ann"))
    behave(bench, "next done", "quality")
    assert bench.run(session, yes=True).kind is Kind.DONE
    assert any(event.event == "moved" for event in session.journal.read())


def test_guidance_outlives_a_child_whose_signal_could_not_be_used(bench):
    session = behave(bench, "if [ -f once ]; then next requirements; else touch once; fi").session()
    gates.tell(session.dir, "use sqlite", "Ann")
    bench.run(session)
    told = ["use sqlite" in path.read_text() for path in sorted((session.dir / "_logs").glob("*.prompt.md"))]
    assert told == [True, True, False]


def test_yes_waits_where_the_plan_is_gone(bench):
    session = bench.session()
    bench.run(session)
    gates.answer(session.dir, Session(session.dir).state().gate, {"Q1": "A"}, "Ann")
    bench.run(session)
    (session.dir / "11-21-0900-plan-x.md").unlink()
    assert bench.run(session, yes=True).kind is Kind.WAIT


def test_a_child_that_waits_for_answers_without_a_question_is_told_so(bench):
    body = """[ $SAMOLOOP_PHASE = requirements ] || { next requirements; exit; }
    signal '{"status": "waiting", "for": "qa_answers"}'
    """
    bench.child = script(bench.child.parent, body)
    session = bench.session()
    decision = bench.run(session)
    assert decision.kind is Kind.BLOCKED and "_qa.md is missing" in decision.reason
    assert "_qa.md is missing" in (session.dir / "_logs" / "003-requirements.prompt.md").read_text()
