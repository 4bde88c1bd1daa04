"""`web`: the page for a browser."""

import importlib.util
import os
import re
from ipaddress import ip_address
from pathlib import Path

import click

from samoloop.base.errors import UsageError, shown
from samoloop.ui.cli.common import for_people_only

PORT = 7266  # `samo` on a phone's keys
_PACKAGES = ("starlette", "uvicorn", "jinja2", "markdown_it", "nh3", "pygments", "pygal")


@click.command("web")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="Where; 0: any.")
@click.option("--open", "opens", is_flag=True, help="Open it in your browser.")
@click.option(
    "--allow-host",
    "names",
    metavar="NAME",
    multiple=True,
    help="Answer also to a tunnel's or proxy's name; at an address of this machine, listen too.",
)
def web(port: int, opens: bool, names: tuple[str, ...]) -> None:
    """Look at all sessions in a browser, and answer there; until Ctrl-C.

    Only this machine reaches it, unless you name an address that others reach too.

    \b
    samoloop web --open
    samoloop web --allow-host box.tailnet.ts.net
    """
    for_people_only()
    if any(importlib.util.find_spec(package) is None for package in _PACKAGES):
        raise UsageError("the page's packages are not installed: pip install 'samoloop[web]'")
    allowed = [_host(name) for name in names]
    from webbrowser import open as show

    from samoloop.children.processes import hide_environment
    from samoloop.config.keys import SECRETS
    from samoloop.config.project import find_root
    from samoloop.ui.web.server import serve
    from samoloop.ui.web.site import Site

    hide_environment(SECRETS)
    serve(Site(dict(os.environ), find_root(Path.cwd())), port, allowed, show if opens else None)


def _host(name: str) -> str:
    """A host as browsers write it. Raises UsageError."""
    host = name.lower().strip("[]").rstrip(".")
    try:
        address = ip_address(host)
    except ValueError:
        if len(host) <= 253 and re.fullmatch(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?", host):
            return host
        raise UsageError(
            f"--allow-host {shown(name)} is no host: name it as in the browser's address, without https:// and port"
        ) from None
    if address.is_unspecified:
        raise UsageError(f"--allow-host {name} would be every address of this machine: name the one that you mean")
    return str(address)
