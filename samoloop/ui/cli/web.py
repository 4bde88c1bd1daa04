"""`web`: the page for a browser."""

import importlib.util
import os
from pathlib import Path

import click

from samoloop.base.errors import UsageError
from samoloop.ui.cli.common import for_people_only

PORT = 7266  # `samo` on a phone's keys


@click.command("web")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="Where; 0: any.")
@click.option("--open", "opens", is_flag=True, help="Open it in your browser.")
@click.option("--allow-host", "names", metavar="NAME", multiple=True, help="Let a tunnel's or proxy's name through.")
def web(port: int, opens: bool, names: tuple[str, ...]) -> None:
    """Look at all sessions in a browser, and answer there; until Ctrl-C.

    \b
    samoloop web --open
    samoloop web --allow-host box.tailnet.ts.net
    """
    for_people_only()
    if any(importlib.util.find_spec(name) is None for name in ("starlette", "uvicorn", "jinja2", "markdown_it", "nh3")):
        raise UsageError("the page's packages are not installed: pip install 'samoloop[web]'")
    from samoloop.children.processes import hide_environment
    from samoloop.config.keys import SECRETS
    from samoloop.config.project import find_root
    from samoloop.ui.web.server import serve
    from samoloop.ui.web.site import Site

    hide_environment(SECRETS)
    serve(Site(dict(os.environ), find_root(Path.cwd())), port, names, opens=opens)
