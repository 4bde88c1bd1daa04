"""The commands that close a gate, at the right moment and at the wrong one, by the entrance that people use."""

import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from kit import GOOD_CHILD, Bench, make_repo, samoloop, script

from samoloop.checks.lived import lived
from samoloop.core.records import GateClosed
from samoloop.core.session import Session, all_sessions
from samoloop.core.state import Condition
from samoloop.worker import gatekeeper
from samoloop.worker.lease import locked

pytestmark = pytest.mark.slow  # whole commands


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(make_repo(tmp_path / "repo"), script(tmp_path, GOOD_CHILD))


def run(bench: Bench, *words: str) -> "CompletedProcess[str]":
    return samoloop(bench.root, *words)


def at_questions(bench: Bench) -> Session:
    session = bench.session()
    bench.run(session)
    return session


def at_plan(bench: Bench) -> Session:
    session = at_questions(bench)
    assert run(bench, "answer", session.name, "Q1=A").returncode == 0
    bench.run(session)
    return session


def refusal(done: "CompletedProcess[str]") -> str:
    assert done.returncode == 2, done.stdout
    return done.stderr


def test_what_the_person_said_wins_over_the_suggestion(bench: Bench) -> None:
    session = at_questions(bench)
    assert run(bench, "answer", session.name, "Q1=B", "--suggested").returncode == 0
    assert "**Answer:** B" in (session.dir / "_qa.md").read_text()


@pytest.mark.parametrize("name", [True, False])
def test_a_command_at_the_wrong_moment_says_how_it_stands_and_what_is_next(bench: Bench, name: bool) -> None:
    session = at_questions(bench)
    words = [session.name] if name else []
    said = refusal(run(bench, "approve", *words))
    assert "for a decision on a plan" in said
    assert f"it waits for answers to Q1; next: samoloop questions {session.name}" in said
    assert "for something to be done" in refusal(run(bench, "answer", *words, "done"))

    assert run(bench, "answer", *words, "Q1=A").returncode == 0
    said = refusal(run(bench, "answer", session.name, "Q1=B"))
    assert "Q1 answered by" in said
    assert f"next: samoloop resume {session.name}" in said

    bench.run(session)
    said = refusal(run(bench, "answer", *words, "Q1=A"))
    assert "for answers" in said
    assert f"next: samoloop approve {session.name}" in said


def test_done_is_done_however_it_is_written(bench: Bench, tmp_path: Path) -> None:
    body = """signal '{"status": "waiting", "for": "human_action", "reason": "plug it in"}'"""
    bench.child.write_text(script(tmp_path, body, "other.sh").read_text())
    session = at_questions(bench)
    assert run(bench, "answer", "Done").returncode == 0
    assert "Done: yes" in (session.dir / "_action.md").read_text()


def test_what_was_decided_without_a_worker_is_seen_at_once(bench: Bench) -> None:
    session = at_plan(bench)
    assert run(bench, "approve", session.name).returncode == 0
    found = json.loads(run(bench, "status", session.name, "--json").stdout)
    assert (found["waits_for"], "approved by" in found["decided"]) == ("", True)
    assert [step["command"] for step in found["next"]] == [f"samoloop resume {session.name}"]
    assert "approve" not in run(bench, "status", session.name).stdout.partition("what you can do")[2]
    listed = run(bench, "list").stdout
    assert "waits for approval" not in listed
    assert "approved by" in listed


