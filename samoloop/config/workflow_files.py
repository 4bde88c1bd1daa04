"""Reads phases and workflows from their files, and finds what is wrong with them.

A project's own `.samoloop/` folder comes before the shipped one, file by file, so it can shadow a phase or add a
workflow. Both are read from the main checkout, never from a worktree that a child can write to.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from samoloop.base.errors import ConfigError, listed, shown
from samoloop.base.nearest import named
from samoloop.config import yaml_text
from samoloop.config.resources import folder
from samoloop.config.schema import (
    Fault,
    Key,
    Named,
    Table,
    count,
    flag,
    one_of,
    positive_seconds,
    read_keys,
    some_of,
    text,
    texts,
)
from samoloop.core.signals import ALWAYS, PASSING, GateKind, Status
from samoloop.core.workflow import INTEGRATION, SECOND_LOOK, Changes, Phase, Workflow

PLACEHOLDERS = frozenset(
    {
        "session_dir",
        "worktree",
        "overview",
        "signal",
        "phase",
        "iteration",
        "task_file",
        "branch",
        "next_phases",
        "next",
        "leave",
        "example",
        "code",
        "change",
        "lately",
        "today",
        "skills_dir",
    }
)
_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,40}")


def _gate(value: object) -> GateKind:
    kind: GateKind = one_of(GateKind)(value)
    if kind not in PASSING:
        raise ValueError(f"{kind} cannot be passed; a gate is {' or '.join(PASSING)}")
    return kind


def _kind(value: object) -> str:
    """A kind of document, as it stands in file names."""
    if not _NAME.fullmatch(text(value)):
        raise ValueError(f"it must be a word of small letters, as in the names of documents, got {shown(value)}")
    return text(value)


def _some(value: object) -> tuple[str, ...]:
    if not texts(value):
        raise ValueError("it must name some, got []")
    return texts(value)


_OVERRIDES = Table(
    (
        Key("summary", text),
        Key("signals", some_of(Status)),
        Key("gate", _gate),
        Key("waits", some_of(GateKind)),
        Key("max_iterations", count),
        Key("iteration", positive_seconds),
        Key("skills", texts),
        Key("changes", one_of(Changes)),
        Key("checks", flag),
        Key("leaves", _kind),
        Key("backlog", flag),
    )
)
_PHASE = Table((Key("name", text, "the file's", needed=True), Key("child", flag), *_OVERRIDES.keys))
_WORKFLOW = Table(
    (
        Key("name", text, "the file's", needed=True),
        Key("summary", text),
        Key("phases", _some, example="[init, planning, ...]", needed=True),
        Key("edges", Named(lambda name: texts)),
        Key("rounds", Named(lambda name: count)),
        Key("overrides", Named(lambda name: _OVERRIDES)),
    )
)


def search_path(project: Path | None) -> list[Path]:
    """Folders that hold phases and `workflows/`, the project's own first."""
    own = [project / ".samoloop"] if project and (project / ".samoloop").is_dir() else []
    return [*own, folder("phase_prompts")]


def names(project: Path | None) -> list[str]:
    """The workflows that can be named, sorted."""
    found = {path.stem for place in search_path(project) for path in (place / "workflows").glob("*.yaml")}
    return sorted(name for name in found if _NAME.fullmatch(name))


def shadowing(project: Path | None) -> list[Path]:
    """The project's own files that stand in for a shipped one of the same name, by purpose or by accident."""
    *own, shipped = search_path(project)
    patterns = ("*.md", "workflows/*.yaml", "profiles/*.md")
    found = (path for place in own for pattern in patterns for path in sorted(place.glob(pattern)))
    return [path for path in found if (shipped / path.relative_to(own[0])).is_file()]


def phase_names(project: Path | None) -> list[str]:
    """The phases that a workflow can name, sorted."""
    found = {path.stem for place in search_path(project) for path in place.glob("*.md")} - {"protocol"}
    return sorted(name for name in found if _NAME.fullmatch(name))


def load(name: str, project: Path | None) -> Workflow:
    """The workflow of that name. Raises ConfigError with every problem found in its files."""
    places = search_path(project)
    path = _find(places, f"workflows/{name}.yaml") if _NAME.fullmatch(name) else None
    if path is None:
        there = names(project)
        raise ConfigError(f"there is no workflow {named(name, there)}; there are: {', '.join(there)}")
    problems: list[str] = []
    workflow = _read_workflow(path, places, problems)
    if workflow is not None and not problems:  # else what is missing would be a fault of the graph too
        problems = check(workflow, skills=_skill_names(project))
    if problems or workflow is None:
        raise ConfigError(listed(f"workflow {name} cannot be used:", problems))
    return workflow


