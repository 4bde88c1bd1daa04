"""CLIs that are known as data: each file can be used, and the table of the documents says what it says."""

import json
import re
from pathlib import Path

import pytest
from provider_runs import follows, install, only, play, request, skills

from samoloop.base.errors import ProviderError
from samoloop.config import presets
from samoloop.config.keys import BUILT_IN, KNOWN
from samoloop.config.mcp import McpServer
from samoloop.core.events import Denied, Failure, Result, Started, Text, Tool, Trouble, Usage
from samoloop.core.permissions import Access, Permissions
from samoloop.providers import get
from samoloop.providers.custom import CustomProvider
from samoloop.providers.program import argv_of

ROOT = Path(__file__).resolve().parent.parent


def provider(folder: Path, name: str, **settings):
    return get(name, settings, install(folder, presets.load(name).program))


@pytest.mark.parametrize("name", presets.names())
def test_each_file_can_be_used(tmp_path: Path, name):
    preset = presets.load(name)
    assert preset.prompt in ("stdin", "arg")
    assert all([preset.title, preset.program, preset.install, preset.login, preset.stays_out, preset.reaches])
    assert bool(preset.edits) is bool(preset.edits_means)
    assert bool(preset.skills) is bool(preset.skill_folder)
    assert {*preset.troubles.values(), *preset.begins.values()} <= set(Trouble)
    assert set(preset.folders.values()) <= set(Access)
    given = {line.gives["type"] for line in preset.lines}
    assert given <= {"started", "text", "tool", "denied", "usage", "error", "result"}
    asked = request(tmp_path, model="m1", skills=skills(tmp_path), offered=("create-plan",))
    launch = provider(tmp_path, name).launch(asked)
    assert launch.prompt_on_stdin is (preset.prompt == "stdin")
    assert launch.prompt_on_stdin or argv_of(launch, asked)[-1] == "Do one thing.\n"
    assert not re.search(r"\{\w+\}", " ".join([*launch.argv, *launch.env.values()]))


@pytest.mark.parametrize("name", presets.names())
def test_each_declares_its_folders(tmp_path: Path, name):
    needs = provider(tmp_path, name).launch(request(tmp_path)).needs
    assert needs[tmp_path / "session" / "_logs" / name] is Access.WRITE
    assert set(needs) - {tmp_path / "bin" / presets.load(name).program, tmp_path / "session" / "_logs" / name}
    assert all(path.is_absolute() for path in needs)


def test_no_name_is_given_twice_and_one_s_own_of_that_name_stays_one_s_own(tmp_path: Path):
    assert len(set(KNOWN)) == len(KNOWN)
    mine = get("aider", {"command": ["mycli"]}, install(tmp_path, "mycli"))
    assert isinstance(mine, CustomProvider)


def test_arguments_come_where_they_are_asked_for(tmp_path: Path):
    plain = provider(tmp_path, "copilot").launch(request(tmp_path))
    assert "--allow-all" in plain.argv
    assert not {"--model", "--additional-mcp-config", "--add-dir"} & set(plain.argv)
    asked = request(
        tmp_path,
        model="m1",
        mcp={"shop": McpServer(("npx",))},
        skills=skills(tmp_path),
        offered=("create-plan",),
        permissions=Permissions.EDITS,
    )
    launch = provider(tmp_path, "copilot", args=["--more"], env={"A": "1"}).launch(asked)
    own = tmp_path / "session" / "_logs" / "copilot"
    assert follows(launch.argv, "--model", "m1")
    assert follows(launch.argv, "--additional-mcp-config", f"@{own.parent}/mcp/servers.json")
    assert follows(launch.argv, "--add-dir", str(own))
    assert launch.argv[-1] == "--more"
    assert f"--add-dir={tmp_path / 'session'}" in launch.argv
    assert "--allow-all" not in launch.argv
    assert (own / ".github" / "skills" / "create-plan" / "SKILL.md").is_file()
    assert launch.env["COPILOT_HOME"] == str(own / "home")
    assert launch.env["A"] == "1"


def test_a_home_of_the_child_has_the_login_and_nothing_else(tmp_path: Path):
    mine = tmp_path / ".copilot"
    mine.mkdir()
    (mine / "config.json").write_text("{}")
    (mine / "mcp-config.json").write_text("{}")
    for _ in range(2):
        home = Path(provider(tmp_path, "copilot").launch(request(tmp_path)).env["COPILOT_HOME"])
        assert [path.name for path in home.iterdir()] == ["config.json"]
        assert (home / "config.json").resolve() == mine / "config.json"


def test_what_one_cannot_do_is_refused(tmp_path: Path):
    with pytest.raises(ProviderError, match="kimi has no restrained mode"):
        provider(tmp_path, "kimi").launch(request(tmp_path, permissions=Permissions.EDITS))
    with pytest.raises(ProviderError, match="aider takes no MCP servers"):
        provider(tmp_path, "aider").launch(request(tmp_path, mcp={"shop": McpServer(("npx",))}))
    with pytest.raises(ProviderError, match="npm install -g @github/copilot"):
        get("copilot", {}, {"PATH": str(tmp_path)}).launch(request(tmp_path))


def run(folder: Path, name: str, said: list[object], exit_code: int = 0, stderr: str = ""):
    lines = [line.encode() if isinstance(line, str) else json.dumps(line).encode() for line in said]
    return play(provider(folder, name).reader(request(folder)), lines, exit_code, stderr)


