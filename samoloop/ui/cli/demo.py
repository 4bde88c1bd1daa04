"""`demo`: a whole session, with no model and no network."""

from pathlib import Path

import click

from samoloop.ui.cli.common import is_terminal


@click.command("demo")
@click.option("--yes", is_flag=True, help="Ask nobody: take the suggestions, approve the plan.")
@click.option("--keep", "folder", type=click.Path(path_type=Path), metavar="DIR", help="Make the project here (new).")
def demo(yes: bool, folder: Path | None) -> int:
    """Watch a whole session on a small Python project, played by a scripted child.

    \b
    samoloop demo
    samoloop demo --yes --keep ~/till
    """
    from samoloop.ui.terminal.walkthrough import run

    return run(yes or not is_terminal(), folder)