def reviewed(workflow: Workflow, reviewers: Sequence[str], project: Path | None) -> Workflow:
    """The workflow with a look of each reviewer that a person asked for. Raises ConfigError."""
    if not reviewers:
        return workflow
    problems: list[str] = []
    look = _read_phase(SECOND_LOOK, search_path(project), {}, problems)
    if look is None or problems:
        raise ConfigError(listed(f"phase {SECOND_LOOK} cannot be used:", problems))
    return workflow.reviewed_by(reviewers, look)


def integrated(workflow: Workflow, project: Path | None) -> Workflow:
    """The workflow with a phase before all others that merges what other sessions did. Raises ConfigError."""
    problems: list[str] = []
    phase = _read_phase(INTEGRATION, search_path(project), {}, problems)
    if phase is None or problems:
        raise ConfigError(listed(f"phase {INTEGRATION} cannot be used:", problems))
    return workflow.integrating(phase)


def _find(places: Sequence[Path], relative: str) -> Path | None:
    return next((place / relative for place in places if (place / relative).is_file()), None)


def _skill_names(project: Path | None) -> set[str]:
    places = [folder("skills")] + ([project / ".samoloop" / "skills"] if project else [])
    return {path.parent.name for place in places for path in place.glob("*/SKILL.md")}


def _read_workflow(path: Path, places: Sequence[Path], problems: list[str]) -> Workflow | None:
    found = _read(path, _WORKFLOW, problems)
    if found is None or "phases" not in found[0]:
        return None
    values, _ = found
    overrides = values.get("overrides", {})
    for name in overrides:
        if name not in values["phases"]:
            problems.append(f"{path.name}: overrides name {shown(name)}, which is not among its phases")
    phases = [_read_phase(name, places, overrides.get(name, {}), problems) for name in values["phases"]]
    protocol = _find(places, "protocol.md")
    if protocol is None:
        problems.append("protocol.md is missing")
    return Workflow(
        name=path.stem,
        summary=values.get("summary", ""),
        phases=tuple(phase for phase in phases if phase is not None),
        edges=values.get("edges", {}),
        rounds=values.get("rounds", {}),
        protocol=_text(protocol, problems) or "" if protocol else "",
    )


def _read_phase(name: str, places: Sequence[Path], overrides: Mapping[str, Any], problems: list[str]) -> Phase | None:
    path = _find(places, f"{name}.md") if _NAME.fullmatch(name) else None
    if path is None:
        problems.append(f"phase {shown(name)} has no file {name[:80]}.md in {' or '.join(map(str, places))}")
        return None
    found = _read(path, _PHASE, problems)
    if found is None:
        return None
    values, body = {**found[0], **overrides}, found[1]
    gate = values.get("gate")
    return Phase(
        name=name,
        summary=values.get("summary", ""),
        child=values.get("child", True),
        signals=values.get("signals", frozenset({Status.CONTINUE, Status.WAITING, Status.BLOCKED})),
        gate=gate,
        waits=values.get("waits", ALWAYS | ({gate} if gate else set())),
        max_iterations=values.get("max_iterations", Phase.max_iterations),
        iteration_seconds=values.get("iteration"),
        skills=values.get("skills", ()),
        changes=values.get("changes"),
        checks=values.get("checks", False),
        backlog=values.get("backlog", False),
        leaves=values.get("leaves"),
        body=body,
    )


def _read(path: Path, table: Table, problems: list[str]) -> tuple[dict[str, Any], str] | None:
    """The keys of a file, or of its front matter, and what is below that; None where they cannot be told."""
    content = _text(path, problems)
    if content is None:
        return None
    front, body = split_front_matter(content) if path.suffix == ".md" else (content, "")
    if path.suffix == ".md" and not front:
        problems.append(f"{path.name}: it must start with front matter: keys and values between two lines of ---")
        return None
    try:
        value = yaml_text.read_mapping(front)
    except ValueError as error:
        problems.append(f"{path.name}: {error}")
        return None
    faults: list[Fault] = []
    found = read_keys(table, value, faults)
    if found.get("name", path.stem) != path.stem:
        faults.append(Fault(("name",), f"it must be the file's, {path.stem!r}, got {shown(found['name'])}"))
    above = 1 if path.suffix == ".md" else 0  # lines above the YAML
    problems += [f"{yaml_text.place(path.name, front, fault.at, above)}: {fault}" for fault in faults]
    return found, body


def split_front_matter(text: str) -> tuple[str, str]:
    """The YAML between the `---` lines at the start (empty where there is none), and the rest."""
    match = re.match(r"---[ \t]*\n(.*?)\n---[ \t]*(?:\n(.*))?\Z", text.replace("\r\n", "\n"), re.DOTALL)
    return (match[1], (match[2] or "").strip() + "\n") if match else ("", text)


