"""One child, well-behaved or not: how its run ends, and that nothing of it stays."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from child_runs import WORKER, Attempt, is_running
from kit import until

from samoloop.base.errors import LockHeld, ProviderError
from samoloop.base.locks import Lock, is_held
from samoloop.children.child import MARKER, Child
from samoloop.children.processes import Mark, find
from samoloop.core.events import Result, Started, Tool, Usage
from samoloop.core.limits import EndedBy


@pytest.fixture
def attempt(tmp_path: Path) -> Iterator[Attempt]:
    """An attempt; whatever it started and did not end fails the test."""
    attempt = Attempt(tmp_path)
    yield attempt
    left = find(Mark(MARKER, attempt.marker), None)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left
    assert not is_held(attempt.lock)


def test_a_child_that_does_its_work(attempt: Attempt):
    ended = attempt.run("well_behaved.sh")
    assert (ended.exit_code, ended.by, ended.usage_complete, ended.swept, ended.left) == (0, EndedBy.EXIT, True, 0, ())
    assert attempt.events == [
        Started(),
        Tool("a", "a", running=True),
        Tool("a", "a"),
        Usage(output_tokens=12),
        Result(True, "done"),
    ]
    assert attempt.reader.finished == [(0, "")]
    assert attempt.file(".exit").read_text() == "0\n"
    assert attempt.signal.exists()


def test_the_end_is_an_event(attempt: Attempt):
    """Far quicker than any tick: the median of five, against noise of the machine."""
    delays = []
    for number in range(5):
        one = Attempt(attempt.folder / str(number))
        one.folder.mkdir()
        child = one.spawn("sh", "-c", "sleep 0.05; date +%s.%N")
        one.wait(child)
        delays.append(time.time() - float(one.file(".jsonl").read_text()))
    assert sorted(delays)[2] < 0.05


def test_the_prompt_is_standard_input_and_ends(attempt: Attempt):
    prompt = attempt.folder / "prompt.md"
    prompt.write_text("Do one thing.\n" * 20_000)
    assert attempt.run("echoes_stdin.sh", stdin=prompt).exit_code == 0
    assert attempt.file(".jsonl").read_text() == prompt.read_text()


def test_without_a_prompt_standard_input_is_empty(attempt: Attempt):
    assert attempt.run("echoes_stdin.sh").exit_code == 0
    assert attempt.file(".jsonl").read_bytes() == b""


def test_the_environment_is_the_given_one_and_the_marker(attempt: Attempt, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "secret")
    attempt.run("env")
    names = {line.partition("=")[0] for line in attempt.file(".jsonl").read_text().splitlines()}
    assert names - {"PWD", "OLDPWD", "_", "SHLVL"} == {"PATH", "SAMOLOOP_SIGNAL", "SAMOLOOP_PHASE", "SAMOLOOP_MARKER"}


@pytest.mark.parametrize(
    ("argv", "exit_code"),
    [
        (["sh", "-c", "exit 3"], 3),
        (["sh", "-c", "exit 255"], 255),
        (["killed.sh"], -signal.SIGKILL),
        (["sh", "-c", "kill -TERM $$"], -signal.SIGTERM),
        (["sh", "-c", "exit 143"], -signal.SIGTERM),  # how some CLIs say it themselves
    ],
)
def test_the_exit_code_tells_how_the_cli_ended(attempt: Attempt, argv: list[str], exit_code: int):
    ended = attempt.run(*argv)
    assert (ended.exit_code, ended.by) == (exit_code, EndedBy.EXIT)


def test_the_end_of_standard_error_reaches_the_reader(attempt: Attempt):
    attempt.run("fails.sh")
    assert attempt.reader.finished == [(3, "no credit left\n")]


def test_bytes_that_are_no_text_do_no_harm(attempt: Attempt):
    ended = attempt.run("not_text.sh")
    assert (ended.exit_code, ended.usage_complete) == (0, True)
    assert attempt.events == [Result(True, "done")]
    assert attempt.reader.finished == [(0, "\ufffd\n")]


def test_a_closed_standard_error_does_no_harm(attempt: Attempt):
    before = time.process_time()
    assert attempt.run("closes_stderr.sh").exit_code == 0
    assert time.process_time() - before < 0.1  # and does not make the worker spin
    assert attempt.events == [Result(True, "done")]


@pytest.mark.parametrize("script", ["floods.sh", "one_line.sh"])
def test_a_flood_is_skipped_but_its_end_is_read(attempt: Attempt, script: str):
    before = time.process_time()
    ended = attempt.run(script, "20000000")
    assert (ended.exit_code, ended.usage_complete) == (0, False)
    assert attempt.events[-1] == Result(True, "done")
    assert time.process_time() - before < 1.0


def test_events_come_while_the_child_runs(attempt: Attempt):
    """The child goes on only when its first event was seen."""
    go = attempt.folder / "go"
    attempt.on_events = lambda events: go.touch() if Started() in events else None
    assert attempt.run("waits.sh", str(go)).by is EndedBy.EXIT
    assert attempt.events == [Started(), Result(True, "done")]


def test_a_child_that_says_nothing_is_looked_at(attempt: Attempt):
    """It goes on only when it was: whoever has to do something meanwhile gets to it."""
    go = attempt.folder / "go"
    attempt.on_events = lambda events: go.touch()
    assert attempt.run("sh", "-c", 'until [ -e "$1" ]; do sleep 0.02; done', "sh", str(go)).by is EndedBy.EXIT
    assert attempt.events == []


class TestLimits:
    def test_a_child_that_never_ends_is_ended_at_the_total_limit(self, attempt: Attempt):
        ended = attempt.run("silent.sh", total=0.2)
        assert (ended.by, ended.exit_code) == (EndedBy.TIME, -signal.SIGTERM)
        assert 0.2 <= ended.seconds < 2

    def test_a_child_that_cannot_be_asked_is_killed(self, attempt: Attempt):
        child = attempt.spawn("ignores_signals.sh")
        until(attempt.file(".jsonl").read_text)
        ended = attempt.wait(child, total=0.1, terminate=0.2)
        assert (ended.by, ended.exit_code, ended.left) == (EndedBy.TIME, -signal.SIGKILL, ())
        assert ended.swept == 0  # killed at its limit, not found among the leftovers afterwards

    def test_what_dies_slowly_of_the_limit_s_kill_did_not_stay_behind(self, attempt: Attempt):
        """The more memory a process has, the longer its end takes: the wrapper is gone before it."""
        large = "memory = bytearray(b'x') * (256 << 20); print('{\\\"started\\\": true}', flush=True); input()"
        child = attempt.spawn("sh", "-c", f"trap '' INT TERM; sleep 1000 | {sys.executable} -c \"{large}\"")
        until(attempt.file(".jsonl").read_text)
        ended = attempt.wait(child, total=0.1, terminate=0.2)
        assert (ended.exit_code, ended.swept, ended.left) == (-signal.SIGKILL, 0, ())

    def test_a_cli_that_cleans_up_on_sigint_gets_it_first(self, attempt: Attempt):
        child = attempt.spawn("cleans_up.sh")
        until(attempt.file(".jsonl").read_text)
        ended = attempt.wait(child, total=0.1, interrupt_first=True)
        assert ended.exit_code == 1
        assert attempt.events[-1] == Result(True, "interrupted")

    def test_other_clis_get_sigterm_at_once(self, attempt: Attempt):
        child = attempt.spawn("cleans_up.sh")
        until(attempt.file(".jsonl").read_text)
        assert attempt.wait(child, total=0.1).exit_code == -signal.SIGTERM
        assert attempt.events == [Started()]

    def test_silence(self, attempt: Attempt):
        assert attempt.run("silent.sh", silence=0.4).by is EndedBy.SILENCE

    def test_a_long_tool_is_no_silence(self, attempt: Attempt):
        assert attempt.run("long_tool.sh", "0.6", silence=0.2).by is EndedBy.EXIT

    def test_computing_is_no_silence(self, attempt: Attempt):
        assert attempt.run("busy.py", "3", silence=2.0).by is EndedBy.EXIT

    def test_no_first_byte_of_a_cli_that_starts_at_once(self, attempt: Attempt):
        assert attempt.run("silent.sh", first_byte=0.2, starts_at_once=True).by is EndedBy.FIRST_BYTE

    def test_a_cli_that_says_nothing_before_the_model_does_may_take_its_time(self, attempt: Attempt):
        assert attempt.run("silent.sh", first_byte=0.1, total=0.3).by is EndedBy.TIME

    def test_the_first_byte_lifts_its_limit(self, attempt: Attempt):
        assert attempt.run("long_tool.sh", "0.5", first_byte=0.2, starts_at_once=True).by is EndedBy.EXIT

    def test_signal_result_and_grace_end_a_child_that_lingers(self, attempt: Attempt):
        ended = attempt.run("lingers.sh", grace=0.2)
        assert ended.by is EndedBy.GRACE
        assert attempt.events == [Result(True, "done")]

    def test_a_result_without_a_signal_is_no_end(self, attempt: Attempt):
        child = attempt.spawn("lingers.sh")
        until(attempt.signal.exists)
        attempt.signal.unlink()
        assert attempt.wait(child, grace=0.1, total=0.5).by is EndedBy.TIME


class TestStop:
    def test_now_ends_the_child(self, attempt: Attempt):
        child = attempt.spawn("silent.sh")
        threading.Timer(0.1, attempt.stop.ask_now).start()
        began = time.monotonic()
        assert attempt.wait(child).by is EndedBy.STOP
        assert time.monotonic() - began < 2

    def test_now_before_the_wait_ends_it_too(self, attempt: Attempt):
        attempt.stop.ask_now()
        assert attempt.run("silent.sh").by is EndedBy.STOP

    def test_finish_lets_the_child_end(self, attempt: Attempt):
        attempt.stop.ask_to_finish()
        before = time.process_time()
        assert attempt.run("long_tool.sh", "0.5").by is EndedBy.EXIT
        assert time.process_time() - before < 0.2  # and does not make the worker spin


class TestSweep:
    def test_a_daemon_that_holds_the_output_open(self, attempt: Attempt):
        began = time.monotonic()
        ended = attempt.run("leaves_daemon.py")
        assert (ended.exit_code, ended.swept, ended.left) == (0, 1, ())
        assert time.monotonic() - began < 2
        assert attempt.events == [Result(True, "done")]

    def test_a_background_process_that_is_deaf_to_sigterm(self, attempt: Attempt):
        ended = attempt.run("leaves_background.sh", terminate=0.2)
        assert ended.exit_code == 0
        assert ended.swept >= 1  # the shell, and the sleep that it started
        assert ended.left == ()

    def test_a_process_that_wiped_its_environment_is_known_by_its_session(self, attempt: Attempt):
        assert attempt.run("wipes_environment.sh").swept == 1

    def test_a_process_that_left_the_session_too_is_known_by_the_lock(self, attempt: Attempt):
        assert attempt.run("escapes.py", "--holding-lock").swept == 1

    def test_a_process_that_has_nothing_of_the_child_is_inherited_by_the_worker(self, attempt: Attempt):
        """In a worker of its own: a subreaper stays one."""
        command = [sys.executable, str(WORKER), str(attempt.folder), attempt.marker, "escapes.py"]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert "swept=1, left=()" in output

    def test_what_a_worker_inside_the_child_started_belongs_to_it(self, attempt: Attempt):
        inner = Attempt(attempt.folder / "inner")
        inner.folder.mkdir()
        spec = inner.spec("silent.sh")
        child = Child.spawn(replace(spec, env={**spec.env, MARKER: attempt.marker}))
        until(lambda: inner.file(".pid").exists() and inner.file(".pid").read_text())
        assert {child.pid} <= find(Mark(MARKER, attempt.marker), None) & find(Mark(MARKER, inner.marker), None)
        inner.stop.ask_now()
        inner.wait(child)

    def test_the_worker_s_own_processes_stay(self, attempt: Attempt):
        with subprocess.Popen(["sleep", "1000"], start_new_session=True, env={}) as own:
            assert attempt.run("leaves_daemon.py").swept == 1
            assert is_running(own.pid)
            own.kill()

    def test_what_the_tools_left_is_ended_at_a_limit_too(self, attempt: Attempt):
        ended = attempt.run("sh", "-c", "setsid sleep 1000 & exec sleep 1000", total=0.3)
        assert (ended.by, ended.swept) == (EndedBy.TIME, 1)


class TestLostWrapper:
    def test_the_cli_is_waited_for(self, attempt: Attempt):
        ended = attempt.run("loses_wrapper.sh")
        assert (ended.exit_code, ended.by) == (None, EndedBy.EXIT)
        assert attempt.events == [Result(True, "done")]

    def test_the_cli_still_has_its_limits(self, attempt: Attempt):
        ended = attempt.run("sh", "-c", "kill -KILL $PPID; exec sleep 1000", total=0.3)
        assert (ended.exit_code, ended.by) == (None, EndedBy.TIME)


class TestStart:
    def test_a_program_that_is_not_there_is_refused_before_anything_is_written(self, attempt: Attempt):
        with pytest.raises(ProviderError, match="no-such-cli is not there"):
            attempt.spawn("no-such-cli")
        assert list(attempt.stem.parent.iterdir()) == []

    def test_a_program_that_may_not_be_executed(self, attempt: Attempt):
        program = attempt.folder / "cli"
        program.write_text("#!/bin/sh\n")
        with pytest.raises(ProviderError, match="may not be executed"):
            attempt.spawn(str(program))

    def test_a_missing_folder_is_named_and_the_stem_stays_free(self, attempt: Attempt):
        spec = replace(attempt.spec("true"), cwd=attempt.folder / "gone")
        with pytest.raises(ProviderError, match=r"could not be started in .*gone"):
            Child.spawn(spec)
        assert attempt.run("true").exit_code == 0

    def test_a_log_is_never_overwritten(self, attempt: Attempt):
        attempt.run("well_behaved.sh")
        log = attempt.file(".jsonl").read_bytes()
        with pytest.raises(FileExistsError):
            attempt.spawn("true")
        assert attempt.file(".jsonl").read_bytes() == log

    def test_no_second_child_beside_a_living_one(self, attempt: Attempt):
        child = attempt.spawn("silent.sh")
        second = Attempt(attempt.folder)
        with pytest.raises(LockHeld, match=f"locked by process {child.pid}:"):
            second.spawn("true")
        attempt.stop.ask_now()
        attempt.wait(child)

    def test_the_worker_does_not_keep_the_lock(self, attempt: Attempt):
        attempt.run("true")
        Lock.take(attempt.lock, 0, "").release()