def test_a_half_answered_gate_asks_for_the_rest(bench: Bench, tmp_path: Path) -> None:
    body = """
    printf '### Q1: One?\\n**Answer:** _waiting_\\n\\n### Q2: Two?\\n**Answer:** _waiting_\\n' > _qa.md
    case $SAMOLOOP_PHASE in
    investigation) next requirements;;
    *) signal '{"status": "waiting", "for": "qa_answers"}';;
    esac
    """
    bench.child.write_text(script(tmp_path, body, "other.sh").read_text())
    session = at_questions(bench)
    said = refusal(run(bench, "answer", session.name, "Q1=A,Q2=B"))
    assert "write them apart, such as Q1=A Q2=B" in said
    assert run(bench, "answer", session.name, "Q1=yes").returncode == 0
    assert json.loads(run(bench, "status", "--json").stdout)["waits_for"] == "answers to Q2"
    assert "give an answer for Q2: Q2=A" in refusal(run(bench, "answer", session.name))
    assert "says nothing" in refusal(run(bench, "answer", session.name, "Q2=\ufeff\u200b\u3164"))
    assert run(bench, "answer", session.name, "Q2=A, Q1=unchanged").returncode == 0


def test_questions_end_in_a_command_that_works(bench: Bench) -> None:
    session = at_questions(bench)
    assert f"Answer: samoloop answer {session.name} Q1=A" in run(bench, "questions").stdout
    assert run(bench, "answer", "Q1=A").returncode == 0
    shown = run(bench, "questions").stdout
    assert "samoloop answer" not in shown
    assert f"next: samoloop resume {session.name}" in shown
    bench.run(session)
    assert f"next: samoloop approve {session.name}" in run(bench, "questions", session.name).stdout


def test_after_going_back_to_a_gate_it_can_be_answered_at_once(bench: Bench) -> None:
    session = at_plan(bench)
    back = run(bench, "rewind", session.name, "2")
    assert "It waits for answers to Q1" in back.stdout, back.stderr
    assert "waits for answers to Q1" in run(bench, "status", session.name).stdout
    assert run(bench, "answer", session.name, "Q1=B").returncode == 0

    assert run(bench, "fork", session.name, "2", "--session", "other").returncode == 0
    [other] = [found for found in all_sessions(bench.root / "_sessions") if found.name.endswith("other")]
    assert "waits for answers to Q1" in run(bench, "status", other.name).stdout
    assert run(bench, "answer", other.name, "Q1=A").returncode == 0


@pytest.mark.parametrize("sha", ["", "a", "12345", "xyzxyzx"])
def test_a_sha_that_tells_too_little_is_refused(bench: Bench, sha: str) -> None:
    session = at_plan(bench)
    assert "--sha takes the first 6 or more" in refusal(run(bench, "approve", session.name, "--sha", sha))
    gate = Session(session.dir).state().gate
    assert gate and gate.sha256
    assert run(bench, "approve", session.name, "--sha", gate.sha256[:6]).returncode == 0


def test_approving_a_plan_that_changed_since_the_gate_opened_says_so(bench: Bench) -> None:
    session = at_plan(bench)
    (session.dir / "11-21-0900-plan-x.md").write_text("another plan\n")
    assert "It has changed since the gate opened" in run(bench, "approve", session.name).stdout


def test_a_plan_that_nobody_can_read_is_named_so(bench: Bench) -> None:
    bench.child.write_text(bench.child.read_text().replace('echo "the plan"', "head -c 5000000 /dev/zero | tr '\\0' x"))
    session = at_plan(bench)
    assert "is larger than 4 MB" in (session.dir / "_report.md").read_text()


def test_a_move_past_a_gate_names_the_command_that_passes_it(bench: Bench) -> None:
    session = at_plan(bench)
    path = session.dir / "_overview.md"
    path.write_text(path.read_text().replace("Phase: planning", "Phase: implementation"))
    assert bench.run(session).exit_code not in (0, 3)
    assert f"samoloop approve {session.name}" in Session(session.dir).state().failure
    assert run(bench, "approve", session.name).returncode == 0
    bench.run(session)
    assert Session(session.dir).state().phase != "planning"


def test_yes_announces_nothing_that_does_not_wait(bench: Bench) -> None:
    bench.settings = {"announce": {"command": ["true"]}}
    session = bench.session()
    bench.run(session, yes=True)
    items = [json.loads(path.read_text())["kind"] for path in sorted((session.control / "_outbox").glob("*.json"))]
    assert "done" in items
    assert not {"questions", "plan"} & set(items)


