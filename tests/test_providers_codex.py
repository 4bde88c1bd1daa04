import os
import time
from datetime import datetime
from pathlib import Path

import pytest
from provider_runs import RUNS, follows, install, lines, only, play, request

from samoloop.core.events import Denied, Failure, Result, Started, Text, Tool, Trouble, Usage
from samoloop.core.permissions import Permissions
from samoloop.providers import get
from samoloop.providers.codex import CodexReader
from samoloop.providers.codex_errors import failure_of


def run(name: str, exit_code: int | None = 1, stderr: str = ""):
    return play(CodexReader("gpt-6"), lines("codex", name), exit_code, stderr)


def test_a_run_tells_its_start_words_tools_tokens_and_end():
    command = "/bin/bash -lc 'echo hi; echo $FROM_CODEX_CFG'"
    assert run("success", 0) == [
        Started("01a1fdaa-80fa-7833-a580-adee2cc338b9"),
        Text("I will look."),
        Tool("item_1", "command_execution", command, running=True),
        Tool("item_1", "command_execution", command),
        Text("done"),
        Usage(2000, 100, 400, None, "gpt-6"),
        Result(True, "done"),
    ]


def test_a_command_that_fails_is_a_failed_tool_and_no_failure_of_the_cli():
    events = run("commands", 0)
    assert [(tool.ok, tool.running) for tool in only(events, Tool)] == [
        (True, True),
        (True, False),
        (True, True),
        (False, False),
    ]
    assert [failure.fatal for failure in only(events, Failure)] == [False]  # a warning about the model's name
    assert only(events, Result) == [Result(True, "done")]


def test_what_the_sandbox_refused_is_told_from_codexs_own_log():
    stderr = (RUNS / "codex" / "sandboxed.err").read_text()
    events = run("sandboxed", 0, stderr)
    assert [denied.tool for denied in only(events, Denied)] == ["apply_patch", "exec_command"]
    assert "writing outside of the project" in only(events, Denied)[0].detail
    assert Tool("item_1", "file_change", "/home/me/worktree/n.txt") in events


def test_words_that_only_quote_the_log_are_no_refusal():
    stderr = "the log said: 2026-11-21 ERROR codex_core::tools::router: error=patch rejected: x"
    assert only(run("success", 0, stderr), Denied) == []


def test_a_declined_command_is_a_denied_permission():
    line = (
        b'{"type":"item.completed","item":{"id":"1","type":"command_execution","command":"rm x","status":"declined"}}'
    )
    assert CodexReader(None).feed(line) == [
        Tool("1", "command_execution", "rm x", ok=False),
        Denied("command_execution", "rm x"),
    ]


@pytest.mark.parametrize(
    ("name", "trouble"),
    [
        ("unauthorized", Trouble.LOGIN),
        ("forbidden", Trouble.LOGIN),
        ("no-key", Trouble.LOGIN),
        ("payment", Trouble.BILLING),
        ("quota", Trouble.BILLING),
        ("not-in-plan", Trouble.BILLING),
        ("usage-limit", Trouble.USAGE_LIMIT),
        ("usage-limit-days", Trouble.USAGE_LIMIT),
        ("usage-limit-admin", Trouble.USAGE_LIMIT),
        ("rate", Trouble.RATE),
        ("rate-limit-exceeded", Trouble.RATE),
        ("server-error", Trouble.OVERLOAD),
        ("overloaded", Trouble.OVERLOAD),
        ("capacity", Trouble.OVERLOAD),
        ("refused", Trouble.NETWORK),
        ("unknown-model", Trouble.MODEL),
        ("context", Trouble.CONTEXT),
        ("bad-request", Trouble.OTHER),
    ],
)
def test_a_failed_run_names_its_trouble_once(name, trouble):
    events = run(name)
    assert [failure.trouble for failure in only(events, Failure) if failure.fatal] == [trouble]
    assert [result.ok for result in only(events, Result)] == [False]


def test_a_retry_is_told_but_not_fatal():
    retries = [failure for failure in only(run("overloaded"), Failure) if not failure.fatal]
    assert [retry.trouble for retry in retries] == [Trouble.OVERLOAD]
    assert retries[0].message.startswith("Reconnecting... 1/1")


