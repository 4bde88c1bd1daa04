"""A workflow as a picture: for a terminal, or for a Markdown page."""

from samoloop.base.durations import format_seconds
from samoloop.core.workflow import Phase, Workflow


def text(workflow: Workflow) -> str:
    """The phases in their main order, with gates, limits and extra edges."""
    lines = [f"{workflow.name}: {workflow.summary}", ""]
    width = max(len(name) for name in workflow.names)
    for number, phase in enumerate(workflow.phases):
        lead = "   " if number == 0 else " ↓ "
        lines.append(f"{lead}{phase.name:<{width}}  {_rules(phase)}".rstrip())
        extra = [target for target in workflow.edges.get(phase.name, ())]
        for target in extra:
            back = workflow.is_backward(phase.name, target)
            limit = f", at most {workflow.rounds.get(phase.name, 0)} times" if back else ""
            lines.append(f"     {'':<{width}}  {'↑ back' if back else '↓ straight'} to {target}{limit}")
    return "\n".join(lines)


def _rules(phase: Phase) -> str:
    if not phase.child:
        return "done by the worker, no child"
    parts = [f"at most {phase.max_iterations} iterations"]
    if phase.iteration_seconds:
        parts.append(f"{format_seconds(phase.iteration_seconds)} each")
    if phase.gate:
        parts.append(f"GATE: {phase.gate} by a human")
    return ", ".join(parts)


def mermaid(workflow: Workflow) -> str:
    """A flowchart; phases with a gate are hexagons."""
    lines = ["flowchart LR"]
    for phase in workflow.phases:
        shape = f'{phase.name}{{{{"{phase.name}<br/>{phase.gate}"}}}}' if phase.gate else f"{phase.name}[{phase.name}]"
        lines.append(f"    {shape}")
    for before, after in zip(workflow.names, workflow.names[1:], strict=False):
        lines.append(f"    {before} --> {after}")
    for source, targets in workflow.edges.items():
        lines += [f"    {source} -.-> {target}" for target in targets]
    return "\n".join(lines)
