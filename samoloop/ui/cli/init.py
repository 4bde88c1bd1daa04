"""`init`: the settings file to start from."""

import os
from pathlib import Path

import click

from samoloop.config import samocode, starter
from samoloop.config.loading import BUILT_IN
from samoloop.config.project import find_root
from samoloop.providers import installed
from samoloop.ui.terminal.output import say


@click.command("init")
@click.option(
    "--provider", type=click.Choice(BUILT_IN), help="The CLI to use; the first that is installed, if not given."
)
def init(provider: str | None) -> None:
    """Write a .samoloop.yaml that shows every setting with its default; nothing needs to be set.

    \b
    samoloop init
    samoloop init --provider codex
    """
    here = Path.cwd()
    chosen = provider or next(iter(installed(os.environ)), "claude")
    root = find_root(here) or here
    path, old, kept = starter.write(root, chosen), samocode.find(root), samocode.as_settings(root)
    say(f"Wrote {path}: provider {chosen}, {'all else' if not kept else 'the rest'} as it is by default.")
    if old:
        say(f"From now on {old} is not read; taken over from it: {', '.join(kept) or 'nothing'}.")
    say("Next:")
    say("  samoloop doctor        # is everything there?")
    say('  samoloop run "TASK"    # hand off a task')