@pytest.fixture
def new_york():
    before = os.environ.get("TZ")
    os.environ["TZ"] = "America/New_York"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize(
    ("words", "now", "resets_at"),
    [
        ("try again at 11:34 AM.", (2026, 11, 21, 9, 30), (2026, 11, 21, 11, 35)),
        ("Visit x or try again at Nov 25th, 2026 2:34 PM.", (2026, 11, 21, 9, 30), (2026, 11, 25, 14, 35)),
        ("try again at 12:10 AM.", (2026, 11, 21, 23, 59), (2026, 11, 22, 0, 11)),
        ("Try again later.", (2026, 11, 21, 9, 30), None),
        ("try again at 99:99 AM.", (2026, 11, 21, 9, 30), None),
    ],
)
def test_a_usage_limit_names_its_end_in_local_time(new_york, words, now, resets_at):
    failure = failure_of(f"You’ve hit your usage limit. {words}", datetime(*now).timestamp())  # noqa: DTZ001
    assert failure.trouble is Trouble.USAGE_LIMIT
    assert failure.resets_at == (datetime(*resets_at).timestamp() if resets_at else None)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("words", "trouble"),
    [
        ("he said: You’ve hit your usage limit.", Trouble.OTHER),
        ("the limit is 401", Trouble.OTHER),
        ('{"detail":"The \'o9\' model is not supported when using Codex with a ChatGPT account."}', Trouble.MODEL),
        ('{"error":{"code":"context_length_exceeded","message":"x"}}', Trouble.CONTEXT),
        ("Your access token could not be refreshed because your refresh token was revoked.", Trouble.LOGIN),
        ("Connection failed: error sending request", Trouble.NETWORK),
        ("", Trouble.OTHER),
    ],
)
def test_only_codexs_own_sentences_count_from_their_first_character(words, trouble):
    failure = failure_of(words, 0)
    assert failure.trouble is trouble
    assert failure.message


@pytest.mark.parametrize(("exit_code", "failures"), [(1, 1), (-15, 0), (None, 0)])
def test_an_end_without_a_result_is_a_failure_unless_a_signal_made_it(exit_code, failures):
    events = play(CodexReader(None), lines("codex", "success")[:-1], exit_code)
    assert len(only(events, Failure)) == failures
    assert only(events, Result) == []


def test_an_error_whose_failed_turn_is_lost_still_counts():
    events = play(CodexReader(None), lines("codex", "unauthorized")[:-1], 1)
    assert [failure.trouble for failure in only(events, Failure) if failure.fatal] == [Trouble.LOGIN]


def launch(folder: Path, settings=None, **changes):
    return get("codex", settings, install(folder, "codex")).launch(request(folder, **changes))


def test_the_command_keeps_the_persons_own_setup_out_and_may_do_everything(tmp_path: Path):
    started = launch(tmp_path, model="gpt-6", effort="max")
    assert started.argv[0] == str(tmp_path / "bin" / "codex")
    assert started.argv[-1] == "-" and started.prompt_on_stdin
    assert follows(started.argv, "--ignore-user-config", "--ignore-rules", "--disable", "hooks")
    assert follows(started.argv, "--disable", "unbounded_connection_retries")
    assert follows(started.argv, "-C", str(tmp_path / "worktree"))
    assert follows(started.argv, "--model", "gpt-6", "-c", "model_reasoning_effort=xhigh")
    assert "--dangerously-bypass-approvals-and-sandbox" in started.argv


def test_restrained_permissions_write_in_the_worktree_and_the_session_only(tmp_path: Path):
    started = launch(tmp_path, permissions=Permissions.EDITS)
    assert follows(started.argv, "--sandbox", "workspace-write", "--add-dir", str(tmp_path / "session"))
    assert "--dangerously-bypass-approvals-and-sandbox" not in started.argv


def test_the_persons_skills_are_switched_off_one_by_one(tmp_path: Path):
    mine = [tmp_path / home / "skills" / name / "SKILL.md" for home, name in [(".agents", "a"), (".codex", "b")]]
    for skill in mine:
        skill.parent.mkdir(parents=True)
        skill.write_text("---\nname: x\n---\n")
    rules = ",".join(f'{{path="{skill}",enabled=false}}' for skill in mine)
    assert follows(launch(tmp_path).argv, "-c", f"skills.config=[{rules}]")


