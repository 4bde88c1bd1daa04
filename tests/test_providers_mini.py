import shutil
from pathlib import Path

import pytest
from provider_runs import RUNS, follows, install, only, play, request

from samoloop.base.errors import ProviderError
from samoloop.core.events import Event, Failure, Result, Started, Text, Trouble, Usage
from samoloop.core.permissions import Permissions
from samoloop.providers import get
from samoloop.providers.mini import MiniReader


def run(folder: Path, name: str, exit_code: int | None = 1) -> list[Event]:
    trajectory = folder / "003-testing.traj.json"
    shutil.copy(RUNS / "mini" / f"{name}.traj.json", trajectory)
    stderr = (RUNS / "mini" / f"{name}.err").read_text()
    return MiniReader(trajectory, None).finish(exit_code, stderr)


def test_a_run_ends_with_the_totals_and_the_answer_of_its_trajectory(tmp_path: Path):
    assert run(tmp_path, "success", 0) == [Usage(3000, 150, 600, None, "openai/m1"), Result(True, "all good\n")]


def test_what_it_prints_is_shown_as_it_comes(tmp_path: Path):
    printed = (RUNS / "mini" / "success.txt").read_bytes().splitlines()
    events = play(MiniReader(tmp_path / "none.json", "m"), printed, None)
    assert isinstance(events[0], Started)
    assert len(only(events, Started)) == 1
    assert Text("I will look.") in events


@pytest.mark.parametrize(
    ("name", "exit_code", "trouble", "words"),
    [
        ("unauthorized", 1, Trouble.LOGIN, "Incorrect API key provided"),
        ("unknown-model", 1, Trouble.MODEL, "The model m1 does not exist"),
        ("rate", 1, Trouble.RATE, "slow"),
        ("server-error", 1, Trouble.OVERLOAD, "boom"),
        ("limit", 0, Trouble.OTHER, "LimitsExceeded"),
        ("format", 0, Trouble.OTHER, "RepeatedFormatError"),
    ],
)
def test_a_failed_run_names_its_trouble_and_is_no_success(tmp_path: Path, name, exit_code, trouble, words):
    events = run(tmp_path, name, exit_code)
    (failure,) = only(events, Failure)
    assert (failure.trouble, failure.fatal) == (trouble, True)
    assert words in failure.message
    assert not any(result.ok for result in only(events, Result))


def test_an_exception_before_the_first_step_is_known_by_its_last_line(tmp_path: Path):
    (failure,) = MiniReader(tmp_path / "none.json", None).finish(
        1, "…\nlitellm.exceptions.AuthenticationError: no key\n"
    )
    assert (failure.trouble, failure.message) == (Trouble.LOGIN, "no key")


def test_what_an_exception_says_is_known_when_standard_error_wraps_it(tmp_path: Path):
    trajectory = tmp_path / "t.json"
    shutil.copy(RUNS / "mini" / "unauthorized.traj.json", trajectory)
    (failure,) = only(MiniReader(trajectory, None).finish(1, "AuthenticationError: Incorrect\nkey.\n"), Failure)
    assert "Incorrect API key provided" in failure.message


def test_an_endpoint_that_cannot_be_reached_is_told_from_one_that_is_overloaded(tmp_path: Path):
    last = (
        "InternalServerError: litellm.InternalServerError: InternalServerError: OpenAIException - Connection error.\n"
    )
    (failure,) = MiniReader(tmp_path / "none.json", None).finish(1, last)
    assert failure.trouble is Trouble.NETWORK


def test_words_within_a_line_are_no_exception(tmp_path: Path):
    (failure,) = MiniReader(tmp_path / "none.json", None).finish(1, "he said AuthenticationError: no\n")
    assert failure.trouble is Trouble.OTHER


@pytest.mark.parametrize("exit_code", [-15, 143, None])
def test_an_end_that_a_signal_made_is_no_failure(tmp_path: Path, exit_code):
    assert only(run(tmp_path, "limit", exit_code), Failure) == []


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b'{"info": [], "messages": {}}', b'{"messages": [1]}'])
def test_a_damaged_trajectory_is_no_error(tmp_path: Path, content):
    trajectory = tmp_path / "t.json"
    trajectory.write_bytes(content)
    events = MiniReader(trajectory, None).finish(1, "Aborted.")
    assert [failure.trouble for failure in only(events, Failure)] == [Trouble.OTHER]


def test_a_trajectory_that_is_a_link_is_not_followed(tmp_path: Path):
    shutil.copy(RUNS / "mini" / "success.traj.json", tmp_path / "real.json")
    (tmp_path / "t.json").symlink_to(tmp_path / "real.json")
    assert MiniReader(tmp_path / "t.json", None).finish(0, "") == []


def test_the_task_names_the_prompts_file(tmp_path: Path):
    asked = request(tmp_path, model="openai/m1")
    launch = get("mini", {"args": ["-l", "0"]}, install(tmp_path, "mini")).launch(asked)
    assert not launch.prompt_on_stdin
    assert launch.argv[-4:-1] == ["-l", "0", "-t"]
    assert str(asked.prompt) in launch.argv[-1]
    assert follows(launch.argv, "-y", "--exit-immediately", "-c", "mini.yaml")
    assert follows(launch.argv, "-m", "openai/m1")
    assert follows(launch.argv, "-o", str(tmp_path / "session" / "_logs" / "mini-runs" / "003-testing.traj.json"))
    assert launch.env["MSWEA_CONFIGURED"] == "true"
    assert "MSWEA_MINI_CONFIG_PATH" in launch.unset


def test_an_attempt_has_a_trajectory_of_its_own(tmp_path: Path):
    asked = request(tmp_path, stem=tmp_path / "session" / "_logs" / "003-testing.2")
    launch = get("mini", {}, install(tmp_path, "mini")).launch(asked)
    assert follows(launch.argv, "-o", f"{asked.stem.parent}/mini-runs/{asked.stem.name}.traj.json")


def test_restrained_permissions_are_refused(tmp_path: Path):
    with pytest.raises(ProviderError, match="no restrained mode"):
        get("mini", {}, install(tmp_path, "mini")).launch(request(tmp_path, permissions=Permissions.EDITS))


def test_a_checkup_reads_the_version_that_every_start_prints(tmp_path: Path):
    environ = install(
        tmp_path, "mini", '[ "$MSWEA_SILENT_STARTUP" ] || echo "This is mini-swe-agent version 2.4.6."; exit 2'
    )
    checkup = get("mini", {}, environ).checkup({**environ, "MSWEA_SILENT_STARTUP": "1"})
    assert (checkup.version, checkup.logged_in) == ("2.4.6", None)
    assert ".env" in checkup.leaks[0]
