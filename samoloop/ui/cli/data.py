"""Commands about formats: `signal` and `workflows`."""

from pathlib import Path

import click

from samoloop.base.errors import ConfigError
from samoloop.ui.cli import complete
from samoloop.ui.cli.common import json_option
from samoloop.ui.terminal.output import say, say_json


@click.group("signal")
def signal() -> None:
    """The signal: the only way a child speaks to the worker."""


@signal.command("schema")
def schema() -> None:
    """Print the JSON Schema of `_signal.json`."""
    from samoloop.core import signals

    say_json(signals.schema())


@signal.command("check")
@click.argument("file", type=click.Path(path_type=Path))
def check_signal(file: Path) -> int:
    """Check a signal file; exit code 2 where it cannot be used."""
    from samoloop.core.signals import BadSignal, read

    found = read(file)
    if isinstance(found, BadSignal):
        say(f"{file}: {found.reason}", err=True)
        return 2
    say(f"{file}: {found.status}" + (f", phase {found.phase}" if found.phase else ""))
    return 0


@click.group("workflows")
def workflows() -> None:
    """The shapes of work: phases, gates and limits."""


def _project() -> Path | None:
    from samoloop.config.project import find_root

    return find_root(Path.cwd())


@workflows.command("list")
@json_option
def list_workflows(as_json: bool) -> None:
    """List the workflows that can be named."""
    from samoloop.config import workflow_files

    found = [workflow_files.load(name, _project()) for name in workflow_files.names(_project())]
    if as_json:
        say_json([{"name": w.name, "summary": w.summary, "phases": w.names} for w in found])
        return
    width = max(len(workflow.name) for workflow in found)
    for workflow in found:
        say(f"{workflow.name:<{width}}  {workflow.summary}")


@workflows.command("show")
@click.argument("name", shell_complete=complete.workflows)
@click.option("--mermaid", is_flag=True, help="Draw it for a Markdown page.")
@json_option
def show(name: str, mermaid: bool, as_json: bool) -> None:
    """Draw a workflow: its phases, gates, limits and extra edges."""
    from samoloop.config import workflow_files
    from samoloop.ui.terminal import drawing

    workflow = workflow_files.load(name, _project())
    if as_json:
        say_json(workflow.to_json())
    else:
        say(drawing.mermaid(workflow) if mermaid else drawing.text(workflow))


@workflows.command("check")
@click.argument("names", nargs=-1, shell_complete=complete.workflows)
def check(names: tuple[str, ...]) -> int:
    """Check workflows, phases and skills, the project's own too; exit code 2 where something is wrong."""
    from samoloop.config import workflow_files

    project = _project()
    problems = 0
    for name in names or workflow_files.names(project):
        try:
            workflow = workflow_files.load(name, project)
            say(f"{name}: {len(workflow.phases)} phases, sound")
        except ConfigError as error:
            problems += 1
            say(str(error), err=True)
    if not names:
        problems += _check_skills(project)
        for own in workflow_files.shadowing(project):
            say(f"{own} is used instead of the shipped one of that name")
    return 2 if problems else 0


def _check_skills(project: Path | None) -> int:
    """Say which skills cannot be used; returns how many."""
    from samoloop.config import skills

    found, problems = skills.look(project)
    for problem in problems:
        say(problem, err=True)
    say(f"skills: {len(found)} usable")
    return len(problems)
