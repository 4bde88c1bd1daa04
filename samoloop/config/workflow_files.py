"""Reads phases and workflows from their files, and finds what is wrong with them.

A project's own `.samoloop/` folder comes before the shipped one, file by file, so it can shadow a phase or add a
workflow. Both are read from the main checkout, never from a worktree that a child can write to.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from samoloop.base.durations import parse_seconds
from samoloop.base.errors import ConfigError
from samoloop.config.resources import folder
from samoloop.core.signals import ALWAYS, PASSING, GateKind, Status
from samoloop.core.workflow import Phase, Workflow

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
        "today",
        "skills_dir",
    }
)
_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,40}")
_PHASE_KEYS = {"name", "summary", "child", "signals", "gate", "waits", "max_iterations", "iteration", "skills"}
_WORKFLOW_KEYS = {"name", "summary", "phases", "edges", "rounds", "overrides"}
_OVERRIDES = _PHASE_KEYS - {"name", "child"}


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
        raise ConfigError(f"there is no workflow {name!r}; there are: {', '.join(names(project))}")
    problems: list[str] = []
    workflow = _read_workflow(path, places, problems)
    if workflow is not None:
        problems += check(workflow, skills=_skill_names(project))
    if problems or workflow is None:
        raise ConfigError(f"workflow {name} cannot be used:\n" + "\n".join(f"  - {problem}" for problem in problems))
    return workflow


def _find(places: Sequence[Path], relative: str) -> Path | None:
    return next((place / relative for place in places if (place / relative).is_file()), None)


def _skill_names(project: Path | None) -> set[str]:
    places = [folder("skills")] + ([project / ".samoloop" / "skills"] if project else [])
    return {path.parent.name for place in places for path in place.glob("*/SKILL.md")}


def _read_workflow(path: Path, places: Sequence[Path], problems: list[str]) -> Workflow | None:
    value = _mapping(path, _text(path, problems), problems)
    if value is None:
        return None
    problems += _unknown(path.name, value, _WORKFLOW_KEYS)
    if value.get("name") != path.stem:
        problems.append(f"{path.name}: its name is {value.get('name')!r}, it must be the file's, {path.stem!r}")
    order = value.get("phases")
    if not isinstance(order, list) or not order or not all(isinstance(item, str) for item in order):
        problems.append(f"{path.name}: phases must be a list of names")
        return None
    overrides = value.get("overrides") or {}
    if not isinstance(overrides, dict) or not all(isinstance(item, dict) for item in overrides.values()):
        problems.append(f"{path.name}: overrides must map phases to front matter keys")
        overrides = {}
    for name in overrides:
        if name not in order:
            problems.append(f"{path.name}: overrides name {name!r}, which is not among its phases")
    phases = [_read_phase(name, places, overrides.get(name) or {}, problems) for name in order]
    protocol = _find(places, "protocol.md")
    if protocol is None:
        problems.append("protocol.md is missing")
    return Workflow(
        name=path.stem,
        summary=str(value.get("summary") or "").strip(),
        phases=tuple(phase for phase in phases if phase is not None),
        edges=_edges(path, value.get("edges"), problems),
        rounds=_rounds(path, value.get("rounds"), problems),
        protocol=_text(protocol, problems) or "" if protocol else "",
    )


def _read_phase(name: str, places: Sequence[Path], overrides: Mapping[str, Any], problems: list[str]) -> Phase | None:
    path = _find(places, f"{name}.md") if _NAME.fullmatch(name) else None
    if path is None:
        problems.append(f"phase {name!r} has no file {name}.md in {' or '.join(map(str, places))}")
        return None
    text = _text(path, problems)
    front, body = split_front_matter(text or "")
    value = _mapping(path, None if text is None else front, problems)
    if value is None:
        return None
    problems += _unknown(path.name, value, _PHASE_KEYS)
    problems += _unknown(f"overrides of {name}", overrides, _OVERRIDES)
    try:
        phase = _phase_from({**value, **overrides}, body)
    except ValueError as error:
        problems.append(f"{path.name}: {error}")
        return None
    if phase.name != name:
        problems.append(f"{path.name}: its name is {phase.name!r}, it must be the file's, {name!r}")
        phase = replace(phase, name=name)
    return phase


def split_front_matter(text: str) -> tuple[str, str]:
    """The YAML between the `---` lines at the start (empty where there is none), and the rest."""
    match = re.match(r"---[ \t]*\n(.*?)\n---[ \t]*(?:\n(.*))?\Z", text.replace("\r\n", "\n"), re.DOTALL)
    return (match[1], (match[2] or "").strip() + "\n") if match else ("", text)


def _phase_from(value: Mapping[str, Any], body: str) -> Phase:
    gate = _choice(value["gate"], GateKind, "gate") if value.get("gate") is not None else None
    if gate not in (None, *PASSING):
        raise ValueError(f"gate: {gate} cannot be passed; a gate is {' or '.join(PASSING)}")
    waits = ALWAYS | ({gate} if gate else set())
    if value.get("waits") is not None:
        waits = frozenset(_choice(item, GateKind, "waits") for item in _list(value["waits"], "waits"))
    signals = value.get("signals", ["continue", "waiting", "blocked"])
    limit = value.get("max_iterations", 20)
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise ValueError(f"max_iterations must be a whole number from 1, got {limit!r}")
    child = value.get("child", True)
    if not isinstance(child, bool):
        raise ValueError(f"child must be true or false, got {child!r}")
    seconds = parse_seconds(value["iteration"]) if "iteration" in value else None
    if seconds == 0:
        raise ValueError("iteration must be longer than 0 seconds")
    return Phase(
        name=str(value.get("name") or ""),
        summary=str(value.get("summary") or "").strip(),
        child=child,
        signals=frozenset(_choice(item, Status, "signals") for item in _list(signals, "signals")),
        gate=gate,
        waits=waits,
        max_iterations=limit,
        iteration_seconds=seconds,
        skills=tuple(str(item) for item in _list(value.get("skills") or [], "skills")),
        body=body,
    )


def _choice(value: object, kind: Any, key: str) -> Any:
    try:
        return kind(value)
    except ValueError:
        raise ValueError(f"{key}: {value!r} is not one of {', '.join(kind)}") from None


def _list(value: object, key: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{key} must be a list, got {value!r}")
    return value


def _text(path: Path, problems: list[str]) -> str | None:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{path.name} cannot be read: {error}")
        return None


def _mapping(path: Path, text: str | None, problems: list[str]) -> dict[str, Any] | None:
    """The keys and values; `text` None was reported already."""
    import yaml

    if text is None:
        return None
    try:
        value = yaml.safe_load(text) if text else None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: 2026-99-99 is no date
        problems.append(f"{path.name}: {' '.join(str(error).split())}")
        return None
    if not isinstance(value, dict):
        problems.append(f"{path.name}: its front matter or content must be keys and values")
        return None
    return {str(key): item for key, item in value.items()}


def _unknown(where: str, value: Iterable[str], allowed: set[str]) -> list[str]:
    return [f"{where}: unknown key {key!r}; known: {', '.join(sorted(allowed))}" for key in value if key not in allowed]


def _edges(path: Path, value: object, problems: list[str]) -> dict[str, tuple[str, ...]]:
    edges: dict[str, tuple[str, ...]] = {}
    if value is not None and not isinstance(value, dict):
        problems.append(f"{path.name}: edges must map a phase to a list of phases")
        return edges
    for source, targets in (value or {}).items():
        if not isinstance(targets, list) or not all(isinstance(target, str) for target in targets):
            problems.append(f"{path.name}: edges of {source} must be a list of phases, got {targets!r}")
        else:
            edges[str(source)] = tuple(targets)
    return edges


def _rounds(path: Path, value: object, problems: list[str]) -> dict[str, int]:
    rounds = value if isinstance(value, dict) else {}
    good = {str(k): v for k, v in rounds.items() if isinstance(v, int) and not isinstance(v, bool) and v > 0}
    if value is not None and (rounds is not value or len(good) != len(rounds)):
        problems.append(f"{path.name}: rounds must map a phase to a whole number from 1, got {value!r}")
    return good


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
