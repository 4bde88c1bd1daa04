import json
import time
from pathlib import Path

import pytest
from provider_runs import follows, install, lines, only, play, request, skills

from samoloop.core.events import Denied, Failure, Result, Started, Text, Tool, Trouble, Usage
from samoloop.core.permissions import Permissions
from samoloop.providers import get
from samoloop.providers.opencode import OpencodeReader


def run(name: str, exit_code: int | None = 1):
    return play(OpencodeReader("stub/m1"), lines("opencode", name), exit_code)


def test_a_run_tells_its_words_tools_and_growing_totals():
    events = run("success", 0)
    assert events[:4] == [
        Started("ses_e0245bad8ffe8IoHvPQRTZmtra"),
        Text("I will look."),
        Tool("call_1", "bash", "echo ok > /home/me/session/x.txt; sleep 0.3; cat a.txt"),
        Usage(1000, 50, 200, 0.00321, "stub/m1"),
    ]
    assert only(events, Usage)[-1] == Usage(5000, 250, 1000, pytest.approx(0.01605), "stub/m1")
    assert events[-1] == Result(True, "done")


@pytest.mark.parametrize(
    ("name", "denied", "ok"),
    [
        ("denied", [Denied("bash", "ls ~/.config; cat ~/.config/gh/x"), Denied("write", "/tmp/no.json")], True),
        ("rejected", [Denied("write", "/tmp/no.json")], False),
    ],
)
def test_a_refused_tool_is_a_denied_permission_though_the_cli_says_nothing(name, denied, ok):
    events = run(name, 0)
    assert only(events, Denied) == denied
    assert only(events, Result)[-1].ok is ok


@pytest.mark.parametrize(
    ("name", "trouble", "words"),
    [
        ("unauthorized", Trouble.LOGIN, "Incorrect API key"),
        ("payment", Trouble.BILLING, "Insufficient balance"),
        ("quota", Trouble.BILLING, "You exceeded your current quota"),
        ("unknown-model", Trouble.MODEL, "The model does not exist"),
        ("rate", Trouble.RATE, "slow"),
        ("server-error", Trouble.OVERLOAD, "boom"),
        ("bad-request", Trouble.OTHER, "bad"),
        ("unknown-provider", Trouble.OTHER, "Unexpected server error"),
    ],
)
def test_a_failed_run_names_its_trouble_and_is_no_success(name, trouble, words):
    events = run(name)
    (failure,) = only(events, Failure)
    assert (failure.trouble, failure.fatal) == (trouble, True)
    assert words in failure.message
    assert only(events, Result) == []


def test_a_retry_after_is_told_as_a_time():
    (failure,) = only(run("rate"), Failure)
    assert abs(failure.resets_at - time.time() - 1) < 30


def test_an_overflow_that_compaction_does_not_mend_is_fatal_the_third_time():
    overflows = only(run("overflow", None), Failure)
    assert [(failure.trouble, failure.fatal) for failure in overflows] == [
        (Trouble.CONTEXT, False),
        (Trouble.CONTEXT, False),
        (Trouble.CONTEXT, True),
    ]


def test_an_overflow_that_compaction_mends_is_not_fatal():
    overflow, *compaction = lines("opencode", "overflow")[:5]
    events = play(OpencodeReader(None), [overflow, *compaction, *lines("opencode", "success")] * 3, 0)
    assert not any(failure.fatal for failure in only(events, Failure))
    assert events[-1].ok


def test_an_overflow_that_ends_the_run_is_fatal():
    (first, last) = play(OpencodeReader(None), lines("opencode", "overflow")[:1], 1)[1:]
    assert (first.fatal, last.fatal, last.trouble) == (False, True, Trouble.CONTEXT)


def test_an_answer_cut_at_its_length_is_no_success():
    events = run("cut", 0)
    assert [failure.message for failure in only(events, Failure)] == ["the model's answer was cut at its length limit"]
    assert only(events, Result)[-1].ok is False