def test_a_login_kept_in_the_keyring_is_still_found(tmp_path: Path):
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".codex" / "config.toml").write_text('cli_auth_credentials_store = "keyring"\nmodel = "mine"\n')
    argv = launch(tmp_path).argv
    assert follows(argv, "-c", 'cli_auth_credentials_store="keyring"')
    assert not any("mine" in arg for arg in argv)


def test_the_configuration_has_the_last_word(tmp_path: Path):
    settings = {"args": ["-c", "model_provider=x"], "env": {"X_KEY": "k"}}
    started = launch(tmp_path, settings)
    assert started.argv[-3:] == ["-c", "model_provider=x", "-"]
    assert started.env == {"X_KEY": "k"}


def node_package(folder: Path, binary: Path) -> None:
    """Codex as npm installs it: a Node shim on PATH, the native binary in the platform's package."""
    shim = folder / "lib" / "node_modules" / "@openai" / "codex" / "bin" / "codex.js"
    shim.parent.mkdir(parents=True)
    shim.write_text("#!/usr/bin/env node\n")
    shim.chmod(0o755)
    (folder / "bin").mkdir()
    (folder / "bin" / "codex").symlink_to(shim)
    binary.parent.mkdir(parents=True)
    binary.write_text("#!/bin/sh\necho codex-cli 0.169.0\n")
    binary.chmod(0o755)


@pytest.mark.parametrize("where", ["codex-linux-x64", "codex/node_modules/@openai/codex-linux-x64"])
def test_the_native_binary_is_started_instead_of_npms_shim(tmp_path: Path, where):
    binary = tmp_path / "lib/node_modules/@openai" / where / "vendor/x86_64-unknown-linux-musl/bin/codex"
    node_package(tmp_path, binary)
    provider = get("codex", {}, {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.defpath}"})
    assert provider.launch(request(tmp_path)).argv[0] == str(binary)


def test_a_shim_without_a_native_binary_is_started_itself(tmp_path: Path):
    node_package(tmp_path, tmp_path / "elsewhere" / "codex")
    provider = get("codex", {}, {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.defpath}"})
    assert provider.launch(request(tmp_path)).argv[0] == str(tmp_path / "bin" / "codex")


SAYS = 'case "$*" in --version) echo "codex-cli {version}";; "login status") exit {login};; esac'


@pytest.mark.parametrize(
    ("version", "login", "logged_in", "advice"),
    [
        ("0.169.0", 0, True, ""),
        ("0.169.0", 1, False, "codex login"),
        ("0.42.0", 0, True, "npm install -g @openai/codex"),
    ],
)
def test_a_checkup_asks_codex_itself(tmp_path: Path, version, login, logged_in, advice):
    environ = install(tmp_path, "codex", SAYS.format(version=version, login=login))
    checkup = get("codex", {}, environ).checkup(environ)
    assert (checkup.version, checkup.logged_in, list(checkup.leaks)) == (version, logged_in, [])
    assert advice in checkup.advice and bool(advice) == bool(checkup.advice)


def test_a_checkup_believes_a_key_in_the_environment(tmp_path: Path):
    environ = install(tmp_path, "codex", SAYS.format(version="0.169.0", login=1))
    assert get("codex", {}, environ).checkup({**environ, "CODEX_API_KEY": "k"}).logged_in is True


def test_a_checkup_cannot_tell_the_login_of_another_endpoint(tmp_path: Path):
    environ = install(tmp_path, "codex", SAYS.format(version="0.169.0", login=1))
    checkup = get("codex", {"args": ["-c", "model_provider=x"]}, environ).checkup(environ)
    assert (checkup.logged_in, checkup.advice) == (None, "")


def test_a_checkup_names_what_still_reaches_a_child(tmp_path: Path):
    environ = install(tmp_path, "codex", SAYS.format(version="0.169.0", login=0))
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".codex" / "AGENTS.md").write_text("Speak like a pirate.\n")
    (tmp_path / ".codex" / "config.toml").write_text('model_provider = "azure"\n')
    checkup = get("codex", {}, environ).checkup(environ)
    assert [str(tmp_path / ".codex" / "AGENTS.md") in leak for leak in checkup.leaks] == [True]
    assert "providers.codex.args" in checkup.advice
