"""Each real CLI, started as its provider starts it, against the model stand-in."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from clis import CLIS, KEY, Cli
from standin import Call, Fault, Kind, Say, Script, Shell, Standin, listed

from samoloop import providers
from samoloop.core.events import Denied, Event, Failure, Result, Trouble, Usage
from samoloop.core.permissions import Permissions
from samoloop.providers.base import Request
from samoloop.providers.program import argv_of

PROMPT = "Read the overview, then write the signal. Päivää!"
SIGNAL = {"status": "continue", "phase": "planning"}


@pytest.fixture(params=CLIS.values(), ids=CLIS)
def cli(request: pytest.FixtureRequest) -> Cli:
    return request.param


def request_in(folder: Path, environ: Mapping[str, str], **changes: object) -> Request:
    """A request as the worker makes it: session folder and worktree are not inside each other."""
    session, worktree = folder / "my sessions" / "a session", folder / "work tree"
    (session / "_logs").mkdir(parents=True)
    worktree.mkdir()
    (session / "_overview.md").write_text("# Say goodbye\n\n## Status\nPhase: investigation\n")
    stem = session / "_logs" / "001-investigation"
    prompt = stem.with_suffix(".prompt.md")
    prompt.write_text(PROMPT)
    known: dict[str, object] = {
        "prompt": prompt,
        "worktree": worktree,
        "session_dir": session,
        "stem": stem,
        "title": "a session, investigation 1",
        "environ": environ,
    }
    return Request(**{**known, **changes})  # type: ignore[arg-type]


def run(cli: Cli, url: str, request: Request, home: Path) -> list[Event]:
    """Start the CLI as the worker does, output into files; all events of its run."""
    setup = cli.setup(url)
    setup.install(home)
    environ = {**request.environ, **setup.environ}
    provider = providers.get(cli.name, setup.settings, environ)
    launch = provider.launch(request)
    stdout, stderr = request.stem.with_suffix(".jsonl"), request.stem.with_suffix(".err")
    given = {name: value for name, value in environ.items() if name not in launch.unset} | dict(launch.env)
    with request.prompt.open("rb") as prompt, stdout.open("wb") as out, stderr.open("wb") as err:
        stdin = prompt if launch.prompt_on_stdin else subprocess.DEVNULL
        ended = subprocess.run(
            argv_of(launch, request),
            cwd=request.worktree,
            env=given,
            stdin=stdin,
            stdout=out,
            stderr=err,
            timeout=150,
            check=False,
        )
    reader = provider.reader(request)
    events = [event for line in stdout.read_bytes().splitlines() for event in reader.feed(line)]
    return events + reader.finish(ended.returncode, stderr.read_text(errors="replace")[-4096:])


def failures(events: list[Event]) -> list[Failure]:
    return [event for event in events if isinstance(event, Failure) and event.fatal]


def reads_and_signals(session: Path) -> Script:
    return listed(
        [
            Shell(f"cat '{session}/_overview.md'; pwd"),
            Shell(f"printf '%s' '{json.dumps(SIGNAL)}' > '{session}/_signal.json'; echo made > made.txt"),
            Say("Done."),
        ]
    )


def test_it_reads_the_overview_and_writes_the_signal_with_its_own_tools(
    cli: Cli, environ: Mapping[str, str], home: Path, tmp_path: Path
) -> None:
    request = request_in(tmp_path, environ, model=cli.model)
    with Standin(reads_and_signals(request.session_dir)) as model:
        events = run(cli, model.url, request, home)
    last = model.asked[-1].conversation
    assert {asked.conversation.dialect for asked in model.asked} == {cli.dialect}
    assert {asked.key for asked in model.asked} == {KEY}
    assert PROMPT in last.prompt
    assert "Say goodbye" in last.results[0]
    assert str(request.worktree) in last.results[0]
    assert json.loads((request.session_dir / "_signal.json").read_text()) == SIGNAL
    assert (request.worktree / "made.txt").exists()
    assert failures(events) == []
    (result,) = [event for event in events if isinstance(event, Result)]
    assert result.ok
    usage = [event for event in events if isinstance(event, Usage)][-1]
    assert usage.output_tokens


def test_a_stream_that_breaks_off_once_is_mended_or_named(
    cli: Cli, environ: Mapping[str, str], home: Path, tmp_path: Path
) -> None:
    """Some CLIs ask again, some give up: then the worker asks again, if it is told that the network was the cause."""
    request = request_in(tmp_path, environ, model=cli.model)
    with Standin(reads_and_signals(request.session_dir), Fault(Kind.CUT, times=1)) as model:
        events = run(cli, model.url, request, home)
    signalled = (request.session_dir / "_signal.json").exists()
    assert signalled or [failure.trouble for failure in failures(events)] == [Trouble.NETWORK], events


RESTRAINED = ("claude", "codex", "opencode")


@pytest.mark.parametrize("name", RESTRAINED)
def test_a_restrained_child_can_work_and_signal_and_go_nowhere_else(
    name: str, environ: Mapping[str, str], home: Path, tmp_path: Path
) -> None:
    request = request_in(tmp_path, environ, model=CLIS[name].model, permissions=Permissions.EDITS)
    outside = Path(f"/var/tmp/samoloop-e2e-{os.getpid()}")
    signal = request.session_dir / "_signal.json"
    script = listed(
        [
            Shell("echo made > made.txt"),
            Shell(f"echo '{json.dumps(SIGNAL)}' > '{signal}.tmp'"),
            Shell(f"mv '{signal}.tmp' '{signal}'"),
            Shell(f"touch {outside}"),
        ]
    )
    try:
        with Standin(script) as model:
            events = run(CLIS[name], model.url, request, home)
        assert not outside.exists()
    finally:
        outside.unlink(missing_ok=True)
    assert (request.worktree / "made.txt").exists(), events
    assert json.loads(signal.read_text()) == SIGNAL
    assert failures(events) == []


def test_a_restrained_gemini_has_no_shell_and_writes_with_its_file_tool(
    environ: Mapping[str, str], home: Path, tmp_path: Path
) -> None:
    cli = CLIS["gemini"]
    request = request_in(tmp_path, environ, model=cli.model, permissions=Permissions.EDITS)
    signal, outside = request.session_dir / "_signal.json", home / "outside.txt"
    script = listed(
        [
            Call("write_file", {"file_path": str(request.worktree / "made.txt"), "content": "made"}),
            Call("write_file", {"file_path": str(outside), "content": "made"}),
            Call("write_file", {"file_path": str(signal), "content": json.dumps(SIGNAL)}),
        ]
    )
    with Standin(script) as model:
        events = run(cli, model.url, request, home)
    assert model.asked[0].conversation.shell is None
    assert (request.worktree / "made.txt").exists(), events
    assert json.loads(signal.read_text()) == SIGNAL
    assert not outside.exists()
    assert any(isinstance(event, Denied) for event in events)
