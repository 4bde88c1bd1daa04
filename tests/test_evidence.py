"""What the worker itself saw: it vetoes, blocks and is told; and a room says it at a station of a real worker."""

from dataclasses import replace
from pathlib import Path

import pytest
from kit import Bench, make_repo, script
from records import SMALL, T0, in_phase, state_of

from samoloop.api.asked import How
from samoloop.api.go_on import go_on
from samoloop.core.decision import Note
from samoloop.core.evidence import Evidence, Weight, vetoed_by
from samoloop.core.outcome import Outcome
from samoloop.core.records import Ended
from samoloop.core.rules import VETOES, Kind, decide, leaves
from samoloop.core.session import Session
from samoloop.core.signals import BadSignal, GateKind, Signal, Status
from samoloop.ui.terminal.endings import follows
from samoloop.worker.stations import Stations

FINE = Outcome(at=T0)
NOTE = Evidence("git", Weight.NOTE, "a merge was ended")
VETO = Evidence("check", Weight.VETO, "1 test failed")
BLOCK = Evidence("git", Weight.BLOCK, "the branch is checked out elsewhere")
ONWARD, STAY = Signal(Status.CONTINUE, "review"), Signal(Status.CONTINUE, "work")
DONE, BLOCKED = Signal(Status.DONE, summary="all good"), Signal(Status.BLOCKED, reason="no database")


def judged(phase: str, signal: Signal | BadSignal, *evidence: Evidence, vetoes: int = 0):
    return decide(SMALL, replace(state_of(in_phase(phase)), vetoes=vetoes), FINE, signal, evidence)


def test_no_evidence_changes_nothing():
    assert judged("work", ONWARD) == decide(SMALL, state_of(in_phase("work")), FINE, ONWARD)


@pytest.mark.parametrize(
    ("phase", "signal"), [("work", ONWARD), ("done", DONE), ("review", Signal(Status.CONTINUE, "work"))]
)
def test_a_veto_keeps_the_session_in_its_phase_and_tells_the_next_child(phase, signal):
    decision = judged(phase, signal, NOTE, VETO)
    assert (decision.kind, decision.phase, decision.vetoed) == (Kind.CONTINUE, phase, True)
    assert decision.reason == "1 test failed" and decision.goes_on
    assert decision.notes == (Note("git", NOTE.text), Note("check", VETO.text))


@pytest.mark.parametrize(("phase", "signal", "kind"), [("work", STAY, Kind.CONTINUE), ("work", BLOCKED, Kind.BLOCKED)])
def test_a_veto_is_about_leaving_and_nothing_else(phase, signal, kind):
    decision = judged(phase, signal, VETO)
    assert (decision.kind, decision.phase, decision.vetoed, decision.notes) == (kind, phase, False, ())


def test_a_veto_holds_back_a_gate_too():
    ask = Signal(Status.WAITING, wait_for=GateKind.PLAN_APPROVAL, file="plan.md")
    assert judged("plan", ask).gate is GateKind.PLAN_APPROVAL
    decision = judged("plan", ask, VETO)
    assert (decision.kind, decision.phase, decision.gate, decision.vetoed) == (Kind.CONTINUE, "plan", None, True)


def test_several_vetoes_are_all_said():
    decision = judged("work", ONWARD, VETO, replace(VETO, text="2 items are open"))
    assert decision.reason == "1 test failed; 2 items are open" and len(decision.notes) == 2


def test_the_vetoes_of_a_phase_are_bounded():
    assert judged("work", ONWARD, VETO, vetoes=VETOES - 1).kind is Kind.CONTINUE
    decision = judged("work", ONWARD, VETO, vetoes=VETOES)
    assert (decision.kind, decision.needs, decision.vetoed) == (Kind.BLOCKED, "error_resolution", False)
    assert decision.reason == f"vetoed {VETOES} times by check: 1 test failed"


def test_who_vetoed_can_be_told_by_the_reason():
    reason = judged("work", ONWARD, VETO, replace(VETO, source="plan", text="x: y"), vetoes=VETOES).reason
    assert vetoed_by(reason) == ["check", "plan"]
    assert vetoed_by("no database") == vetoed_by("vetoed by nobody") == []


def test_what_blocks_is_for_a_human_and_goes_before_a_veto():
    decision = judged("work", ONWARD, VETO, BLOCK)
    assert (decision.kind, decision.phase, decision.needs) == (Kind.BLOCKED, "work", "human_decision")
    assert decision.reason == BLOCK.text
    assert judged("work", BLOCKED, BLOCK).reason == "no database"


@pytest.mark.parametrize(("signal", "leaving"), [(ONWARD, True), (STAY, False), (BLOCKED, False)])
def test_a_room_knows_whether_the_child_wants_to_leave_its_phase(signal, leaving):
    assert leaves("work", judged("work", signal)) is leaving
    assert leaves("done", judged("done", DONE))


def test_a_bad_signal_is_a_bad_signal_whatever_was_seen():
    decision = judged("work", BadSignal("none was written"), VETO, NOTE)
    assert decision.kind is Kind.REPAIR and decision.notes[-1] == Note("git", NOTE.text)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    child = """signal '{"status": "done", "summary": "all good"}'"""
    return Bench(make_repo(tmp_path / "repo"), script(tmp_path, child), {"workflow": "exec"})


def test_rooms_act_at_the_four_stations_of_a_worker(bench, tmp_path):
    """A check after each child that fails twice, a wait before, another environment around, a part of the prompt."""
    session, seen = bench.session(), []

    def check(worker, finished):
        seen.append(
            (finished.started.phase, finished.outcome.exit_code, finished.committed is not None, finished.leaves())
        )
        return [VETO] if len(seen) <= 3 else []  # one of them is the word before

    def around(worker, launch):
        return replace(launch, argv=["env", f"ROOM={tmp_path}", *launch.argv])

    bench.child.write_text(bench.child.read_text().replace("cat > /dev/null", 'cat > "$ROOM/prompt"'))
    more = Stations(
        before=(lambda worker: seen.append("before") if not seen else None,),
        around=(around,),
        after=(check,),
        prompt=(lambda worker: "## Weather\n\nRain.", lambda worker: ""),
    )
    seen.clear()
    how = How(said=bench.said, no_wait=True, yes=True)
    assert go_on(session, how, environ=bench.environ, more=more).kind is Kind.DONE
    state = Session(session.dir).state()
    assert seen[0] == "before"
    assert seen[1:] == [("exec", 0, True, True)] * 3 and state.vetoes == 2
    assert "## Weather\n\nRain.\n" in (tmp_path / "prompt").read_text()
    said = [follows(record, T0) for record in session.journal.read() if isinstance(record, Ended)]
    assert said == ["exec again: 1 test failed"] * 2 + ["done: all good"]
    prompts = sorted(session.logs.glob("*.prompt.md"))
    assert "A check failed: 1 test failed" in prompts[1].read_text()


def test_done_with_work_that_is_not_on_the_branch_gets_one_repair_and_then_a_human():
    unfinished = Evidence("git", Weight.UNFINISHED, "a merge is in progress")
    first = judged("done", DONE, unfinished)
    assert (first.kind, first.notes) == (Kind.REPAIR, (Note("git", unfinished.text),))
    state = replace(state_of(in_phase("done")), repairs=1)
    second = decide(SMALL, state, FINE, DONE, (unfinished,))
    assert second.kind is Kind.BLOCKED and unfinished.text in second.reason
    assert judged("work", ONWARD, unfinished).kind is Kind.CONTINUE
