"""MCP servers that were let in, as each CLI is told of them, and a sentence from those that take none."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from provider_runs import follows, install, request

from samoloop.base.errors import ProviderError
from samoloop.config.mcp import McpServer
from samoloop.core.permissions import Access, Permissions
from samoloop.providers import get
from samoloop.providers.base import Launch

KEY = "it's a $ecret"


def launched(folder: Path, name: str, server: McpServer | None = None, **changes: Any) -> Launch:
    servers = {"shop": server or McpServer(("printenv", "KEY"), {"KEY": KEY})}
    return get(name, environ=install(folder, name)).launch(request(folder, mcp=servers, **changes))


@pytest.mark.parametrize("name", ["claude", "codex", "gemini", "opencode"])
def test_a_server_is_a_program_that_nobody_else_can_read_and_its_key_stands_nowhere_else(tmp_path: Path, name) -> None:
    launch = launched(tmp_path, name)
    program = tmp_path / "session" / "_logs" / "mcp" / "shop"
    assert subprocess.run([program], capture_output=True, text=True, check=True).stdout == f"{KEY}\n"
    assert program.stat().st_mode & 0o777 == 0o700
    told = " ".join([*launch.argv, *launch.env.values()])
    files = [path.read_text() for path in (tmp_path / "session").rglob("*") if path.is_file() and path != program]
    assert str(program) in " ".join([told, *files])
    assert KEY not in " ".join([told, *files])


def test_claude_gets_a_file_and_may_use_them_when_restrained(tmp_path: Path):
    argv = launched(tmp_path, "claude", permissions=Permissions.EDITS).argv
    file = tmp_path / "session" / "_logs" / "mcp" / "servers.json"
    assert f"--mcp-config={file}" in argv
    assert "--strict-mcp-config" in argv
    program = {"type": "stdio", "command": str(file.parent / "shop"), "args": []}
    assert json.loads(file.read_text()) == {"mcpServers": {"shop": program}}
    assert json.loads(argv[argv.index("--settings") + 1]) == {"permissions": {"allow": ["mcp__shop"]}}


def test_codex_gets_arguments(tmp_path: Path):
    argv = launched(tmp_path, "codex").argv
    assert follows(argv, "-c", f'mcp_servers.shop.command="{tmp_path}/session/_logs/mcp/shop"')
    assert follows(argv, "-c", 'mcp_servers.shop.default_tools_approval_mode="approve"')


def test_gemini_gets_its_settings_and_no_other_name_is_allowed(tmp_path: Path):
    assert "--allowed-mcp-server-names=shop" in launched(tmp_path, "gemini").argv
    settings = json.loads((tmp_path / "session/_logs/gemini-home/.gemini/settings.json").read_text())
    assert settings["mcpServers"]["shop"]["command"].endswith("/mcp/shop")
    (none,) = [word for word in get("gemini", environ=install(tmp_path, "gemini")).launch(request(tmp_path)).argv
               if word.startswith("--allowed-mcp-server-names=")]  # fmt: skip
    assert none != "--allowed-mcp-server-names="


def test_opencode_is_told_last_and_those_of_the_projects_files_are_switched_off(tmp_path: Path):
    asked = request(tmp_path)
    said = '{\n  // the shop, /* and */ "more"\n  "mcp": {"spy": {"type": "local"}, "shop": {"type": "local"},},\n}\n'
    (asked.worktree / "opencode.jsonc").write_text(said)
    (asked.worktree / ".opencode").mkdir()
    (asked.worktree / ".opencode" / "opencode.json").write_text('{"mcp": {"other": {"url": "https://example.org"}}}')
    settings = {"env": {"OPENCODE_CONFIG_CONTENT": '{"model": "m1", "mcp": {"mine": {"enabled": true}}}'}}
    environ = install(tmp_path, "opencode")
    launch = get("opencode", settings, environ).launch(request(tmp_path, mcp={"shop": McpServer(("npx",))}))
    local = {"type": "local", "command": [f"{tmp_path}/session/_logs/mcp/shop"], "enabled": True}
    off = {"enabled": False}
    assert json.loads(launch.env["OPENCODE_CONFIG_CONTENT"]) == {
        "model": "m1",
        "mcp": {"mine": {"enabled": True}, "spy": off, "other": off, "shop": local},
    }


def test_without_any_nothing_is_written(tmp_path: Path):
    for name in ("claude", "codex", "opencode"):
        launch = get(name, environ=install(tmp_path, name)).launch(request(tmp_path))
        assert "mcp_servers" not in " ".join(launch.argv)
        assert not (tmp_path / "session" / "_logs" / "mcp").exists()
        assert "OPENCODE_CONFIG_CONTENT" not in launch.env


def test_a_cli_of_ones_own_gets_the_file_where_its_command_names_it(tmp_path: Path):
    command = ["mycli", "--mcp", "{mcp_config}"]
    mine = get("mine", {"command": command}, install(tmp_path, "mycli"))
    file = mine.launch(request(tmp_path)).argv[-1]
    assert json.loads(Path(file).read_text()) == {"mcpServers": {}}
    assert mine.launch(request(tmp_path, mcp={"shop": McpServer(("npx",))})).argv[-1] == file
    assert list(json.loads(Path(file).read_text())["mcpServers"]) == ["shop"]


def test_who_takes_none_says_so(tmp_path: Path):
    with pytest.raises(ProviderError, match=r"mini takes no MCP servers, and `mcp` lets in shop: .*`mcp: \[\]`"):
        launched(tmp_path, "mini")
    mine = get("mine", {"command": ["mycli"]}, install(tmp_path, "mycli"))
    with pytest.raises(ProviderError, match=r"no \{mcp_config\}, so mine takes no MCP servers"):
        mine.launch(request(tmp_path, mcp={"shop": McpServer(("npx",))}))
    get("demo", environ=install(tmp_path, "demo")).launch(request(tmp_path, mcp={"shop": McpServer(("npx",))}))


def test_in_a_sandbox_the_persons_own_servers_are_readable_and_a_repositorys_get_nothing(tmp_path: Path):
    package = tmp_path / "node_modules" / "shop-mcp"
    package.mkdir(parents=True)
    (package / "cli.js").write_text("")
    environ = {**install(tmp_path, "shop"), "HOME": str(tmp_path)}
    server = McpServer(("shop", str(package / "cli.js"), "/nowhere"))
    needs = launched(tmp_path, "claude", server, environ=environ).needs
    assert needs[tmp_path / "node_modules"] is Access.READ
    assert needs[tmp_path / "bin" / "shop"] is Access.READ
    assert Path("/nowhere") not in needs
    needs = launched(tmp_path, "claude", McpServer(server.command, own=False), environ=environ).needs
    assert tmp_path / "node_modules" not in needs
    assert tmp_path / "bin" / "shop" not in needs
