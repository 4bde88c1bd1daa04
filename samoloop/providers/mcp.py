"""MCP servers for a child, as every CLI can be told of them: a program in the session's log folder starts each.

So what a server is told by its environment, a key perhaps, stands on no command line.
"""

import json
import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from samoloop.base.errors import ProviderError
from samoloop.base.files import put_folder, write_atomic
from samoloop.base.values import frozen
from samoloop.core.permissions import Access
from samoloop.providers.base import Request
from samoloop.providers.program import installed_at

START_SECONDS = 60  # for a server to be there; the first start of an npm package downloads it


@frozen
class Servers:
    """What a CLI is told."""

    programs: Mapping[str, str]  # that start each, by the server's name
    file: Path  # all of them, in the form of `.mcp.json`; there where there are some, or it was asked for
    needs: dict[Path, Access]  # in a sandbox


def servers_of(request: Request, *, always: bool = False) -> Servers:
    """The servers that the request lets in, written down; `always` also where there are none. Raises ProviderError."""
    folder = request.stem.parent / "mcp"
    programs = {name: str(folder / name) for name in request.mcp}
    standard = {name: {"type": "stdio", "command": program, "args": []} for name, program in programs.items()}
    if not request.mcp and not always:
        return Servers({}, folder / "servers.json", {})
    try:
        put_folder(folder)
        for name, server in request.mcp.items():
            told = "".join(f"export {variable}={shlex.quote(value)}\n" for variable, value in server.env.items())
            write_atomic(folder / name, f"#!/bin/sh\n{told}exec {shlex.join(server.command)}\n", mode=0o700)
        write_atomic(folder / "servers.json", json.dumps({"mcpServers": standard}))
    except OSError as error:
        raise ProviderError(f"The MCP servers cannot be written to {folder}: {error.strerror}.") from error
    return Servers(programs, folder / "servers.json", _needs(request))


def refuse_any(request: Request, name: str) -> None:
    """Raise ProviderError where a CLI that takes no MCP servers is asked for some."""
    if request.mcp:
        raise ProviderError(
            f"{name} takes no MCP servers, and `mcp` lets in {', '.join(request.mcp)}: use another provider, or "
            "`mcp: []` (for a phase: under `phases`)."
        )


def _needs(request: Request) -> dict[Path, Access]:
    """What the person's own servers are made of; a repository's have what the sandbox has anyway."""
    found: dict[Path, Access] = {}
    for server in request.mcp.values():
        program, *arguments = server.command
        at = shutil.which(program, path=request.environ.get("PATH", os.defpath))
        files = [path for path in arguments if Path(path).is_absolute() and Path(path).exists()]
        for path in [*([at] if at else []), *files] if server.own else ():
            found |= installed_at(path, request.environ)
    return found
