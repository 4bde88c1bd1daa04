"""MCP servers that a person lets in by name: a real one, with a real browser, started by each real CLI."""

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from clis import CLIS
from install import browser, cache_folder, programs_folder
from project import TASK, make_project, said
from standin import Call, Conversation, Say, Script, Standin, listed
from standin.session import session
from standin.turns import Turn
from test_clis import failures, request_in, run

from samoloop.config.mcp import McpServer
from samoloop.core.events import Result, Tool
from samoloop.core.permissions import Permissions

TAKE_SERVERS = ("claude", "codex", "gemini", "opencode")
PLAYWRIGHT = (
    str(programs_folder(cache_folder()) / "playwright-mcp"),
    *("--headless", "--no-sandbox", "--isolated", "--executable-path", str(browser(cache_folder()))),
)


@pytest.fixture
def page() -> Iterator[str]:
    """The address of a page that only a browser makes whole."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<body><script>document.body.append('six times seven is ' + 6 * 7)</script></body>"
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


def of_playwright(conversation: Conversation, name: str, arguments: Mapping[str, object]) -> Turn:
    """A call of the server's tool, as the CLI names it; codex keeps such tools to be searched for."""
    if conversation.dialect == "responses":
        return Call(name, arguments, "mcp__playwright")
    named = [tool.name for tool in conversation.tools]
    if "tool_search" in named:
        return Call(f"mcp__playwright__{name}", arguments)
    own = next((one for one in named if one.endswith(name)), None)
    return Call(own, arguments) if own else Say(f"There is no {name} among {named}.")


def looks_at(page: str, then: Script) -> Script:
    """A script that opens a page in the browser, reads it, and goes on as another script."""

    def script(conversation: Conversation) -> Turn:
        done = conversation.results
        if "tool_search" in [tool.name for tool in conversation.tools]:  # qwen declares what was searched for
            if not done:
                names = "mcp__playwright__browser_navigate,mcp__playwright__browser_snapshot"
                return Call("tool_search", {"query": f"select:{names}"})
            done = done[1:]
        if len(done) < 2:
            first = of_playwright(conversation, "browser_navigate", {"url": page})
            return of_playwright(conversation, "browser_snapshot", {}) if done else first
        return then(replace(conversation, results=done[2:]))

    return script


@pytest.mark.parametrize("permissions", Permissions)
@pytest.mark.parametrize("name", TAKE_SERVERS)
def test_a_server_that_was_let_in_is_there_and_its_tools_work(
    name: str, permissions: Permissions, page: str, environ: Mapping[str, str], home: Path, tmp_path: Path
) -> None:
    cli, servers = CLIS[name], {"playwright": McpServer(PLAYWRIGHT, {"TMPDIR": "/tmp"})}
    request = request_in(tmp_path, environ, model=cli.model, mcp=servers, permissions=permissions)
    with Standin(looks_at(page, listed([]))) as model:
        events = run(cli, model.url, request, home)
    results = model.asked[-1].conversation.results
    assert "six times seven is 42" in " ".join(results), (events, results)
    assert failures(events) == []
    assert any(isinstance(event, Tool) and "browser_navigate" in event.name for event in events)
    assert [event.ok for event in events if isinstance(event, Result)] == [True]


def servers_of_a_project(mark: str) -> dict[str, str]:
    """Where each CLI looks for a project's servers: each of these leaves a mark when it is started."""
    server = {"command": "/bin/sh", "args": ["-c", mark]}
    local = {"type": "local", "command": ["/bin/sh", "-c", mark], "enabled": True}
    return {
        ".mcp.json": json.dumps({"mcpServers": {"spy": server}}),
        ".codex/config.toml": f'[mcp_servers.spy]\ncommand = "/bin/sh"\nargs = ["-c", {json.dumps(mark)}]\n',
        ".gemini/settings.json": json.dumps({"mcpServers": {"spy": server}}),
        "opencode.json": json.dumps({"mcp": {"spy": local}}),
    }


@pytest.mark.parametrize("some", [False, True])
@pytest.mark.parametrize("name", TAKE_SERVERS)
def test_what_was_not_let_in_is_not_started(
    name: str, some: bool, environ: Mapping[str, str], home: Path, tmp_path: Path
) -> None:
    cli, mark = CLIS[name], tmp_path / "mark"
    servers = {"playwright": McpServer(PLAYWRIGHT, {"TMPDIR": "/tmp"})} if some else {}
    request = request_in(tmp_path, environ, model=cli.model, mcp=servers)
    for file, text in servers_of_a_project(f"touch '{mark}'").items():
        (request.worktree / file).parent.mkdir(exist_ok=True)
        (request.worktree / file).write_text(text)
    with Standin(listed([])) as model:
        events = run(cli, model.url, request, home)
    assert failures(events) == []
    assert not mark.exists()


@pytest.mark.parametrize("name", ["claude", "codex", "gemini"])
def test_it_works_in_the_sandbox_of_a_session(
    name: str, page: str, environ: Mapping[str, str], home: Path, tmp_path: Path
) -> None:
    """The person's own file describes the server, and allows this project to name it."""
    project, cli = make_project(tmp_path / "project", environ), CLIS[name]
    own = home / ".config" / "samoloop" / "config.yaml"
    own.parent.mkdir(parents=True)
    server = {"command": list(PLAYWRIGHT), "env": {"TMPDIR": "/tmp"}, "projects": [str(project.root)]}
    own.write_text(json.dumps({"mcp_servers": {"playwright": server}}))
    with Standin(looks_at(page, session)) as model:
        project.use(cli, cli.setup(model.url), mcp=["playwright"])
        done = project.samoloop("run", TASK, "--no-wait")
    assert done.returncode == 3, said(done)  # its questions wait
    seen = [" ".join(asked.conversation.results) for asked in model.asked]
    assert any("six times seven is 42" in results for results in seen), (said(done), seen)
