import json
from pathlib import Path

import pytest
from provider_runs import follows, install, lines, only, play, request, skills

from samoloop.base.errors import ProviderError
from samoloop.core.events import Denied, Failure, Result, Started, Text, Tool, Trouble, Usage
from samoloop.core.permissions import Permissions
from samoloop.providers import get
from samoloop.providers.claude import ClaudeReader


def run(name: str, exit_code: int | None = 1):
    return play(ClaudeReader(), lines("claude", name), exit_code)


def test_a_run_tells_its_start_words_tools_cost_and_end():
    assert run("success", 0) == [
        Started("11e36efc-c0ce-41df-ace9-b2d8e43e303f"),
        Text("I will look."),
        Tool("toolu_0001", "Bash", "echo hi; echo $FROM_USER_SETTINGS", running=True),
        Tool("toolu_0001", "Bash", "echo hi; echo $FROM_USER_SETTINGS"),
        Text("done"),
        Usage(2400, 100, 400, pytest.approx(0.0127), "claude-opus-4-8[1m]"),
        Result(True, "done"),
    ]


@pytest.mark.parametrize(
    ("name", "trouble", "words"),
    [
        ("unauthorized", Trouble.LOGIN, "Invalid API key"),
        ("not-logged-in", Trouble.LOGIN, "Not logged in"),
        ("billing", Trouble.BILLING, "Credit balance is too low"),
        ("unknown-model", Trouble.MODEL, "issue with the selected model (nope)"),
        ("rate", Trouble.RATE, "Request rejected (429)"),
        ("usage-limit", Trouble.USAGE_LIMIT, "You've hit your session limit"),
        ("overloaded", Trouble.OVERLOAD, "529 Overloaded"),
        ("refused", Trouble.NETWORK, "Unable to connect to API (ConnectionRefused)"),
        ("prompt-too-long", Trouble.CONTEXT, "Prompt is too long"),
        ("max-turns", Trouble.OTHER, "Reached maximum number of turns (1)"),
    ],
)
def test_a_failed_run_names_its_trouble_and_is_no_success(name, trouble, words):
    events = run(name)
    (fatal,) = [event for event in only(events, Failure) if event.fatal]
    assert fatal.trouble is trouble
    assert words in fatal.message
    assert only(events, Result)[-1].ok is False


def test_a_usage_limit_says_when_it_ends():
    limits = only(run("usage-limit"), Failure)
    assert [(limit.fatal, limit.resets_at) for limit in limits] == [(False, 1795300000.0), (True, 1795300000.0)]


def test_a_rate_limit_event_that_allows_the_run_is_no_limit():
    assert only(run("subscription", 0), Failure) == []


def test_a_limit_that_paid_overage_covers_is_no_limit():
    info = {"status": "rejected", "isUsingOverage": True, "resetsAt": 1795300000}
    assert ClaudeReader().feed(json.dumps({"type": "rate_limit_event", "rate_limit_info": info}).encode()) == []


def test_a_retry_is_told_but_not_fatal():
    (retry,) = [event for event in only(run("overloaded"), Failure) if not event.fatal]
    assert retry.trouble is Trouble.OVERLOAD
    assert retry.message == "retry 1 of 1: overloaded"


def test_a_refused_tool_is_a_denied_permission_though_the_run_succeeds():
    events = run("denied", 0)
    assert only(events, Denied) == [Denied("Bash", "npm test")]
    assert not only(events, Tool)[-1].ok
    assert only(events, Result) == [Result(True, "done")]


def test_a_second_result_does_not_repeat_the_denials_of_the_first():
    recorded = lines("claude", "denied")
    assert len(only(play(ClaudeReader(), [*recorded, recorded[-1]]), Denied)) == 1


def test_the_tools_of_a_subagent_are_seen_and_its_words_are_not_the_models():
    events = run("subagent", 0)
    assert Tool("toolu_0009", "Bash", "echo sub", running=True) in events
    assert [text.text for text in only(events, Text)] == ["done"]
    assert only(events, Usage)[-1].output_tokens == 350


def test_our_own_interrupt_is_no_failure_of_the_cli():
    events = run("interrupted")
    assert only(events, Failure) == only(events, Result) == []
    assert only(events, Usage)[0].output_tokens == 50


def test_an_api_error_whose_result_is_lost_still_counts():
    events = play(ClaudeReader(), lines("claude", "unauthorized")[:-1], exit_code=1)
    assert [event.trouble for event in only(events, Failure) if event.fatal] == [Trouble.LOGIN]


@pytest.mark.parametrize(("exit_code", "failures"), [(1, 1), (0, 0), (143, 0), (-9, 0), (None, 0)])
def test_an_end_without_a_result_is_a_failure_unless_a_signal_may_have_made_it(exit_code, failures):
    events = play(ClaudeReader(), lines("claude", "success")[:-1], exit_code, "error: unknown option '--x'\n")
    assert len(only(events, Failure)) == failures
    assert only(events, Result) == []


