"""What a person can do with a session as it stands: the commands, each with what it does."""

from dataclasses import dataclass

from samoloop.core.gates import Gate
from samoloop.core.signals import GateKind
from samoloop.core.state import Condition, State


@dataclass(frozen=True)
class Step:
    """One thing to do."""

    command: str  # to paste into a shell, or words where an editor is meant
    what: str


def next_steps(name: str, state: State, *, at_work: bool) -> list[Step]:
    """The most likely step first; `at_work` tells whether a worker is alive. Empty where nothing is to be done."""
    if state.gate:
        steps = gate_steps(name, state.gate)
        return steps if at_work else [*steps, Step(f"samoloop resume {name}", "then go on")]
    if at_work:
        return [
            Step(f"samoloop log {name} -f", "watch it"),
            Step(f'samoloop tell {name} "..."', "guidance for the next child"),
            Step(f"samoloop stop {name}", "stop after this iteration"),
        ]
    if state.condition is Condition.DONE:
        if state.created.in_place or state.archived:
            return [Step(f"samoloop diff {name}", "what the last iteration changed")]
        return [
            Step(f"git merge {state.created.branch}", "take the work over, after a look"),
            Step(f"samoloop archive {name}", "remove the worktree"),
        ]
    if state.condition in (Condition.BLOCKED, Condition.FAILED, Condition.STOPPED, Condition.WAITING):
        return [Step(f'samoloop resume {name} -m "..."', "go on, with a word of guidance"), *_ways_back(name, state)]
    return [Step(f"samoloop resume {name}", "go on")]


def gate_steps(name: str, gate: Gate) -> list[Step]:
    """The commands that close a gate."""
    match gate.kind:
        case GateKind.QA_ANSWERS:
            given = " ".join(f"{id}=..." for id in gate.questions)
            return [
                Step(f"samoloop questions {name}", "read the questions"),
                Step(f"samoloop answer {name} {given}", f"answer, or edit {gate.gate_file}"),
                Step(f"samoloop answer {name} --suggested", "take the suggestions"),
            ]
        case GateKind.PLAN_APPROVAL:
            return [
                Step(f"samoloop approve {name}", f"approve {gate.file}"),
                Step(f'samoloop changes {name} -m "..."', "ask for changes"),
                Step(f"samoloop reject {name}", "reject it and stop"),
            ]
        case GateKind.HUMAN_ACTION:
            return [Step(f"samoloop answer {name} done", "say that it is done")]
        case GateKind.FILE_UPDATE:
            return [Step(f"edit {gate.file}", "change the file")]


def waits_for(gate: Gate | None) -> str:
    """What a gate waits for, in a few words; empty where none is open."""
    if gate is None:
        return ""
    words = {
        GateKind.QA_ANSWERS: f"answers to {', '.join(gate.questions)}",
        GateKind.PLAN_APPROVAL: f"approval of {gate.file}",
        GateKind.HUMAN_ACTION: f"you: {gate.reason}",
        GateKind.FILE_UPDATE: f"a change of {gate.file}",
    }
    return words[gate.kind]


def _ways_back(name: str, state: State) -> list[Step]:
    if not state.iteration:
        return []
    before = state.iteration - 1
    return [
        Step(f"samoloop rewind {name} {before}", "go back to before the last iteration"),
        Step(f"samoloop fork {name} {before} --session NEW", "try another way beside this one"),
    ]
