"""MCP servers that children may have: those of a person's own file, and those of a repository's `.mcp.json`.

Only a person's own file describes one, for it may hold a key and it has the person's files. A project's file may take
away what the person lets in, name those whose `projects` allow it, and let in what its repository describes: that runs
what the repository says, as `setup` does.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, field, replace
from pathlib import Path
from typing import Any

from samoloop.base.errors import ConfigError, shown
from samoloop.base.files import small_text
from samoloop.base.nearest import named
from samoloop.base.values import frozen
from samoloop.config.project import user_file
from samoloop.config.schema import At, Fault, command, key, paths, table_of, texts, texts_by_name

FILE_NAME = ".mcp.json"
PROJECT = "project"  # in a list of names: those of the repository's own file
ANY = "any"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")  # CLIs make the names of tools of it
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def _projects(value: object) -> tuple[Path, ...] | None:
    return None if value == ANY else paths(value)


def _environment(value: object) -> dict[str, str]:
    found = texts_by_name(value)
    for name in found:
        if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            raise ValueError(f"{shown(name)} is no name of a variable")
    return found


@frozen
class McpServer:
    """How an MCP server is started; it speaks on its standard input and output."""

    command: tuple[str, ...] = key(
        command, MISSING, "program and arguments", example="[program, argument, ...]", needed=True
    )
    env: Mapping[str, str] = key(
        _environment, dict, "put over its environment; `${NAME}` here and in the command is a variable of the child's"
    )
    projects: tuple[Path, ...] | None = key(
        _projects, (), "folders of projects whose own file may name it, or `any`; else your own file alone does"
    )
    own: bool = field(default=True)  # the person's; else the repository's


MCP_SERVER = table_of(McpServer)


def _said(values: Mapping[str, Any]) -> Iterator[tuple[At, str]]:
    """Each name in a list of servers, with its place. What is no list is a fault already."""
    phases = values.get("phases")
    places: dict[At, Any] = {("mcp",): values.get("mcp")}
    for name, phase in phases.items() if isinstance(phases, Mapping) else ():
        places["phases", str(name), "mcp"] = phase.get("mcp") if isinstance(phase, Mapping) else None
    for at, names in places.items():
        yield from ((at, str(name)) for name in (names if isinstance(names, list | tuple) else ()))


def unknown(values: Mapping[str, Any], servers: Mapping[str, McpServer]) -> Iterator[Fault]:
    """Names that no server has, and those that none can have."""
    for name in servers:
        if not _NAME.fullmatch(name) or name == PROJECT:
            why = f"{PROJECT} means those of the repository" if name == PROJECT else "use letters, digits and -"
            yield Fault(("mcp_servers", name), f"a server cannot be called so: {why}")
    for at, name in _said(values):
        if name not in servers and name != PROJECT:
            known = [*servers, PROJECT]
            yield Fault(at, f"there is no MCP server {named(name, known)}; there are: {', '.join(known)}")


def let_in_by_project(values: Mapping[str, Any], person: Mapping[str, Any], root: Path) -> Iterator[Fault]:
    """The names in a project's file that its person neither lets in nor allows it to let in."""
    let_in = {name for _, name in _said(person)}
    described = person.get("mcp_servers")
    described = described if isinstance(described, Mapping) else {}
    for at, name in _said(values):
        if name in described and name not in let_in and not _is_allowed(described[name], root.resolve()):
            yield Fault(
                at,
                f"a project's file may not let in {name}, unless {user_file({})} says so: with `mcp: [{name}]` there "
                f"for all projects, or with `projects: [{root}]` under mcp_servers.{name}",
            )


def _is_allowed(server: object, root: Path) -> bool:
    projects = server.get("projects") if isinstance(server, Mapping) else None
    if isinstance(projects, list):
        return root in [Path(str(path)).expanduser().resolve() for path in projects]
    return projects == ANY


def let_in(
    names: Sequence[str], servers: Mapping[str, McpServer], root: Path, environ: Mapping[str, str]
) -> dict[str, McpServer]:
    """The servers of these names, ready to be started in `environ`. Raises ConfigError.

    A repository's file is read in the main checkout, where no child writes.
    """
    found = {name: servers[name] for name in names if name != PROJECT}
    if PROJECT in names:
        found = {**_of_repository(root / FILE_NAME), **found}
    return {name: _filled(name, server, environ) for name, server in found.items()}


def _of_repository(path: Path) -> dict[str, McpServer]:
    """What a repository's file describes, in the form that Claude Code gave it."""
    try:
        described = json.loads(small_text(path) or "{}")["mcpServers"]
        return {str(name): _described(str(name), server) for name, server in described.items()}
    except KeyError:
        raise ConfigError(f"mcp: {PROJECT}: there are no mcpServers in {path}; take {PROJECT} out of `mcp`.") from None
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise ConfigError(f"mcp: {PROJECT}: {path} cannot be used: {error}") from None


def _described(name: str, server: Any) -> McpServer:
    if not _NAME.fullmatch(name):
        raise ValueError(f"a server cannot be called {shown(name)}: use letters, digits and -")
    if "command" not in server:
        raise ValueError(
            f"{name} has no command; one that is reached at an address needs a program between, such as "
            "`npx mcp-remote ADDRESS`"
        )
    words = command([server["command"], *texts(server.get("args", []))])
    return McpServer(words, _environment(server.get("env", {})), own=False)


def _filled(name: str, server: McpServer, environ: Mapping[str, str]) -> McpServer:
    def fill(words: str) -> str:
        return _VARIABLE.sub(value, words)

    def value(match: re.Match[str]) -> str:
        found = environ.get(match[1]) or match[2]
        if found is None:
            raise ConfigError(
                f"the MCP server {name} needs the variable {match[1]}, which a child does not have: set it (and take "
                "it out of `scrub` if it stands there), or take the server out of `mcp`."
            )
        return found

    env = {variable: fill(words) for variable, words in server.env.items()}
    return replace(server, command=tuple(map(fill, server.command)), env=env)