def test_the_command_keeps_the_persons_own_setup_out_and_may_do_everything(tmp_path: Path):
    environ = install(tmp_path, "claude")
    launch = get("claude", {}, environ).launch(request(tmp_path, model="opus", effort="standard"))
    assert launch.argv[0] == str(tmp_path / "bin" / "claude")
    assert launch.prompt_on_stdin
    assert follows(launch.argv, "--setting-sources", "project", "--strict-mcp-config")
    assert follows(launch.argv, "--add-dir", str(tmp_path / "session"))
    assert follows(launch.argv, "--model", "opus")
    assert follows(launch.argv, "--effort", "medium")
    assert "--dangerously-skip-permissions" in launch.argv
    assert launch.env["IS_SANDBOX"] == "1"
    assert "CLAUDECODE" in launch.unset


def test_restrained_permissions_accept_edits_only(tmp_path: Path):
    environ = install(tmp_path, "claude")
    launch = get("claude", {}, environ).launch(request(tmp_path, permissions=Permissions.EDITS))
    assert follows(launch.argv, "--permission-mode", "acceptEdits")
    assert "--dangerously-skip-permissions" not in launch.argv
    assert "IS_SANDBOX" not in launch.env


def test_skills_are_offered_as_a_plugin_beside_the_logs(tmp_path: Path):
    provider = get("claude", {}, install(tmp_path, "claude"))
    asked = request(tmp_path, skills=skills(tmp_path), offered=("create-plan",))
    provider.launch(asked)
    launch = provider.launch(asked)  # a second child finds the first one's plugin there
    plugin = tmp_path / "session" / "_logs" / "claude-plugin"
    assert follows(launch.argv, "--plugin-dir", str(plugin))
    assert (plugin / "skills" / "create-plan" / "SKILL.md").is_file()
    assert json.loads((plugin / ".claude-plugin" / "plugin.json").read_text())["name"] == "samoloop"
    assert list((tmp_path / "worktree").iterdir()) == []


def test_the_configuration_has_the_last_word(tmp_path: Path):
    install(tmp_path, "my-claude")
    settings = {
        "path": str(tmp_path / "bin" / "my-claude"),
        "args": ["--max-turns", "9"],
        "env": {"CLAUDE_CODE_MAX_RETRIES": "7"},
    }
    launch = get("claude", settings, {"PATH": "/nowhere"}).launch(request(tmp_path))
    assert launch.argv[0].endswith("my-claude")
    assert launch.argv[-2:] == ["--max-turns", "9"]
    assert launch.env["CLAUDE_CODE_MAX_RETRIES"] == "7"


def test_claude_path_names_the_program(tmp_path: Path):
    install(tmp_path, "other")
    environ = {"PATH": "/nowhere", "CLAUDE_PATH": str(tmp_path / "bin" / "other")}
    assert get("claude", {}, environ).launch(request(tmp_path)).argv[0].endswith("/bin/other")


def test_a_missing_program_names_the_way_to_get_it(tmp_path: Path):
    with pytest.raises(ProviderError, match=r"'claude' is not on PATH.*npm install -g @anthropic-ai/claude-code"):
        get("claude", {}, {"PATH": str(tmp_path)}).launch(request(tmp_path))


def test_an_unknown_effort_is_refused(tmp_path: Path):
    with pytest.raises(ProviderError, match="low, standard, high, max"):
        get("claude", {}, install(tmp_path, "claude")).launch(request(tmp_path, effort="huge"))


SAYS = """case "$*" in
--version) echo "{version} (Claude Code)";;
"--setting-sources project auth status") printf '{{\\n"loggedIn": {logged_in},\\n"email": "x"\\n}}\\n';;
*) exit 1;; esac"""


@pytest.mark.parametrize(
    ("version", "logged_in", "advice"),
    [("2.1.197", "true", ""), ("2.1.197", "false", "claude auth login"), ("1.0.3", "true", "claude update")],
)
def test_a_checkup_asks_claude_itself(tmp_path: Path, version, logged_in, advice):
    environ = install(tmp_path, "claude", SAYS.format(version=version, logged_in=logged_in))
    checkup = get("claude", {}, environ).checkup(environ)
    assert checkup.found == str(tmp_path / "bin" / "claude")
    assert checkup.version == version
    assert checkup.logged_in is (logged_in == "true")
    assert advice in checkup.advice and bool(advice) == bool(checkup.advice)


def test_a_checkup_without_the_program_says_how_to_get_it(tmp_path: Path):
    checkup = get("claude", {}, {"PATH": str(tmp_path)}).checkup({"PATH": str(tmp_path)})
    assert checkup.found is None
    assert "npm install" in checkup.advice
