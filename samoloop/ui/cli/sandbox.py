"""`sandbox`: a command where a child would work, with what a child has of the machine."""

import os
from pathlib import Path

import click

from samoloop.ui.cli import complete
from samoloop.ui.cli.common import find_session, load_config, project_root


@click.command("sandbox", context_settings={"ignore_unknown_options": True})
@click.option("--session", "session_name", shell_complete=complete.sessions, help="In the sandbox of this session.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def sandbox(session_name: str | None, command: tuple[str, ...]) -> int:
    """Run a command in the sandbox of a session or of the project, a shell where none is named. Ends as it ends.

    \b
    samoloop sandbox
    samoloop sandbox -- ls -la ~
    samoloop sandbox --session auth -- npm test
    """
    from samoloop.api.look_inside import in_project, in_session

    words = command or (os.environ.get("SHELL") or "/bin/sh",)
    if session_name:
        return in_session(find_session(session_name), words, os.environ)
    root = project_root()
    return in_project(load_config(root), Path.cwd(), words, os.environ)
