"""Two machines take turns at one session, from the hand-off to its end, through nothing but the remote."""

from pathlib import Path

import pytest
from kit import GOOD_CHILD
from machines import Machine, make_fleet, remote_git

from samoloop.core import gates
from samoloop.core.decision import Condition
from samoloop.core.gates import StillOpen, Verdict
from samoloop.core.records import GateClosed, Placed, Started
from samoloop.core.session import Session
from samoloop.fleet.parcel import Kind

pytestmark = pytest.mark.slow


def test_a_session_goes_to_its_end_on_two_machines_in_turn(tmp_path: Path) -> None:
    machines = make_fleet(tmp_path, GOOD_CHILD)
    name = machines[0].hand_in().name
    for turn in range(40):
        machine = machines[turn % 2]
        session, said = machine.place(name)
        assert said == []
        if not acted_at_gate(machine, session):
            machine.iterate(session)
            machine.send(session, Kind.ITERATION)
        with machine.at_work():
            if session.state().condition is Condition.DONE:
                break
    session, _ = machines[0].place(name)
    with machines[0].at_work():
        state, records = session.state(), session.journal.read()
    assert state.condition is Condition.DONE
    started = [record.iteration for record in records if isinstance(record, Started)]
    assert started == list(range(1, len(started) + 1))
    assert {record.machine for record in records if isinstance(record, Placed)} == {"one", "two"}
    assert len({record.at for record in records if isinstance(record, GateClosed)}) == 2
    commits = remote_git(machines[0], "log", "--format=%s", state.created.branch).splitlines()
    assert len(commits) == len(set(commits))
    assert remote_git(machines[0], "for-each-ref", "refs/samoloop/aside") == ""


def acted_at_gate(machine: Machine, session: Session) -> bool:
    """Whether a gate waits that nobody has acted on: a person does it on this machine, and hands that over."""
    with machine.at_work():
        gate = session.state().gate
        if gate is None or not isinstance(gates.examine(gate, session.dir, session.worktree), StillOpen):
            return False
        if gate.questions:
            gates.answer(session.dir, gate, {id: f"from {machine.name}" for id in gate.questions}, "ada")
        else:
            gates.decide_plan(session.dir, gate, Verdict.APPROVE, "ada")
    machine.send(session, Kind.ACT, "ada")
    return True
