"""`samoloop mcp` driven by the real Claude Code CLI: it hands off a task, and reads its report.

The model at the other end of both, of the person's own CLI and of the session's children, is a script.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from clis import CLIS
from project import TASK, Project, make_project, said
from standin import Call, Conversation, Say, Shell, Standin, Turn
from standin.session import document, leave, read_facts

pytest.importorskip("mcp")
PROGRAM = ("claude", "-p", "--dangerously-skip-permissions", "--model", CLIS["claude"].model)
BY_HAND = {"IS_SANDBOX": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "ENABLE_TOOL_SEARCH": "false"}
ASKED = "Use samoloop"


def drive(conversation: Conversation) -> Turn:
    """A model that hands a task off, waits until it is over and reads the report; in the session one that finds out."""
    facts, done = read_facts(conversation.prompt), conversation.results
    if facts is not None:
        ends = leave(facts, "looked", status="done", phase=facts.phase, summary="It says hello alone.")
        steps = (document(facts, "dive", "# Dive: greeting"), ends)
        return Shell(steps[len(done)]) if len(done) < len(steps) else Say("Found out.")
    if not done:
        return Call("mcp__samoloop__hand_off", {"task": TASK, "name": "farewell", "until": "investigation"})
    if done[-1].startswith("# "):
        return Say(f"The report says: {done[-1]}")
    if len(done) < 5 and '"condition": "done"' not in done[-1]:
        return Call("mcp__samoloop__wait", {"session": "farewell", "seconds": 20})
    return Call("mcp__samoloop__read", {"session": "farewell"})


@pytest.mark.timeout(300)
def test_claude_code_hands_off_a_task_and_reads_its_report(environ: dict[str, str], tmp_path: Path) -> None:
    project, cli = make_project(tmp_path / "project", environ), CLIS["claude"]
    servers = {"mcpServers": {"samoloop": {"command": sys.executable, "args": ["-m", "samoloop", "mcp"]}}}
    (tmp_path / "mcp.json").write_text(json.dumps(servers))
    with Standin(drive) as model:
        project.use(cli, cli.setup(model.url))
        done = by_hand(project, "--mcp-config", str(tmp_path / "mcp.json"))
    assert done.returncode == 0, said(done)
    assert "The report says: # Say goodbye too" in done.stdout, (said(done), model.asked[-1].conversation.results)
    tools = {tool.name for asked in model.asked for tool in asked.conversation.tools if "samoloop" in tool.name}
    assert {"mcp__samoloop__hand_off", "mcp__samoloop__read"} <= tools
    assert not [name for name in tools if any(word in name for word in ("answer", "approve", "waive"))]
    assert "It says hello alone." in done.stdout and "**Done. Nothing in the project was changed**" in done.stdout
    assert [record["phase"] for record in project.ended()] == ["investigation"]


def by_hand(project: Project, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*PROGRAM, *words],
        cwd=project.root,
        env={**project.environ, **BY_HAND},
        input=ASKED,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
