import json
import subprocess
from pathlib import Path

import pytest
from provider_runs import install, only, request

from samoloop.base.errors import ProviderError
from samoloop.children.run import spec_of
from samoloop.core.events import Denied, Failure, Result, Started, Text, Tool, Trouble, Usage
from samoloop.core.permissions import Permissions
from samoloop.providers import get
from samoloop.providers.program import argv_of


def provider(folder: Path, command: list[str], script: str = "", **settings):
    return get("mine", {"command": command, **settings}, install(folder, command[0], script))


@pytest.mark.parametrize("prompt", ["stdin", "arg", "file"])
def test_the_prompt_reaches_the_cli_in_each_way(tmp_path: Path, prompt):
    command, script = {
        "stdin": (["mycli"], "cat"),
        "arg": (["mycli", "--auto"], 'printf %s "$2"'),
        "file": (["mycli", "--file={prompt_file}"], 'cat "${1#--file=}"'),
    }[prompt]
    asked = request(tmp_path)
    launch = provider(tmp_path, command, script, prompt=prompt).launch(asked)
    with asked.prompt.open() as stdin:
        given = stdin if launch.prompt_on_stdin else subprocess.DEVNULL
        done = subprocess.run(argv_of(launch, asked), stdin=given, capture_output=True, text=True, check=True)
    assert done.stdout == "Do one thing.\n"


def test_a_prompt_too_long_for_an_argument_is_named_instead(tmp_path: Path):
    asked = request(tmp_path)
    asked.prompt.write_text("x" * 200_000)
    launch = provider(tmp_path, ["mycli"], prompt="arg").launch(asked)
    assert argv_of(launch, asked)[-1] == f"Read all of the file {asked.prompt} and do what it says."


def test_a_prompt_that_is_written_after_the_launch_is_the_argument(tmp_path: Path):
    """As a worker does it: what can be refused is refused first."""
    asked = request(tmp_path)
    asked.prompt.unlink()
    launch = provider(tmp_path, ["mycli"], prompt="arg").launch(asked)
    asked.prompt.write_text("Do one thing.\n")
    assert spec_of(asked, launch, lock=tmp_path / "lock", marker="m").argv[1:] == ["Do one thing.\n"]


def test_placeholders_in_the_command_are_replaced(tmp_path: Path):
    command = ["mycli", "-m", "{model}", "--dirs={worktree}:{session_dir}", "--allow={permissions}", "{other}"]
    asked = request(tmp_path, model="m1", permissions=Permissions.EDITS)
    launch = provider(tmp_path, command, env={"A": "1"}).launch(asked)
    folders = f"--dirs={tmp_path / 'worktree'}:{tmp_path / 'session'}"
    assert launch.argv == [str(tmp_path / "bin" / "mycli"), "-m", "m1", folders, "--allow=edits", "{other}"]
    assert launch.env == {"A": "1"}


@pytest.mark.parametrize(
    ("command", "changes", "words"),
    [
        (["mycli"], {"permissions": Permissions.EDITS}, r"has no \{permissions\}"),
        (["mycli", "{model}"], {}, "no model is set"),
    ],
)
def test_a_command_that_cannot_say_what_is_asked_is_refused(tmp_path: Path, command, changes, words):
    with pytest.raises(ProviderError, match=words):
        provider(tmp_path, command).launch(request(tmp_path, **changes))


def test_a_missing_program_is_named(tmp_path: Path):
    mine = get("mine", {"command": ["mycli"]}, {"PATH": str(tmp_path)})
    with pytest.raises(ProviderError, match=r"'mycli' from providers\.mine\.command is no program"):
        mine.launch(request(tmp_path))
    assert mine.checkup({"PATH": str(tmp_path)}).found is None


LIMIT = {"type": "error", "trouble": "usage_limit", "resets_at": 9, "message": "m"}
NO_WORDS = "the CLI reported an error without words"
LINES = [
    ({"type": "started", "session_id": "s1"}, Started("s1")),
    ({"type": "text", "text": "hello"}, Text("hello")),
    ({"type": "tool", "id": "1", "name": "sh", "detail": "ls\nx", "running": True}, Tool("1", "sh", "ls", True)),
    ({"type": "tool", "id": "1", "name": "sh", "ok": False}, Tool("1", "sh", ok=False)),
    ({"type": "denied", "tool": "sh", "detail": "rm"}, Denied("sh", "rm")),
    ({"type": "usage", "input_tokens": 1, "cost_usd": 0.5}, Usage(input_tokens=1, cost_usd=0.5)),
    ({"type": "usage", "input_tokens": -1, "cost_usd": "much"}, Usage()),
    (LIMIT, Failure(Trouble.USAGE_LIMIT, "m", True, 9.0)),
    ({"type": "error", "trouble": "bad", "fatal": False}, Failure(Trouble.OTHER, NO_WORDS, False)),
    ({"type": "result", "text": "done"}, Result(True, "done")),
    ({"type": "result", "ok": False}, Result(False)),
]


@pytest.mark.parametrize(("line", "event"), LINES)
def test_a_line_of_the_documented_form_is_an_event(tmp_path: Path, line, event):
    reader = provider(tmp_path, ["mycli"], output="jsonl").reader(request(tmp_path))
    assert reader.feed(json.dumps(line).encode()) == [event]


@pytest.mark.parametrize("line", [b"words", b'{"type": "other"}', b"[1]", b'{"type":'])
def test_every_other_line_is_text(tmp_path: Path, line):
    reader = provider(tmp_path, ["mycli"], output="jsonl").reader(request(tmp_path))
    assert reader.feed(line) == [Text(line.decode())]


def test_text_output_is_never_read_as_events(tmp_path: Path):
    reader = provider(tmp_path, ["mycli"], output="text").reader(request(tmp_path))
    assert reader.feed(b'{"type": "result"}') == [Text('{"type": "result"}')]
    assert reader.feed(b"  ") == []
    assert only(reader.finish(0, ""), Result) == []


@pytest.mark.parametrize("output", ["text", "jsonl"])
def test_the_last_line_on_standard_error_says_why_it_failed(tmp_path: Path, output):
    reader = provider(tmp_path, ["mycli"], output=output).reader(request(tmp_path))
    (failure,) = reader.finish(7, "Loading\nno such model\n\n")
    assert failure == Failure(Trouble.OTHER, "mine ended with exit code 7 and no result: no such model")


def test_a_result_says_more_than_the_exit_code(tmp_path: Path):
    reader = provider(tmp_path, ["mycli"], output="jsonl").reader(request(tmp_path))
    reader.feed(b'{"type": "result", "ok": false, "text": "gave up"}')
    assert reader.finish(7, "Bye") == []


def test_only_a_cli_with_events_can_say_that_it_is_done(tmp_path: Path):
    assert provider(tmp_path, ["mycli"], output="jsonl").has_result
    assert not provider(tmp_path, ["mycli"]).has_result