def test_there_is_no_prompt_after_the_end_and_the_refusal_says_what_to_do(bench: Bench) -> None:
    session = bench.session()
    bench.run(session, yes=True)
    said = refusal(run(bench, "prompt", session.name))
    assert "no child follows; `samoloop rewind" in said


# --- a way back -------------------------------------------------------------------------------------------------------


def closed(session: Session) -> list[str]:
    return [str(record.verdict) for record in lived(Session(session.dir).journal) if isinstance(record, GateClosed)]


def test_an_answer_is_replaced_while_its_gate_is_open_and_before_a_child_has_acted_on_it(bench: Bench) -> None:
    session = at_questions(bench)
    assert run(bench, "answer", session.name, "Q1=A").returncode == 0
    assert "--replace decides anew" in refusal(run(bench, "answer", session.name, "Q1=B"))
    done = run(bench, "answer", session.name, "--replace", "Q1=B")
    assert done.stdout.startswith("Q1 answered by"), done.stderr
    bench.run(session)
    assert Session(session.dir).state().given["Q1"]["answer"] == "B"
    said = refusal(run(bench, "answer", session.name, "--replace", "Q1=A"))
    assert "a child has acted on it (iteration 3): `samoloop rewind" in said


def taken_up(bench: Bench, session: Session) -> None:
    """A worker closes the gate, and ends before it has started a child."""
    worker = bench.worker(session)
    with locked(worker.session):
        assert gatekeeper.look(worker) is None


def test_a_decision_is_replaced_as_long_as_no_child_has_acted_on_it(bench: Bench) -> None:
    session = at_plan(bench)
    assert run(bench, "approve", session.name).returncode == 0
    taken_up(bench, session)
    assert Session(session.dir).state().phase == "implementation"
    assert "it is ready in implementation" in refusal(run(bench, "changes", session.name, "-m", "no"))
    assert run(bench, "changes", session.name, "--replace", "-m", "in blue, please").returncode == 0
    state = Session(session.dir).state()
    assert (state.phase, state.condition) == ("planning", Condition.WAITING)
    assert "Phase: planning" in (session.dir / "_overview.md").read_text()
    bench.run(session)
    assert closed(session) == ["answered", "changes"]
    assert "in blue, please" in (session.logs / "005-planning.prompt.md").read_text()
    assert "Took back what was decided at gate g2" in (session.dir / "_guidance.md").read_text()
    assert run(bench, "reject", session.name, "-m", "no").returncode == 0
    assert run(bench, "approve", session.name, "--replace").returncode == 0
    bench.run(session)
    assert Session(session.dir).state().condition is Condition.DONE
    assert "nothing that" in refusal(run(bench, "answer", session.name, "--replace", "Q1=A"))


def test_an_action_is_declined_with_a_reason_and_the_child_is_told(bench: Bench, tmp_path: Path) -> None:
    body = """signal '{"status": "waiting", "for": "human_action", "reason": "plug it in"}'"""
    bench.child.write_text(script(tmp_path, body, "other.sh").read_text())
    session = at_questions(bench)
    assert "say why" in refusal(run(bench, "answer", "declined"))
    assert run(bench, "answer", session.name, "declined", "there is no socket").returncode == 0
    bench.run(session)
    prompt = (session.logs / "002-investigation.prompt.md").read_text()
    assert "declined to do what was asked (plug it in)" in prompt
    assert "there is no socket" in prompt


def test_an_action_is_declined_in_the_file_too(bench: Bench, tmp_path: Path) -> None:
    body = """signal '{"status": "waiting", "for": "human_action", "reason": "plug it in"}'"""
    bench.child.write_text(script(tmp_path, body, "other.sh").read_text())
    session = at_questions(bench)
    path = session.dir / "_action.md"
    path.write_text(path.read_text() + "Declined: no socket\n")
    assert "declined by editor" in run(bench, "status", session.name).stdout
    assert run(bench, "answer", session.name, "--replace", "done", "found one").returncode == 0
    assert "done by" in run(bench, "status", session.name).stdout
