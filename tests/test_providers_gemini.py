import json
from pathlib import Path

import pytest
from provider_runs import RUNS, follows, install, lines, only, play, request, skills

from samoloop.core.events import Denied, Failure, Result, Started, Text, Tool, Trouble, Usage
from samoloop.core.permissions import Permissions
from samoloop.providers import get
from samoloop.providers.gemini import GeminiReader


def run(name: str, exit_code: int | None = 0):
    log = RUNS / "gemini" / f"{name}.err"
    return play(GeminiReader(), lines("gemini", name), exit_code, log.read_text() if log.exists() else "")


def test_a_run_tells_its_start_words_tools_tokens_and_end():
    events = run("success")
    first = only(events, Tool)[0]
    assert events[:2] == [Started("5c859e87-ce08-4c6d-99ad-90935f7cb6e2"), Text("I will look.")]
    assert (first.name, first.detail, first.running) == ("run_shell_command", "echo hi > /home/me/session/g.txt", True)
    assert events[-3:] == [Text("done"), Usage(9000, 450, 1800, None, "gemini-2.5-pro"), Result(True, "done")]


def test_every_tool_that_started_is_over_at_the_end():
    tools = only(run("success"), Tool)
    assert {tool.id for tool in tools if tool.running} == {tool.id for tool in tools if not tool.running}
    assert [tool.name for tool in tools if not tool.running and not tool.ok] == [
        "run_shell_command",  # blocked
        "write_file",  # outside the workspace
        "nonesuch",
    ]


def test_a_blocked_command_and_a_path_outside_are_denied_permissions():
    assert only(run("success"), Denied) == [
        Denied("run_shell_command", "echo $(date)"),
        Denied("write_file", "/tmp/w.json"),
    ]


def test_pieces_of_a_message_are_one_text():
    pieces = [{"type": "message", "role": "assistant", "content": part, "delta": True} for part in ("One ", "two")]
    reader = GeminiReader()
    assert [reader.feed(json.dumps(piece).encode()) for piece in pieces] == [[], []]
    assert reader.finish(-15, "") == [Text("One two")]


def test_the_prompt_that_the_cli_repeats_is_not_the_models():
    assert "Please do the thing" not in str(run("success"))


@pytest.mark.parametrize(
    ("name", "exit_code", "trouble", "words"),
    [
        ("bad-key", 144, Trouble.LOGIN, "API key not valid"),
        ("unauthorized", 145, Trouble.LOGIN, "unauth"),
        ("forbidden", 147, Trouble.LOGIN, "denied"),
        ("unknown-model", 1, Trouble.MODEL, "models/x is not found"),
        ("rate", 173, Trouble.RATE, "Resource exhausted"),
        ("daily-quota", 173, Trouble.USAGE_LIMIT, "exhausted your daily quota"),
        ("overloaded", 247, Trouble.OVERLOAD, "overloaded"),
        ("refused", 1, Trouble.NETWORK, "fetch failed"),
        ("too-long", 144, Trouble.CONTEXT, "exceeds the maximum number of tokens"),
        ("empty", 0, Trouble.OTHER, "empty response"),
        ("safety", 0, Trouble.OTHER, "safety settings"),
        ("loop", 0, Trouble.OTHER, "Loop detected"),
        ("no-key", 41, Trouble.LOGIN, "exit code 41"),
        ("untrusted", 55, Trouble.OTHER, "exit code 55"),
    ],
)
def test_a_failed_run_names_its_trouble_and_is_no_success(name, exit_code, trouble, words):
    events = run(name, exit_code)
    (fatal,) = [event for event in only(events, Failure) if event.fatal]
    assert fatal.trouble is trouble
    assert words in fatal.message
    assert not any(result.ok for result in only(events, Result))


@pytest.mark.parametrize("exit_code", [0, -9, 143, None])
def test_an_end_that_a_signal_made_is_no_failure(exit_code):
    events = play(GeminiReader(), lines("gemini", "success")[:-1], exit_code)
    assert only(events, Failure) == only(events, Result) == []


