"""Each preset that says it was tried, started as a child is started, against the model stand-in.

They are not among what `make e2e` installs by itself, 1 GB that few need: `python tests/e2e/install.py --presets`.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from clis import KEY
from install import cache_folder
from presets import PRESETS
from project import TASK, make_project, said
from standin import Call, Fault, Kind, Shell, Standin, listed
from standin.session import session
from test_clis import PROMPT, SIGNAL, failures, reads_and_signals, request_in, run
from test_mcp import PLAYWRIGHT, looks_at
from test_mcp import page as page

from samoloop.config import presets
from samoloop.config.mcp import McpServer
from samoloop.core.events import Result, Text, Tool, Trouble
from samoloop.core.permissions import Permissions

AGENTS = ("copilot", "qwen", "kimi")  # aider has no tools


@pytest.fixture(autouse=True)
def installed(request: pytest.FixtureRequest, programs: Path) -> None:
    name = request.getfixturevalue("name")
    if not shutil.which(presets.load(name).program, path=programs):
        pytest.skip(f"{name} is not installed: python tests/e2e/install.py --presets")


@pytest.mark.parametrize("name", AGENTS)
def test_it_reads_the_overview_and_writes_the_signal_with_its_own_tools(
    name: str, environ: Mapping[str, str], home: Path, tmp_path: Path
) -> None:
    cli = PRESETS[name]
    request = request_in(tmp_path, environ, model=cli.model or None)
    with Standin(reads_and_signals(request.session_dir)) as model:
        events = run(cli, model.url, request, home)
    last = model.asked[-1].conversation
    assert {asked.key for asked in model.asked} == {KEY}
    assert PROMPT in last.prompt
    assert "Say goodbye" in last.results[0]
    assert str(request.worktree) in last.results[0]
    assert json.loads((request.session_dir / "_signal.json").read_text()) == SIGNAL
    assert failures(events) == []
    assert Text("Done.") in events
    tools = [event for event in events if isinstance(event, Tool)]
    assert [tool.running for tool in tools] == [True, False] * 2, events
    assert tools[1].name == tools[0].name != ""
    assert "_overview.md" in tools[1].detail
    assert [event.ok for event in events if isinstance(event, Result)] == [True] * (name != "kimi")


@pytest.mark.parametrize("name", AGENTS)
def test_a_wrong_key_is_a_matter_of_the_login(
    name: str, environ: Mapping[str, str], home: Path, tmp_path: Path
) -> None:
    cli = PRESETS[name]
    request = request_in(tmp_path, environ, model=cli.model or None)
    with Standin(listed([]), Fault(Kind.WRONG_KEY)) as model:
        events = run(cli, model.url, request, home)
    assert [failure.trouble for failure in failures(events)] == [Trouble.LOGIN], events


@pytest.mark.parametrize("name", ["copilot", "kimi"])
def test_the_skills_of_a_phase_are_offered(name: str, environ: Mapping[str, str], home: Path, tmp_path: Path) -> None:
    skill = tmp_path / "skills" / "cut-a-loaf" / "SKILL.md"
    skill.parent.mkdir(parents=True)
    skill.write_text("---\nname: cut-a-loaf\ndescription: Use when a LOAF is to be cut.\n---\nCut it.\n")
    cli = PRESETS[name]
    request = request_in(tmp_path, environ, model=cli.model or None, skills=skill.parent.parent, offered=["cut-a-loaf"])
    with Standin(listed([])) as model:
        run(cli, model.url, request, home)
    assert "LOAF" in f"{model.asked[0].conversation!r}"


@pytest.mark.parametrize("name", AGENTS)
def test_a_session_begins_in_the_sandbox(name: str, environ: Mapping[str, str], home: Path, tmp_path: Path) -> None:
    cli, project = PRESETS[name], make_project(tmp_path / "project", environ)
    own = home / ".config" / "samoloop" / "config.yaml"
    own.parent.mkdir(parents=True)
    own.write_text(json.dumps({"sandbox": {"read": [str(cache_folder() / "node")]}}))  # where nobody has his node
    with Standin(session) as model:
        project.use(cli, cli.setup(model.url), **({} if cli.model else {"model": None}))
        done = project.samoloop("run", TASK, "--no-wait")
    assert done.returncode == 3, said(done)  # its questions wait


@pytest.mark.parametrize("name", ["aider"])
def test_one_without_tools_answers(name: str, environ: Mapping[str, str], home: Path, tmp_path: Path) -> None:
    cli = PRESETS[name]
    request = request_in(tmp_path, environ, model=cli.model)
    with Standin(listed([])) as model:
        events = run(cli, model.url, request, home)
    assert PROMPT in model.asked[0].conversation.prompt
    assert Text("A short session") in events
    assert failures(events) == []


@pytest.mark.parametrize(
    ("name", "tool", "path", "content"),
    [("copilot", "create", "path", "file_text"), ("qwen", "write_file", "file_path", "content")],
)
def test_a_restrained_one_writes_files_and_runs_nothing(
    name: str, tool: str, path: str, content: str, environ: Mapping[str, str], home: Path, tmp_path: Path
) -> None:
    cli = PRESETS[name]
    request = request_in(tmp_path, environ, model=cli.model, permissions=Permissions.EDITS)
    signal, outside = request.session_dir / "_signal.json", home / "outside.txt"
    script = listed(
        [
            Call(tool, {path: str(request.worktree / "made.txt"), content: "made"}),
            Call(tool, {path: str(signal), content: json.dumps(SIGNAL)}),
            Call(tool, {path: str(outside), content: "made"}),
            Shell("touch ran.txt"),
        ]
    )
    with Standin(script) as model:
        events = run(cli, model.url, request, home)
    assert (request.worktree / "made.txt").exists(), events
    assert json.loads(signal.read_text()) == SIGNAL
    assert not (request.worktree / "ran.txt").exists()
    assert outside.exists() is (name == "qwen")  # its mode knows no bounds; the sandbox does


@pytest.mark.parametrize("name", ["copilot", "qwen"])
def test_servers_that_were_let_in_are_there_and_their_tools_work(
    name: str, page: str, environ: Mapping[str, str], home: Path, tmp_path: Path
) -> None:
    cli, servers = PRESETS[name], {"playwright": McpServer(PLAYWRIGHT, {"TMPDIR": "/tmp"})}
    request = request_in(tmp_path, environ, model=cli.model, mcp=servers)
    with Standin(looks_at(page, listed([]))) as model:
        events = run(cli, model.url, request, home)
    results = [" ".join(asked.conversation.results) for asked in model.asked]
    assert any("six times seven is 42" in words for words in results), (events, results)
