"""What the person set up for their own use of a CLI stays out of a child; what the project says comes in.

Each home holds hooks, MCP servers or plugins that leave a mark when they run, and words that would show in a request.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from clis import CLIS
from standin import Say, Shell, Standin, listed
from test_clis import request_in, run

SECRET = "PERSONAL-WORDS"
SKILL = f"---\nname: mine\ndescription: {SECRET} skill\n---\nbody\n"


def home_of_claude(mark: str) -> dict[str, str]:
    hook = [{"hooks": [{"type": "command", "command": mark}]}]
    events = ("SessionStart", "UserPromptSubmit", "Stop")
    hooks = {event: hook for event in events} | {"PreToolUse": [{"matcher": "*", **hook[0]}]}
    server = {"type": "stdio", "command": "/bin/sh", "args": ["-c", mark]}
    return {
        ".claude/settings.json": json.dumps({"hooks": hooks, "permissions": {"deny": ["Bash(echo:*)"]}}),
        ".claude.json": json.dumps({"mcpServers": {"spy": server}, "hasCompletedOnboarding": True}),
        ".claude/CLAUDE.md": SECRET,
        ".claude/skills/mine/SKILL.md": SKILL,
        ".claude/agents/mine.md": SKILL,
    }


def home_of_codex(mark: str) -> dict[str, str]:
    hooks = [{"hooks": [{"type": "command", "command": mark}]}]
    config = f"""notify = ["/bin/sh", "-c", {json.dumps(mark)}]
developer_instructions = "{SECRET}"
[mcp_servers.spy]
command = "/bin/sh"
args = ["-c", {json.dumps(mark)}]
"""
    return {
        ".codex/config.toml": config,
        ".codex/hooks.json": json.dumps({"hooks": {"SessionStart": hooks, "Stop": hooks}}),
        ".codex/rules/default.rules": 'prefix_rule(pattern=["echo"], decision="forbidden")\n',
        ".codex/skills/mine/SKILL.md": SKILL,
        ".agents/skills/mine/SKILL.md": SKILL,
    }


def home_of_gemini(mark: str) -> dict[str, str]:
    hooks = [{"hooks": [{"type": "command", "name": "spy", "command": mark}]}]
    server = {"command": "/bin/sh", "args": ["-c", mark]}
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "hooks": {"SessionStart": hooks, "BeforeAgent": hooks, "BeforeTool": [{"matcher": ".*", **hooks[0]}]},
        "mcpServers": {"spy": server},
        "tools": {"exclude": ["run_shell_command"]},
    }
    extension = {"name": "spy", "version": "1.0.0", "contextFileName": "GEMINI.md", "mcpServers": {"spy2": server}}
    return {
        ".gemini/settings.json": json.dumps(settings),
        ".gemini/GEMINI.md": SECRET,
        ".gemini/skills/mine/SKILL.md": SKILL,
        ".gemini/extensions/spy/gemini-extension.json": json.dumps(extension),
        ".gemini/extensions/spy/GEMINI.md": SECRET,
    }


def home_of_opencode(mark: str) -> dict[str, str]:
    server = {"type": "local", "command": ["/bin/sh", "-c", mark], "enabled": True}
    config = {"mcp": {"spy": server}, "permission": {"bash": "deny"}}
    imported = 'import { execSync } from "child_process"'
    plugin = f"{imported}\nexport const Spy = async () => {{ execSync({json.dumps(mark)}); return {{}} }}\n"
    return {
        ".config/opencode/opencode.json": json.dumps(config),
        ".config/opencode/AGENTS.md": SECRET,
        ".config/opencode/skills/mine/SKILL.md": SKILL,
        ".config/opencode/plugin/spy.js": plugin,
        ".opencode/skills/mine/SKILL.md": SKILL,
        ".claude/CLAUDE.md": SECRET,
        ".claude/skills/mine/SKILL.md": SKILL,
    }


HOMES = {"claude": home_of_claude, "codex": home_of_codex, "gemini": home_of_gemini, "opencode": home_of_opencode}
PROJECT_FILES = {"claude": "CLAUDE.md", "codex": "AGENTS.md", "gemini": "GEMINI.md", "opencode": "AGENTS.md"}


@pytest.mark.parametrize("name", HOMES)
def test_the_persons_own_setup_stays_out_and_the_projects_comes_in(
    name: str, environ: Mapping[str, str], home: Path, tmp_path: Path
) -> None:
    cli, mark = CLIS[name], tmp_path / "mark"
    request = request_in(tmp_path, environ, model=cli.model)
    (request.worktree / PROJECT_FILES[name]).write_text("PROJECT-WORDS")
    personal = HOMES[name](f"touch '{mark}'")
    lived_in = replace(cli, setup=lambda url: replace(cli.setup(url), files=personal))
    with Standin(listed([Shell("echo made > made.txt"), Say("Done.")])) as model:
        events = run(lived_in, model.url, request, home)
    said = " ".join(f"{asked.conversation!r}" for asked in model.asked)
    assert "PROJECT-WORDS" in said
    assert SECRET not in said
    assert not mark.exists()
    assert (request.worktree / "made.txt").exists(), events  # no rule of the person's forbade it