def test_a_lost_network_is_known_by_the_missing_status():
    error = {"type": "error", "error": {"name": "APIError", "data": {"message": "refused", "isRetryable": True}}}
    (failure,) = only(OpencodeReader(None).feed(json.dumps(error).encode()), Failure)
    assert failure.trouble is Trouble.NETWORK


@pytest.mark.parametrize(("exit_code", "failures"), [(1, 1), (0, 0), (-15, 0), (None, 0)])
def test_an_end_without_a_word_is_a_failure_unless_a_signal_made_it(exit_code, failures):
    events = OpencodeReader(None).finish(exit_code, "Session not found\n")
    assert [type(event) for event in events] == [Failure] * failures


def launch(folder: Path, settings=None, **changes):
    return get("opencode", settings, install(folder, "opencode")).launch(request(folder, **changes))


def test_the_child_has_a_configuration_of_its_own_and_may_do_everything(tmp_path: Path):
    mine = tmp_path / ".config"
    (mine / "opencode").mkdir(parents=True)
    (mine / "opencode" / "opencode.json").write_text('{"mcp": {}}')
    (mine / "gh").mkdir()
    started = launch(tmp_path, model="a/b", skills=skills(tmp_path), offered=("create-plan",))
    assert follows(started.argv, "run", "--format", "json", "--title=fix auth, testing 3", "--auto", "--model", "a/b")
    folder = Path(started.env["XDG_CONFIG_HOME"])
    assert folder.parent == tmp_path / "session" / "_logs"
    assert "mcp" not in json.loads((folder / "opencode" / "opencode.json").read_text())
    assert (folder / "opencode" / "skills" / "create-plan" / "SKILL.md").is_file()
    assert (folder / "gh").resolve() == mine / "gh"  # other programs find what is theirs
    assert started.env["OPENCODE_PURE"] == "1"
    assert "OPENCODE_PERMISSION" not in started.env


def test_a_second_child_finds_the_first_ones_configuration(tmp_path: Path):
    asked = request(tmp_path, skills=skills(tmp_path), offered=("create-plan",))
    (tmp_path / ".config" / "gh").mkdir(parents=True)
    provider = get("opencode", {}, install(tmp_path, "opencode"))
    assert provider.launch(asked) == provider.launch(asked)


def test_restrained_permissions_reach_the_worktree_the_session_and_the_skills_only(tmp_path: Path):
    folder = skills(tmp_path)
    started = launch(tmp_path, permissions=Permissions.EDITS, skills=folder)
    assert "--auto" not in started.argv
    assert json.loads(started.env["OPENCODE_PERMISSION"]) == {
        "external_directory": {"*": "deny", f"{tmp_path / 'session'}/*": "allow", f"{folder}/*": "allow"}
    }


def test_the_configuration_has_the_last_word(tmp_path: Path):
    started = launch(tmp_path, {"args": ["--variant", "high"], "env": {"OPENCODE_PURE": "0"}})
    assert started.argv[-2:] == ["--variant", "high"]
    assert started.env["OPENCODE_PURE"] == "0"


def test_a_checkup_knows_a_stored_login_and_says_what_does_not_reach_a_child(tmp_path: Path):
    environ = install(tmp_path, "opencode", "echo 1.18.33")
    provider = get("opencode", {}, environ)
    (tmp_path / ".config" / "opencode").mkdir(parents=True)
    (tmp_path / ".config" / "opencode" / "opencode.jsonc").write_text("{}")
    before = provider.checkup(environ)
    assert (before.version, before.logged_in) == ("1.18.33", None)
    assert "OPENCODE_CONFIG" in before.advice
    stored = tmp_path / ".local" / "share" / "opencode" / "auth.json"
    stored.parent.mkdir(parents=True)
    stored.write_text('{"anthropic": {"type": "api", "key": "k"}}')
    assert (provider.checkup(environ).logged_in, provider.checkup(environ).advice) == (True, "")