def test_lines_of_copilot(tmp_path: Path):
    call = {"toolCallId": "c1", "toolName": "bash", "arguments": {"command": "make test"}}
    assert run(
        tmp_path,
        "copilot",
        [
            {"type": "session.tools_updated", "data": {"model": "m1"}},
            {"type": "assistant.message", "data": {"content": "", "toolRequests": [{}]}},
            {"type": "tool.execution_start", "data": call},
            {"type": "tool.execution_complete", "data": {"toolCallId": "c1", "success": True}},
            {"type": "assistant.message", "data": {"content": "Done."}},
            {"type": "result", "sessionId": "s1", "exitCode": 0},
        ],
    ) == [
        Started(),
        Tool("c1", "bash", "make test", running=True),
        Tool("c1", "bash", "make test"),
        Text("Done."),
        Result(True, ""),
    ]


@pytest.mark.parametrize(
    ("data", "trouble"),
    [
        ({"errorType": "authentication", "statusCode": 401}, Trouble.LOGIN),
        ({"errorType": "quota", "statusCode": 402}, Trouble.USAGE_LIMIT),
        ({"errorType": "query", "statusCode": 503}, Trouble.OVERLOAD),
        ({"errorType": "query", "statusCode": "503"}, Trouble.OTHER),
        ({}, Trouble.OTHER),
    ],
)
def test_an_error_is_known_by_its_kind_then_by_its_status(tmp_path: Path, data, trouble):
    events = run(tmp_path, "copilot", [{"type": "session.error", "data": data}, {"type": "result", "exitCode": 1}], 1)
    assert [(failure.trouble, failure.fatal) for failure in only(events, Failure)] == [(trouble, True)]
    assert only(events, Result) == [Result(False)]


def test_lines_of_qwen(tmp_path: Path):
    use = {"type": "tool_use", "id": "c1", "name": "run_shell_command", "input": {"command": "exit 3"}}
    usage = {"input_tokens": 4800, "output_tokens": 160, "cache_read_input_tokens": 7}
    denied = {"tool_name": "run_shell_command", "tool_input": {"command": "ls"}}
    assert run(
        tmp_path,
        "qwen",
        [
            {"type": "system", "subtype": "init", "session_id": "s1"},
            {"type": "assistant", "message": {"content": [{"type": "text", "text": "I look."}, use]}},
            {"type": "user", "message": {"content": [{"type": "tool_result", "tool_use_id": "c1", "is_error": True}]}},
            {"type": "result", "is_error": False, "result": "Done.", "usage": usage, "permission_denials": [denied]},
        ],
    ) == [
        Started("s1"),
        Text("I look."),
        Tool("c1", "run_shell_command", "exit 3", running=True),
        Tool("c1", "run_shell_command", "exit 3", ok=False),
        Denied("run_shell_command", "ls"),
        Usage(4800, 160, 7),
        Result(True, "Done."),
    ]


def test_an_error_is_known_by_its_first_words_and_never_by_others(tmp_path: Path):
    def trouble(words: str) -> Trouble:
        said = {"type": "result", "is_error": True, "error": {"message": words}}
        (failure,) = only(run(tmp_path, "qwen", [said], 1), Failure)
        return failure.trouble

    assert trouble("[API Error: 401 Incorrect API key]") is Trouble.LOGIN
    assert trouble("[API Error: 503 Busy]") is Trouble.OVERLOAD
    assert trouble("It says [API Error: 401") is Trouble.OTHER


def test_lines_of_kimi(tmp_path: Path):
    function = {"name": "Bash", "arguments": '{"command": "make test"}'}
    said = [
        {"role": "meta", "type": "system.version", "version": "2.1.0"},
        {"role": "assistant", "tool_calls": [{"type": "function", "id": "c1", "function": function}]},
        {"role": "tool", "tool_call_id": "c1", "content": "ok"},
        {"role": "assistant", "content": "Done."},
    ]
    running = Tool("c1", "Bash", "make test", running=True)
    assert run(tmp_path, "kimi", said) == [Started(), running, Tool("c1", "Bash", "make test"), Text("Done.")]


def test_an_error_on_standard_error_counts_where_the_cli_failed(tmp_path: Path):
    last = "error: failed to run prompt: provider.auth_error: 401 Incorrect key\nSee log: /home/me/kimi.log\n"
    assert run(tmp_path, "kimi", [], 0, last) == []
    assert run(tmp_path, "kimi", [], -15, last) == []
    (failure,) = run(tmp_path, "kimi", [], 1, last)
    assert (failure.trouble, failure.fatal) == (Trouble.LOGIN, True)
    assert "401 Incorrect key" in failure.message
    (failure,) = run(tmp_path, "kimi", [], 1, "Something else\n")
    assert failure.trouble is Trouble.OTHER


@pytest.mark.parametrize(
    "line", ["{}", '{"type": 7}', '{"role": "assistant", "tool_calls": {"id": 1}}', "[1]", '{"type":']
)
def test_a_line_of_no_known_form_is_no_error(tmp_path: Path, line):
    for name in presets.names():
        assert all(isinstance(event, Text) for event in run(tmp_path, name, [line]))


def test_the_providers_of_the_documents_are_those_of_the_files():
    """Each has its row, with the version that was tried, or that none was."""
    text = (ROOT / "docs" / "providers.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z]+)` \| (.*?) \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|$", text, re.MULTILINE)
    said = {}
    for name in presets.names():
        preset = presets.load(name)
        tried = f"tried, {preset.tried}" if preset.tried else "untried, from its documents"
        edits = preset.edits_means or "refused"
        said[name] = (f"{preset.title}: `{preset.install}`", f"`{preset.login}`", tried, preset.reaches, edits)
    assert {name: tuple(cells) for name, *cells in rows} == said
    assert not set(said) & set(BUILT_IN)
