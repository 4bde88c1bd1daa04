"""What a person can do with a session as it stands: the commands, each with what it does."""

import shlex
from dataclasses import replace
from pathlib import Path

from samoloop.base.values import frozen
from samoloop.core import gates, words
from samoloop.core.control import is_fleets
from samoloop.core.evidence import vetoed_by
from samoloop.core.gates import Closing, StillOpen
from samoloop.core.session import Session
from samoloop.core.signals import GateKind
from samoloop.core.state import Condition, State
from samoloop.core.words import SESSION_REPAIR, Step

_UNTIL_TOLD = frozenset({Condition.BLOCKED, Condition.FAILED, Condition.STOPPED, Condition.DONE})


@frozen
class Outlook:
    """What a session waits for now, by its journal and by what people have written since."""

    waits_for: str  # in a few words; empty where it waits for nobody
    decided: str  # how its gate was decided, where no worker has acted on it yet
    steps: list[Step]  # the most likely first; empty where nothing is to be done


def outlook(session: Session, *, at_work: bool) -> Outlook:
    """What can be done; `at_work` tells whether a worker is alive."""
    state, gate, go_on = session.state(), session.state().gate, Step(f"samoloop resume {session.name}", "go on")
    if state.needs == SESSION_REPAIR and not at_work:
        return Outlook("", "", [Step(f"{SESSION_REPAIR} {session.name}", "put it right, when you have looked")])
    if is_fleets(session.dir) and state.condition not in _UNTIL_TOLD:
        at_work = True  # one of its machines goes on by itself
    if gate is None:
        result = session.result_document() if state.condition is Condition.DONE else None
        return Outlook("", "", without_gate(session.name, state, at_work, result))
    found = gates.examine(gate, session.dir, session.worktree)
    if isinstance(found, Closing):
        return Outlook("", words.closed(gate, found), [] if at_work else [go_on])
    if isinstance(found, StillOpen) and found.left:
        gate = replace(gate, questions=found.left)
    path = gates.answer_in(gate, session.dir, session.worktree)
    steps = words.steps(session.name, gate, str(path))
    then = [] if at_work else [replace(go_on, what="then go on")]
    return Outlook(words.waits_for(gate), "", [*steps, *then])


def without_gate(name: str, state: State, at_work: bool, result: Path | None = None) -> list[Step]:
    """What can be done where no gate is open; `result` is the document in which a session says what it found."""
    if at_work:
        return [
            Step(f"samoloop log {name} -f", "watch it"),
            Step(f'samoloop tell {name} "..."', "guidance for the next child"),
            Step(f"samoloop stop {name}", "stop after this iteration"),
        ]
    if state.condition is Condition.DONE:
        last = state.live_workflow.phase(state.live_workflow.last)
        planned = last.gate is GateKind.PLAN_APPROVAL
        carry_out = [Step(f"samoloop resume {name}", "carry the plan out")] if planned and not state.archived else []
        more = Step(f'samoloop resume {name} -m "..."', "have one more thing done")
        if result and state.ended and state.ended.head == state.created.base:  # no commit is to be merged
            away = [] if state.archived else [Step(f"samoloop archive {name}", "remove the worktree")]
            return [*carry_out, Step(f"less {shlex.quote(str(result))}", "read what it found"), more, *away]
        if state.created.in_place or state.archived:
            return [Step(f"samoloop show {name}", "look at the work"), more]
        return [
            *carry_out,
            Step(f"samoloop show {name}", "look at the work"),
            Step(f"git merge {state.created.branch}", "take it over"),
            more,
            Step(f"samoloop archive {name}", "remove the worktree"),
        ]
    if state.wanted:
        return [Step(f"samoloop resume {name}", "open the gate that was asked for")]
    if state.condition in (Condition.BLOCKED, Condition.FAILED, Condition.STOPPED, Condition.WAITING):
        go_on = Step(f'samoloop resume {name} -m "..."', "go on, with a word of guidance")
        waive = [
            Step(f'samoloop waive {source} -m "..." {name}', "let that pass in this session, then go on")
            for source in (vetoed_by(state.reason) if state.condition is Condition.BLOCKED else ())
        ]
        return [go_on, *waive, *_ways_back(name, state)]
    return [Step(f"samoloop resume {name}", "go on")]


def _ways_back(name: str, state: State) -> list[Step]:
    if not state.iteration:
        return []
    before = state.iteration - 1
    return [
        Step(f"samoloop rewind {name} {before}", "go back to before the last iteration"),
        Step(f"samoloop fork {name} {before} --session NEW", "try another way beside this one"),
    ]
