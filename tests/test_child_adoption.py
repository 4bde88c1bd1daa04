"""The worker dies, the child lives on: the next worker finds it, or knows that it is gone."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from child_runs import WORKER, Attempt, is_running
from kit import until

from samoloop.base.locks import is_held
from samoloop.children.child import MARKER, Child
from samoloop.children.processes import Mark, boot_id, find, session_of
from samoloop.core.events import Result, Started
from samoloop.core.limits import EndedBy


@pytest.fixture
def attempt(tmp_path: Path) -> Iterator[Attempt]:
    attempt = Attempt(tmp_path)
    yield attempt
    left = find(Mark(MARKER, attempt.marker), None)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left


@contextmanager
def worker(attempt: Attempt, *argv: str) -> Iterator[subprocess.Popen[str]]:
    """A worker with a running child; killed at the latest at the end."""
    command = [sys.executable, str(WORKER), str(attempt.folder), attempt.marker, *argv]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline()
        until(attempt.file(".pid").read_text)
        yield process
        process.kill()


def adopt(attempt: Attempt, ago_seconds: float = 0.0, boot: str | None = None) -> Child:
    return Child.adopt(
        stem=attempt.stem,
        lock=attempt.lock,
        marker=attempt.marker,
        started_at=time.time() - ago_seconds,
        boot=boot or boot_id(),
    )


def pid_of(attempt: Attempt) -> int:
    return int(until(lambda: attempt.file(".pid").read_text().strip()))


def test_a_child_outlives_its_worker_and_is_adopted(attempt: Attempt):
    with worker(attempt, "waits.sh", str(attempt.folder / "go")) as dead:
        dead.kill()
        dead.wait()
        child = adopt(attempt)
        assert child.alive
        assert child.pid == pid_of(attempt)
        (attempt.folder / "go").touch()
        ended = attempt.wait(child)
    assert (ended.exit_code, ended.by, ended.usage_complete) == (0, EndedBy.EXIT, True)
    assert attempt.events[-1] == Result(True, "done")


def test_a_child_that_ended_meanwhile_gives_its_exit_code(attempt: Attempt):
    with worker(attempt, "sh", "-c", 'sleep 0.1; echo \'{"result": "done"}\'; exit 3') as dead:
        dead.kill()
        until(attempt.file(".exit").read_text)
    child = adopt(attempt, ago_seconds=3600)
    ended = attempt.wait(child)
    assert not child.alive
    assert (ended.exit_code, ended.by) == (3, EndedBy.EXIT)
    assert attempt.events == [Result(True, "done")]
    assert 3500 < ended.seconds < 3600.5  # the time it ran, as far as its files tell


def test_its_exit_code_counts_after_a_restart_of_the_machine_too(attempt: Attempt):
    attempt.run("fails.sh")
    ended = attempt.wait(adopt(attempt, boot="an earlier one"))
    assert (ended.exit_code, ended.by) == (3, EndedBy.EXIT)


def test_nothing_is_left_after_a_restart_of_the_machine(attempt: Attempt):
    with worker(attempt, "silent.sh") as dead:
        assert not adopt(attempt, boot="an earlier one").alive
        dead.kill()
        attempt.stop.ask_now()
        attempt.wait(adopt(attempt))


def test_an_attempt_that_never_started_is_lost(attempt: Attempt):
    ended = attempt.wait(adopt(attempt))
    assert (ended.exit_code, ended.by) == (None, EndedBy.LOST)
    assert attempt.events == []


def test_a_half_written_exit_code_is_none(attempt: Attempt):
    attempt.stem.parent.mkdir()
    attempt.file(".exit").write_text("1")
    assert attempt.wait(adopt(attempt)).by is EndedBy.LOST


def test_an_adopted_child_has_only_the_rest_of_its_time(attempt: Attempt):
    with worker(attempt, "silent.sh") as dead:
        dead.kill()
        began = time.monotonic()
        ended = attempt.wait(adopt(attempt, ago_seconds=100), total=100.2)
    assert ended.by is EndedBy.TIME
    assert ended.seconds >= 100.2
    assert time.monotonic() - began < 5


def test_an_adopted_child_can_be_stopped_and_leaves_nothing(attempt: Attempt):
    with worker(attempt, "sh", "-c", "setsid sleep 1000 & echo $!; exec sleep 1000") as dead:
        tool = int(until(attempt.file(".jsonl").read_text))
        dead.kill()
        attempt.stop.ask_now()
        ended = attempt.wait(adopt(attempt))
    assert (ended.by, ended.swept, ended.left) == (EndedBy.STOP, 1, ())
    assert not is_running(tool)


def test_a_recycled_pid_is_refused_and_left_alone(attempt: Attempt):
    attempt.stem.parent.mkdir()
    with subprocess.Popen(["sleep", "1000"], start_new_session=True) as stranger:
        attempt.file(".pid").write_text(f"{stranger.pid}\n")
        child = adopt(attempt)
        ended = attempt.wait(child)
        assert not child.alive
        assert (ended.by, ended.swept) == (EndedBy.LOST, 0)
        assert is_running(stranger.pid)
        stranger.kill()


def test_a_number_that_is_a_thread_by_now_is_no_child(attempt: Attempt):
    attempt.stem.parent.mkdir()
    going = threading.Event()
    thread = threading.Thread(target=going.wait)
    thread.start()
    attempt.file(".pid").write_text(f"{thread.native_id}\n")
    assert not adopt(attempt).alive
    going.set()
    thread.join()


def test_a_child_whose_pid_was_not_written_is_found_by_its_lock(attempt: Attempt):
    with worker(attempt, "silent.sh") as dead:
        wrapper = pid_of(attempt)
        attempt.file(".pid").unlink()
        dead.kill()
        child = adopt(attempt)
        assert child.pid == wrapper
        attempt.stop.ask_now()
        attempt.wait(child)


def test_a_cli_whose_wrapper_was_killed_is_found_by_its_lock(attempt: Attempt):
    with worker(attempt, "waits.sh", str(attempt.folder / "go")) as dead:
        wrapper = pid_of(attempt)
        until(attempt.file(".jsonl").read_text)
        dead.kill()
        dead.wait()
        os.kill(wrapper, signal.SIGKILL)
        until(lambda: not is_running(wrapper))
        child = adopt(attempt)
        assert child.alive
        assert child.pid != wrapper
        (attempt.folder / "go").touch()
        ended = attempt.wait(child)
    assert (ended.exit_code, ended.by) == (None, EndedBy.EXIT)
    assert attempt.events == [Started(), Result(True, "done")]


def test_what_a_lost_child_left_behind_is_swept(attempt: Attempt):
    """Wrapper and CLI are gone without a word, a tool of theirs lives on."""
    with worker(attempt, "sh", "-c", "setsid sleep 1000 & echo $!; exec sleep 1000") as dead:
        tool = int(until(attempt.file(".jsonl").read_text))
        until(lambda: session_of(tool) == tool)
        dead.kill()
        os.killpg(pid_of(attempt), signal.SIGKILL)
        until(lambda: not is_running(pid_of(attempt)))
        assert is_held(attempt.lock)  # by the tool, which is not the child
        ended = attempt.wait(adopt(attempt))
    assert (ended.by, ended.swept) == (EndedBy.LOST, 1)
    assert not is_running(tool)


def test_two_adopters_see_the_same_end_and_do_not_disturb_each_other(attempt: Attempt):
    other = Attempt(attempt.folder, attempt.marker)
    with worker(attempt, "waits.sh", str(attempt.folder / "go")) as dead:
        dead.kill()
        mine, theirs = adopt(attempt), adopt(other)
        assert mine.pid == theirs.pid == pid_of(attempt)
        results = []
        thread = threading.Thread(target=lambda: results.append(other.wait(theirs)))
        thread.start()
        (attempt.folder / "go").touch()
        ended = attempt.wait(mine)
        thread.join()
    assert [(one.exit_code, one.by) for one in (ended, *results)] == [(0, EndedBy.EXIT)] * 2


HIDES = """
import subprocess
print(subprocess.Popen(["env", "-i", "sleep", "1000"], start_new_session=True).pid, flush=True)
"""


def test_what_has_wiped_its_mark_and_let_the_lock_go_is_swept_too(attempt: Attempt):
    """Another session, another environment, no descriptor of ours: the worker inherits it when its parent ends."""
    with worker(attempt, sys.executable, "-c", HIDES) as process:
        assert process.stdout
        tool = int(until(attempt.file(".jsonl").read_text))
        try:
            assert "swept=1" in process.stdout.readline()
            assert not is_running(tool)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(tool, signal.SIGKILL)