def _text(path: Path, problems: list[str]) -> str | None:
    try:
        return yaml_text.read_file(path)
    except (OSError, ValueError) as error:
        problems.append(f"{path.name} cannot be read: {error}")
        return None


def check(workflow: Workflow, skills: set[str] | None = None) -> list[str]:
    """What is wrong with a workflow as a graph, one sentence each; empty when it is sound.

    `skills` are the known ones; None leaves them unchecked.
    """
    names = workflow.names
    problems = [f"phase {name} is named twice" for name in sorted({n for n in names if names.count(n) > 1})]
    for source, targets in workflow.edges.items():
        for name in (source, *targets):
            if name not in names:
                problems.append(f"edges name {name!r}, which is not among the phases")
    problems += [
        f"rounds name {name!r}, which is not among the phases" for name in workflow.rounds if name not in names
    ]
    if problems or not names:
        return problems or ["there are no phases"]
    problems += _check_children(workflow)
    problems += _check_graph(workflow)
    for phase in workflow.phases:
        problems += _check_phase(workflow, phase, skills)
    return problems + _check_placeholders("protocol.md", workflow.protocol)


def _check_children(workflow: Workflow) -> list[str]:
    """The worker itself does the first phase, where that is without a child, and no other."""
    problems = []
    for phase in workflow.phases:
        if phase.child:
            continue
        if phase.name != workflow.names[0]:
            problems.append(f"{phase.name} has no child, but only the first phase can be without one")
        if phase.gate:
            problems.append(f"{phase.name} has the gate {phase.gate}, but no child that could ask for it")
        for source, targets in workflow.edges.items():
            if phase.name in targets:
                problems.append(f"the edge {source} → {phase.name} leads to a phase without a child")
    if not any(phase.child for phase in workflow.phases):
        problems.append("no phase has a child")
    return problems


def _check_graph(workflow: Workflow) -> list[str]:
    problems = []
    first, last = workflow.names[0], workflow.last
    reachable = _reach(workflow, first)
    for name in workflow.names:
        if name not in reachable:
            problems.append(f"phase {name} cannot be reached from {first}")
        elif last not in _reach(workflow, name):
            problems.append(f"phase {name} is a dead end: {last} cannot be reached from it")
    for phase in workflow.phases:
        if phase.gate and phase.name != first and last in _reach(workflow, first, without=phase.name):
            problems.append(f"the gate of {phase.name} can be walked around")
    for source, targets in workflow.edges.items():
        for target in targets:
            if target == source:
                problems.append(f"the edge {source} → {target} is superfluous: a phase may always follow itself")
            if workflow.is_backward(source, target) and source not in workflow.rounds:
                problems.append(f"the edge {source} → {target} goes back without a limit: add rounds: {{{source}: 3}}")
    return problems


def _reach(workflow: Workflow, start: str, without: str | None = None) -> set[str]:
    """The phases that can be come to from `start`, itself among them."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in seen or name == without:
            continue
        seen.add(name)
        waiting.extend(workflow.next_phases(name))
    return seen


def _check_phase(workflow: Workflow, phase: Phase, skills: set[str] | None) -> list[str]:
    problems = []
    if phase.name == workflow.last:
        if Status.DONE not in phase.signals:
            problems.append(f"{phase.name} is the last phase: its signals must allow done")
    elif Status.DONE in phase.signals:
        problems.append(f"{phase.name} is not the last phase: its signals must not allow done")
    elif phase.child and Status.CONTINUE not in phase.signals:
        problems.append(f"{phase.name} is a dead end: its signals do not allow continue")
    if phase.gate and (phase.gate not in phase.waits or Status.WAITING not in phase.signals):
        problems.append(f"{phase.name} has the gate {phase.gate}, but may not signal waiting for it")
    if phase.backlog and phase.gate is not GateKind.PLAN_APPROVAL:
        problems.append(f"{phase.name} makes a backlog, so it needs the gate {GateKind.PLAN_APPROVAL}")
    if phase.child and not phase.body.strip():
        problems.append(f"{phase.name} has no instructions")
    if skills is not None:
        problems += [
            f"{phase.name} names the skill {name!r}, which does not exist"
            for name in phase.skills
            if name not in skills
        ]
    return problems + _check_placeholders(f"{phase.name}.md", phase.body)


def _check_placeholders(where: str, text: str) -> list[str]:
    unknown = sorted(set(_PLACEHOLDER.findall(text)) - PLACEHOLDERS)
    return [f"{where}: unknown placeholder {{{{{name}}}}}" for name in unknown]


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with its placeholders replaced. Raises KeyError for one without a value."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text)