def launch(folder: Path, settings=None, environ=(), **changes):
    found = install(folder, "gemini")
    return get("gemini", settings, found).launch(request(folder, environ={**found, **dict(environ)}, **changes))


def written(started) -> dict:
    return json.loads((Path(started.env["GEMINI_CLI_HOME"]) / ".gemini" / "settings.json").read_text())


def test_the_child_has_a_home_of_its_own_with_the_persons_login(tmp_path: Path):
    mine = tmp_path / ".gemini"
    mine.mkdir()
    (mine / "settings.json").write_text(
        '{// mine\n"mcpServers": {}, "security": {"auth": {"selectedType": "oauth-personal"}}}'
    )
    (mine / "oauth_creds.json").write_text("{}")
    (mine / "GEMINI.md").write_text("Speak like a pirate.")
    started = launch(tmp_path, model="gemini-3", skills=skills(tmp_path), offered=("create-plan",))
    assert follows(started.argv, "--approval-mode", "yolo")
    assert follows(started.argv, "--model", "gemini-3")
    home = Path(started.env["GEMINI_CLI_HOME"])
    assert home.parent == tmp_path / "session" / "_logs"
    assert (home / ".gemini" / "oauth_creds.json").resolve() == mine / "oauth_creds.json"
    assert (home / ".gemini" / "skills" / "create-plan" / "SKILL.md").is_file()
    assert not (home / ".gemini" / "GEMINI.md").exists()
    settings = written(started)
    assert settings["security"] == {"auth": {"selectedType": "oauth-personal"}}
    assert settings["context"]["includeDirectories"] == [str(tmp_path / "session")]
    assert settings["general"]["maxAttempts"] == 3
    assert settings["mcpServers"] == {}


@pytest.mark.parametrize(
    ("environ", "kind"),
    [
        ({"GEMINI_API_KEY": "k", "GOOGLE_GEMINI_BASE_URL": "http://localhost:1"}, "gemini-api-key"),
        ({"GOOGLE_GENAI_USE_VERTEXAI": "true", "GEMINI_API_KEY": "k"}, "vertex-ai"),
        ({"GOOGLE_GENAI_USE_GCA": "true"}, "oauth-personal"),
        ({}, None),
    ],
)
def test_the_kind_of_login_is_written_down_where_the_environment_implies_it(tmp_path: Path, environ, kind):
    security = written(launch(tmp_path, environ=environ)).get("security")
    assert security == ({"auth": {"selectedType": kind}} if kind else None)


def test_restrained_permissions_edit_files_only(tmp_path: Path):
    assert follows(launch(tmp_path, permissions=Permissions.EDITS).argv, "--approval-mode", "auto_edit")


def test_a_second_child_finds_the_first_ones_home(tmp_path: Path):
    (tmp_path / ".gemini").mkdir()
    (tmp_path / ".gemini" / "installation_id").write_text("x")
    provider = get("gemini", {}, install(tmp_path, "gemini"))
    asked = request(tmp_path, skills=skills(tmp_path), offered=("create-plan",))
    assert provider.launch(asked) == provider.launch(asked)


@pytest.mark.parametrize(
    ("environ", "files", "logged_in"),
    [
        ({}, {}, False),
        ({"GEMINI_API_KEY": "k"}, {}, True),
        ({}, {".env": "GEMINI_API_KEY=k"}, None),
        ({}, {"settings.json": '{"selectedType": "oauth-personal"}', "oauth_creds.json": "{}"}, True),
        ({}, {"settings.json": '{"selectedType": "oauth-personal"}'}, None),
        ({}, {"settings.json": '{"selectedType": "vertex-ai"}'}, None),
    ],
)
def test_a_checkup_knows_the_login_from_files_and_environment(tmp_path: Path, environ, files, logged_in):
    found = install(tmp_path, "gemini", "echo 0.61.0")
    (tmp_path / ".gemini").mkdir()
    for name, content in files.items():
        (tmp_path / ".gemini" / name).write_text(content)
    checkup = get("gemini", {}, found).checkup({**found, **environ})
    assert (checkup.version, checkup.logged_in) == ("0.61.0", logged_in)
    assert ("GEMINI_API_KEY" in checkup.advice) is (logged_in is False)
