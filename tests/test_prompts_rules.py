"""The prompts against the worker's rules: what each says in each situation is allowed there, true there, and works."""

import json
import re
import shlex
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kit import git, make_repo
from records import created

from samoloop.config import workflow_files
from samoloop.core import rules, signals
from samoloop.core.rules import Decision, Kind
from samoloop.core.signals import GateKind, Signal
from samoloop.core.state import State
from samoloop.core.workflow import Workflow
from samoloop.worker.prompt import Place, Prompt, build

PLACE = Place(Path("/p/_sessions/s"), Path("/p/tree"), "samoloop/s", Path("/skills"), 1800)
IN_PLACE = replace(PLACE, in_place=True, change=Path("/c/_logs/change.diff"))
WORKFLOWS = {name: workflow_files.load(name, None) for name in workflow_files.names(None)}
WORKFLOWS["feature, reviewed"] = workflow_files.reviewed(WORKFLOWS["feature"], ["codex", "gemini"], None)
PHASES = [(name, phase.name) for name, flow in WORKFLOWS.items() for phase in flow.phases if phase.child]
EACH = pytest.mark.parametrize(("name", "phase"), PHASES)


def situations(workflow: Workflow, phase: str) -> dict[str, State]:
    """The states in which a child of the phase may find its session, by what is special about them."""
    found = workflow.phase(phase)
    plain = {"creation": created(workflow), "phase": phase, "iteration": 12}
    gate = {"passed": {found.gate}} if found.gate else {}
    return {
        "first": State(**plain),
        "gate passed": State(**plain, **gate, phase_iterations=1),
        "last iteration": State(**plain, **gate, phase_iterations=found.max_iterations - 1),
        "last iteration before the gate": State(**plain, phase_iterations=found.max_iterations - 1),
        "rounds used up": State(**plain, **gate, rounds={phase: workflow.rounds.get(phase, 0)}),
        "questions answered on the way": State(**plain, passed={GateKind.QA_ANSWERS}),
    }


def told(state: State, place: Place = PLACE) -> Prompt:
    now = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
    return build(place, state, iteration=13, now=now, additions_file=Path("/a"), guidance=[])


def judged(state: State, raw: str) -> object:
    """What the rules say of a signal from a child that is now at work."""
    at_work = replace(state, phase_iterations=state.phase_iterations + 1, iteration=13)
    signal = signals.parse(raw.encode())
    assert isinstance(signal, Signal), signal
    return rules.judge(state.live_workflow, at_work, signal)


def shown(text: str) -> list[str]:
    return re.findall(r"^\{.*\}$", text, re.MULTILINE)


@EACH
def test_each_signal_that_is_shown_may_be_copied(name: str, phase: str) -> None:
    for situation, state in situations(WORKFLOWS[name], phase).items():
        for raw in shown(told(state).text):
            verdict = judged(state, raw)
            assert isinstance(verdict, Decision), (situation, raw, verdict)
            assert json.loads(raw)["status"] == "blocked" or verdict.kind is not Kind.BLOCKED, (situation, raw, verdict)


@EACH
def test_each_allowed_move_is_named_and_no_other(name: str, phase: str) -> None:
    workflow = WORKFLOWS[name]
    for situation, state in situations(workflow, phase).items():
        (line,) = re.findall(r"^- Allowed next phases: (.*)$", told(state).text, re.MULTILINE)
        raws = {target: json.dumps({"status": "continue", "phase": target}) for target in workflow.names}
        verdicts = {target: judged(state, raw) for target, raw in raws.items()}
        allowed = {t for t, found in verdicts.items() if isinstance(found, Decision) and found.kind is Kind.CONTINUE}
        named = {word for word in re.split(r", |\(.*\)", line) if word}
        assert named - {"none"} == allowed, situation


@EACH
def test_a_child_is_shown_how_to_go_on_or_told_what_stands_before_that(name: str, phase: str) -> None:
    workflow = WORKFLOWS[name]
    for situation, state in situations(workflow, phase).items():
        kinds = {json.loads(raw)["status"] for raw in shown(told(state).sections["phase"])}
        forward = kinds & {"continue", "done"} or situation.startswith("last iteration")
        gate = workflow.phase(phase).gate
        assert forward or (gate and "waiting" in kinds), (situation, kinds)


@EACH
def test_nothing_speaks_of_branches_and_commits_in_the_person_s_own_folder(name: str, phase: str) -> None:
    for state in situations(WORKFLOWS[name], phase).values():
        text = told(state, IN_PLACE).text
        assert "no commit, no branch" in text
        assert "small commits" not in text
        assert "`git diff 0123" not in text
        assert "branch `samoloop/" not in text
        assert "base commit" not in text


def test_the_commands_of_a_prompt_run_where_the_child_works(tmp_path: Path) -> None:
    root = make_repo(tmp_path / "repo")
    base = git(root, "rev-parse", "HEAD")
    workflow = WORKFLOWS["feature"]
    commands = set()
    for phase in ("implementation", "testing", "quality", "done"):
        state = State(creation=created(workflow, base=base), phase=phase)
        commands |= set(re.findall(r"`(git (?:diff|status|log)[^`<]*)`", told(state).text))
    assert len(commands) >= 3
    for command in commands:
        done = subprocess.run(shlex.split(command), cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stderr)


def test_a_person_s_move_back_to_questions_is_a_situation_that_the_text_knows() -> None:
    state = State(creation=created(WORKFLOWS["feature"]), phase="requirements", given={"Q1": {"answer": "A"}})
    text = told(state).text
    assert "(planning is not allowed now before qa_answers)" in text
    assert "They list only this phase: the human put you back here." in text


def test_in_the_last_round_nothing_sends_a_child_back() -> None:
    state = situations(WORKFLOWS["feature"], "quality")["rounds used up"]
    text = told(state).text
    assert "(testing is not allowed now)" in text
    assert "the facts no longer list `testing`: then do not mend" in text


def test_a_roadmap_is_judged_by_the_milestones_that_are_open() -> None:
    for phase in ("testing", "quality"):
        text = told(State(creation=created(WORKFLOWS["build"]), phase=phase)).text
        assert "milestones opened so far" in text


@pytest.mark.parametrize("until", ["investigation", "testing"])
def test_a_workflow_cut_short_ends_with_a_signal_that_ends_it(until: str) -> None:
    whole = WORKFLOWS["feature"]
    cut = whole.until(until)
    text = told(State(creation=created(cut), phase=until)).text
    (done,) = {raw for raw in shown(text) if '"done"' in raw}
    assert isinstance(judged(State(creation=created(cut), phase=until), done), Decision)


def test_a_chore_asks_nobody() -> None:
    assert not any(phase.gate for phase in WORKFLOWS["chore"].phases)
    state = State(creation=created(WORKFLOWS["chore"]), phase="implementation")
    assert 'without one the list "To do" in the dive' in told(state).text


def test_what_a_child_reads_before_its_first_action_is_bounded_and_does_not_grow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "benchmarks"))
    import prompts_bench

    sizes = list(prompts_bench.simulated())
    assert len(sizes) > 60
    assert max(size for _, size in sizes) < 25_000
    items = [size for phase, size in sizes if phase == "implementation"]
    assert max(items[15:]) < items[15] + 400
