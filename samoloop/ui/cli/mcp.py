"""`mcp`: the server that a program starts to hand off and to look."""

import importlib.util
import os
import sys
from pathlib import Path

import click

from samoloop.base.errors import UsageError
from samoloop.ui.cli.common import for_people_only, speaker


@click.command("mcp")
@click.option("--repo", type=click.Path(path_type=Path), help="The repository, if not this one.")
def mcp(repo: Path | None) -> None:
    """Serve other programs (MCP, over standard input): they hand off, look, read, wait and tell. No tool decides.

    \b
    claude mcp add samoloop -- samoloop mcp
    """
    for_people_only()
    start = (repo or Path.cwd()).resolve()
    if not start.is_dir():
        raise UsageError(f"there is no folder {start}")
    if importlib.util.find_spec("mcp") is None:
        raise UsageError("the package `mcp` is not installed: pipx inject samoloop mcp, or pip install 'samoloop[mcp]'")
    if sys.stdin.isatty():
        raise UsageError(
            "this speaks to a program, which starts it by itself: name it there, such as by "
            "`claude mcp add samoloop -- samoloop mcp`"
        )
    from samoloop.children.processes import hide_environment
    from samoloop.config.keys import SECRETS
    from samoloop.ui.mcp.server import serve
    from samoloop.ui.mcp.tools import Desk

    hide_environment(SECRETS)
    serve(Desk(start, dict(os.environ), speaker("mcp")))
