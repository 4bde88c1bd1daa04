"""Phases and workflows are read from files, a project's own first, and what is wrong with them is named."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from records import SMALL

from samoloop.base.errors import ConfigError
from samoloop.config import workflow_files
from samoloop.config.workflow_files import check, fill, load, names, split_front_matter
from samoloop.core.rules import Decision, judge
from samoloop.core.signals import GateKind, Signal, Status, parse
from samoloop.core.state import State
from samoloop.core.workflow import Changes, Phase, Workflow

SHIPPED = names(None)


def project(tmp_path: Path, phases: Mapping[str, str], workflow: Mapping[str, Any] | str, name: str = "mine") -> Path:
    """A project whose own folder holds these phases (front matter and body) and one workflow."""
    folder = tmp_path / ".samoloop"
    (folder / "workflows").mkdir(parents=True, exist_ok=True)
    for phase, text in phases.items():
        (folder / f"{phase}.md").write_text(text)
    text = workflow if isinstance(workflow, str) else yaml.safe_dump({"name": name, **workflow})
    (folder / "workflows" / f"{name}.yaml").write_text(text)
    return tmp_path


def phase(name: str, front: str = "", body: str = "Do it.") -> str:
    return f"---\nname: {name}\n{front}\n---\n{body}\n"


def problems(root: Path, name: str = "mine") -> str:
    with pytest.raises(ConfigError) as error:
        load(name, root)
    return str(error.value)


LAST = phase("end", "signals: [continue, waiting, blocked, done]")


# --- the shipped ones -------------------------------------------------------------------------------------------------


def test_the_workflows_that_the_documents_promise_are_there() -> None:
    assert {"feature", "exec", "fix", "refactor", "research", "review", "audit", "test", "improve"} <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_workflow_is_sound_and_survives_the_journal(name: str) -> None:
    workflow = load(name, None)
    assert check(workflow) == []
    assert Workflow.from_json(json.loads(json.dumps(workflow.to_json()))) == workflow


def test_the_feature_workflow_is_the_one_of_the_contract() -> None:
    workflow = load("feature", None)
    assert " ".join(workflow.names) == ("init investigation requirements planning implementation testing quality done")
    assert workflow.edges == {"implementation": ("quality",), "testing": ("done",), "quality": ("testing",)}
    assert workflow.rounds == {"quality": 3}
    limits = {phase.name: phase.max_iterations for phase in workflow.phases if phase.child}
    assert limits == {
        "investigation": 20,
        "requirements": 10,
        "planning": 10,
        "implementation": 100,
        "testing": 20,
        "quality": 10,
        "done": 3,
    }
    gates = {phase.name: phase.gate for phase in workflow.phases if phase.gate}
    assert gates == {"requirements": GateKind.QA_ANSWERS, "planning": GateKind.PLAN_APPROVAL}
    assert not workflow.phase("init").child


def shown_signals(text: str) -> list[Signal]:
    """Every JSON line of a prompt, as the worker reads it."""
    found = []
    for line in text.splitlines():
        if line.startswith("{") and line.endswith("}"):
            signal = parse(line.encode())
            assert isinstance(signal, Signal), (line, signal)
            found.append(signal)
    return found


ALL = [(workflow, phase) for name in SHIPPED for workflow in [load(name, None)] for phase in workflow.phases]


@pytest.mark.parametrize("name", sorted({phase.name for _, phase in ALL if phase.child}))
def test_every_signal_that_a_prompt_shows_is_accepted_in_a_workflow_with_that_phase(name: str) -> None:
    homes = [(workflow, phase) for workflow, phase in ALL if phase.name == name]
    values = dict.fromkeys(workflow_files.PLACEHOLDERS, "x") | {"phase": name, "iteration": "1"}
    for text in (homes[0][0].protocol, homes[0][1].body):
        for signal in shown_signals(fill(text, values)):
            verdicts = [
                judge(workflow, State(phase=name, iteration=1, passed={phase.gate} if phase.gate else set()), signal)
                for workflow, phase in homes
            ]
            assert any(isinstance(verdict, Decision) for verdict in verdicts), verdicts


# --- a project's own --------------------------------------------------------------------------------------------------


def test_a_project_adds_a_workflow_of_its_own(tmp_path: Path) -> None:
    root = project(
        tmp_path,
        {
            "dig": phase("dig", "summary: Dig.\nmax_iterations: 7\niteration: 45m\nskills: [dive]\nleaves: dive"),
            "end": LAST,
        },
        {
            "summary": "Dig, then end.",
            "phases": ["init", "dig", "end"],
            "edges": {"end": ["dig"]},
            "rounds": {"end": 2},
            "overrides": {"dig": {"max_iterations": 9, "changes": "nothing"}},
        },
    )
    workflow = load("mine", root)
    assert workflow.names == ("init", "dig", "end")
    assert (workflow.summary, workflow.edges, workflow.rounds) == ("Dig, then end.", {"end": ("dig",)}, {"end": 2})
    dig = workflow.phase("dig")
    assert (dig.summary, dig.max_iterations, dig.iteration_seconds, dig.skills) == ("Dig.", 9, 2700, ("dive",))
    assert dig.signals == {Status.CONTINUE, Status.WAITING, Status.BLOCKED}
    assert dig.waits == {GateKind.HUMAN_ACTION, GateKind.FILE_UPDATE}
    assert dig.body == "Do it.\n"
    assert (dig.changes, dig.leaves) == (Changes.NOTHING, "dive")
    assert Workflow.from_json(workflow.to_json()) == workflow
    assert (workflow.phase("end").changes, workflow.phase("end").leaves) == (None, None)
    assert "mine" in names(root)
    assert "mine" not in names(None)


def test_a_project_shadows_a_phase_and_leaves_the_others(tmp_path: Path) -> None:
    own = phase("testing", "signals: [continue, blocked]\nmax_iterations: 2", "Our way.")
    root = project(tmp_path, {"testing": own}, {"phases": ["init", "testing"]})
    workflow = load("feature", root)
    assert (workflow.phase("testing").body, workflow.phase("testing").max_iterations) == ("Our way.\n", 2)
    assert workflow.phase("planning") == load("feature", None).phase("planning")


def test_a_project_shadows_a_workflow_and_the_protocol(tmp_path: Path) -> None:
    root = project(tmp_path, {"end": LAST, "protocol": "Be brief.\n"}, {"phases": ["init", "end"]}, name="feature")
    workflow = load("feature", root)
    assert workflow.names == ("init", "end")
    assert workflow.protocol == "Be brief.\n"


def test_a_skill_of_the_project_is_known(tmp_path: Path) -> None:
    root = project(tmp_path, {"end": phase("end", "signals: [done]\nskills: [ours]")}, {"phases": ["init", "end"]})
    assert "end names the skill 'ours', which does not exist" in problems(root)
    skill = tmp_path / ".samoloop" / "skills" / "ours" / "SKILL.md"
    skill.parent.mkdir(parents=True)
    skill.write_text("x")
    assert load("mine", root).phase("end").skills == ("ours",)


@pytest.mark.parametrize("name", ["nothing", "", "../feature", "Feature", "feature.yaml", "/etc/passwd", "a b"])
def test_an_unknown_workflow_is_named_with_those_there_are(name: str) -> None:
    with pytest.raises(ConfigError, match=r"there is no workflow '.*; there are: audit, breakdown, build, "):
        load(name, None)


def test_files_with_odd_names_are_no_workflows(tmp_path: Path) -> None:
    root = project(tmp_path, {}, {"phases": []}, name="Odd Name")
    assert names(root) == SHIPPED


@pytest.mark.parametrize("text", ["\ufeff" + LAST, LAST.replace("\n", "\r\n"), LAST.replace("---", "--- ")])
def test_editors_write_front_matter_in_many_ways(tmp_path: Path, text: str) -> None:
    root = project(tmp_path, {}, {"phases": ["init", "end"]})
    (tmp_path / ".samoloop" / "end.md").write_text(text, newline="")
    assert load("mine", root).phase("end").body == "Do it.\n"


def test_front_matter_is_split_from_the_body() -> None:
    assert split_front_matter("---\na: 1\n---\n\nBody\n---\nmore\n") == ("a: 1", "Body\n---\nmore\n")
    assert split_front_matter("---\na: 1\n---") == ("a: 1", "\n")
    assert split_front_matter("no front matter\n") == ("", "no front matter\n")


# --- what is wrong with the files -------------------------------------------------------------------------------------

WORKFLOW_FAULTS: list[tuple[str, str]] = [
    ("phases: [init, end]", "mine.yaml: it needs name: the file's"),
    ("name: other\nphases: [init, end]", "mine.yaml:1: name: it must be the file's, 'mine', got 'other'"),
    ("name: mine", "mine.yaml: it needs phases: [init, planning, ...]"),
    ("name: mine\nphases: []", "mine.yaml:2: phases: it must name some, got []"),
    ("name: mine\nphases: init", "phases: it must be a list, got 'init'"),
    ("name: mine\nphases: [init, no]", "phases: it must be text, got False"),
    (
        "name: mine\nphases: [init, end]\nphase: x",
        "mine.yaml:3: phase: unknown key (did you mean phases?); known: edges, name,",
    ),
    ("name: mine\nphases: [init, lost, end]", "phase 'lost' has no file lost.md in"),
    ("name: mine\nphases: [init, ../end]", "phase '../end' has no file"),
    ("name: mine\nphases: [init, end]\nedges: [end]", "edges: it must hold keys and values, got ['end']"),
    ("name: mine\nphases: [init, end]\nedges: {end: init}", "edges.end: it must be a list, got 'init'"),
    ("name: mine\nphases: [init, end]\nedges: {end: [moon]}", "edges name 'moon', which is not among the phases"),
    ("name: mine\nphases: [init, end]\nrounds: 3", "rounds: it must hold keys and values, got 3"),
    ("name: mine\nphases: [init, end]\nrounds: {end: 0}", "rounds.end: it must be a whole number from 1, got 0"),
    ("name: mine\nphases: [init, end]\nrounds: {end: yes}", "rounds.end: it must be a whole number from 1, got True"),
    ("name: mine\nphases: [init, end]\nrounds: {moon: 2}", "rounds name 'moon'"),
    ("name: mine\nphases: [init, end]\noverrides: [end]", "overrides: it must hold keys and values"),
    ("name: mine\nphases: [init, end]\noverrides: {moon: {}}", "overrides name 'moon'"),
    (
        "name: mine\nphases: [init, end]\noverrides: {end: {name: x}}",
        "mine.yaml:3: overrides.end.name: unknown key; known: backlog, changes,",
    ),
    ("name: mine\nphases: [init, end, end]", "phase end is named twice"),
    ("just words", "mine.yaml: it must hold keys and values, it holds str"),
    ("name: [mine", "mine.yaml: while parsing a flow sequence"),
    ("", "mine.yaml: it needs name: the file's"),
]


@pytest.mark.parametrize(("text", "message"), WORKFLOW_FAULTS)
def test_a_fault_in_a_workflow_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    assert message in problems(project(tmp_path, {"end": LAST}, text))


def test_a_key_without_a_value_is_as_good_as_left_out(tmp_path: Path) -> None:
    root = project(tmp_path, {"end": phase("end", "signals: [done]\ngate:\niteration: ~")}, {"phases": ["init", "end"]})
    assert load("mine", root).phase("end").gate is None


def test_a_follow_on_of_a_fault_is_not_told(tmp_path: Path) -> None:
    found = problems(project(tmp_path, {"end": phase("end", "signals: [finish]")}, {"phases": ["init", "end"]}))
    assert found.count("\n") == 1


PHASE_FAULTS: list[tuple[str, str]] = [
    ("no front matter", "end.md: it must start with front matter: keys and values between two lines of ---"),
    ("---\nname: end\nsignals: [done]\nDo it.", "end.md: it must start with front matter"),
    ("---\nname: [end\n---\nx", "end.md: while parsing"),
    ("---\nname: other\nsignals: [done]\n---\nx", "end.md:2: name: it must be the file's, 'end', got 'other'"),
    ("---\nsignals: [done]\n---\nx", "end.md: it needs name: the file's"),
    (phase("end", "signals: [done]\ncolour: red"), "end.md:4: colour: unknown key; known: backlog, changes,"),
    (phase("end", "signals: done"), "end.md:3: signals: it must be a list, got 'done'"),
    (
        phase("end", "signals: [finish]"),
        "end.md:3: signals: it must be one of continue, waiting, blocked, done, got 'finish'",
    ),
    (phase("end", "signals: [[done]]"), "end.md:3: signals: it must be text, got ['done']"),
    (phase("end", "gate: money"), "end.md:3: gate: it must be one of qa_answers,"),
    (phase("end", "gate: human_action"), "gate: human_action cannot be passed; a gate is qa_answers or plan_approval"),
    (phase("end", "gate: false"), "plan_approval, file_update, human_action, got False"),
    (phase("end", "waits: qa_answers"), "end.md:3: waits: it must be a list"),
    (phase("end", "waits: [tea]"), "end.md:3: waits: it must be one of qa_answers,"),
    (phase("end", "max_iterations: 0"), "end.md:3: max_iterations: it must be a whole number from 1, got 0"),
    (phase("end", "max_iterations: many"), "got 'many'"),
    (phase("end", "max_iterations: true"), "got True"),
    (phase("end", "changes: all"), "end.md:3: changes: it must be one of nothing, tests, code, got 'all'"),
    (phase("end", "leaves: My Notes"), "leaves: it must be a word of small letters, as in the names of documents"),
    (phase("end", "iteration: soon"), "end.md:3: iteration: a duration is 30m, 90s, 2h or whole seconds, got 'soon'"),
    (phase("end", "iteration: 0"), "end.md:3: iteration: it must be longer than 0 seconds"),
    (phase("end", "child: maybe"), "end.md:3: child: it must be true or false, got 'maybe'"),
    (phase("end", "skills: dive"), "end.md:3: skills: it must be a list, got 'dive'"),
    (phase("end", "signals: [done]\nskills: [nothing]"), "end names the skill 'nothing', which does not exist"),
    (phase("end", "signals: [done]", ""), "end has no instructions"),
    (phase("end", "signals: [done]", "{{nonsense}} and {{ more }}"), "end.md: unknown placeholder {{more}}"),
]


@pytest.mark.parametrize(("text", "message"), PHASE_FAULTS)
def test_a_fault_in_a_phase_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    assert message in problems(project(tmp_path, {"end": text}, {"phases": ["init", "end"]}))


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    root = project(tmp_path, {"end": phase("end", "colour: red\ngate: money")}, {"phases": ["init", "lost", "end"]})
    found = problems(root)
    assert all(word in found for word in ("colour: unknown key", "'money'", "'lost'"))


@pytest.mark.parametrize("name", ["end.md", "workflows/mine.yaml", "protocol.md"])
def test_a_file_that_is_no_text_is_named(tmp_path: Path, name: str) -> None:
    root = project(tmp_path, {"end": LAST}, {"phases": ["init", "end"]})
    (tmp_path / ".samoloop" / name).write_bytes(b"\xff\xfe\x00")
    assert f"{Path(name).name} cannot be read" in problems(root)


# --- what is wrong with the graph -------------------------------------------------------------------------------------

DONE = Phase("end", signals=frozenset(Status), body="x")
START = Phase("init", child=False)


def step(name: str, **more: Any) -> Phase:
    return Phase(name, signals=frozenset({Status.CONTINUE, Status.WAITING, Status.BLOCKED}), body="x", **more)


def gated(name: str) -> Phase:
    return step(name, gate=GateKind.QA_ANSWERS, waits=frozenset({GateKind.QA_ANSWERS}))


def graph(*phases: Phase, **more: Any) -> list[str]:
    return check(Workflow("mine", phases, **more), skills=set())


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (graph(), "there are no phases"),
        (graph(START), "no phase has a child"),
        (graph(START, step("a")), "a is the last phase: its signals must allow done"),
        (graph(START, replace(DONE, name="a"), DONE), "a is not the last phase: its signals must not allow done"),
        (
            graph(START, replace(step("a"), signals=frozenset({Status.BLOCKED})), DONE),
            "a is a dead end: its signals do not allow continue",
        ),
        (graph(START, gated("a"), DONE, edges={"init": ("end",)}), "the gate of a can be walked around"),
        (
            graph(START, step("a"), gated("b"), step("c"), DONE, edges={"a": ("c",)}),
            "the gate of b can be walked around",
        ),
        (
            graph(START, step("a"), step("b"), DONE, edges={"b": ("a",)}),
            "the edge b → a goes back without a limit: add rounds: {b: 3}",
        ),
        (graph(START, step("a"), DONE, edges={"a": ("a",)}), "the edge a → a is superfluous"),
        (graph(START, step("a"), DONE, edges={"a": ("init",)}, rounds={"a": 1}), "leads to a phase without a child"),
        (graph(START, step("a"), replace(START, name="b"), DONE), "b has no child, but only the first phase can be"),
        (
            graph(replace(START, gate=GateKind.QA_ANSWERS), DONE),
            "init has the gate qa_answers, but no child that could ask for it",
        ),
        (
            graph(START, replace(gated("a"), waits=frozenset()), DONE),
            "a has the gate qa_answers, but may not signal waiting for it",
        ),
        (
            graph(START, replace(gated("a"), signals=frozenset({Status.CONTINUE})), DONE),
            "a has the gate qa_answers, but may not signal waiting for it",
        ),
        (graph(START, DONE, protocol="{{phase}} {{moon}}"), "protocol.md: unknown placeholder {{moon}}"),
    ],
)
def test_a_workflow_that_cannot_work_is_refused(found: list[str], problem: str) -> None:
    assert [line for line in found if problem in line]


class Odd(Workflow):
    """Its phases follow each other in a way that the main order alone makes impossible."""

    def next_phases(self, name: str) -> tuple[str, ...]:
        return {"init": ("a", "c"), "a": ("end",), "b": ("end",)}.get(name, ())


def test_an_unreachable_phase_and_a_dead_end_are_found() -> None:
    found = check(Odd("odd", (START, step("a"), step("b"), step("c"), DONE)))
    assert "phase b cannot be reached from init" in found
    assert "phase c is a dead end: end cannot be reached from it" in found


@pytest.mark.parametrize(
    "found",
    [
        graph(START, DONE),
        graph(step("a"), DONE),
        graph(START, gated("a"), DONE),
        graph(START, step("a"), gated("b"), DONE, edges={"b": ("a",)}, rounds={"b": 2}),
        graph(START, step("a"), step("b"), DONE, edges={"a": ("end",)}),
        graph(START, replace(gated("end"), signals=frozenset(Status))),
        check(replace(SMALL, phases=tuple(replace(phase, body="x") for phase in SMALL.phases))),
    ],
)
def test_a_sound_workflow_has_no_problems(found: list[str]) -> None:
    assert found == []


def test_placeholders_are_filled_once_and_all() -> None:
    assert fill("{{a}} {{ b }} {c}", {"a": "{{b}}", "b": "2"}) == "{{b}} 2 {c}"
    with pytest.raises(KeyError):
        fill("{{c}}", {})
