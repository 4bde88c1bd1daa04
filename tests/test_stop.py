"""Stop requests: what each signal asks for, and that a wish to stop is never lost."""

import math
import select
import signal
import subprocess
import sys

import pytest

from samoloop.children.stop import PATIENCE_SECONDS, StopRequest


def readable(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


def test_nothing_is_asked_at_first():
    stop = StopRequest()
    assert (stop.finish, stop.now) == (False, False)
    assert not readable(stop.finish_fd)
    assert not readable(stop.now_fd)


def test_to_finish_wakes_who_waits_for_that_only():
    stop = StopRequest()
    stop.ask_to_finish()
    assert (stop.finish, stop.now) == (True, False)
    assert readable(stop.finish_fd)
    assert not readable(stop.now_fd)


def test_now_is_also_to_finish():
    stop = StopRequest()
    stop.ask_now()
    assert (stop.finish, stop.now) == (True, True)
    assert readable(stop.finish_fd)
    assert readable(stop.now_fd)


def test_a_git_that_hangs_is_waited_for_until_one_shall_stop_now_and_no_longer_when_one_insists():
    stop = StopRequest()
    stop.ask_to_finish()
    assert stop.patience() == math.inf
    stop.ask_now()
    assert stop.patience() == PATIENCE_SECONDS
    stop.ask_now()
    assert stop.patience() == 0


def test_asking_for_ever_does_not_fill_the_pipe():
    stop = StopRequest()
    for _ in range(100_000):
        stop.ask_now()
    assert stop.now


@pytest.mark.parametrize(
    ("signals", "expected"),
    [
        ([signal.SIGINT], "True False False"),
        ([signal.SIGINT, signal.SIGINT], "True True False"),
        ([signal.SIGTERM], "True True False"),
        ([signal.SIGHUP], "False False True"),
        ([signal.SIGINT, signal.SIGTERM], "True True False"),
    ],
)
def test_what_the_signals_ask_for(signals: list[signal.Signals], expected: str):
    """In a process of its own, because handlers belong to the whole process."""
    code = """
import signal, sys
from samoloop.children.stop import StopRequest, install_handlers
stop = StopRequest()
install_handlers(stop)
for number in sys.argv[1:]:
    signal.raise_signal(int(number))
print(stop.finish, stop.now, stop.terminal_gone)
"""
    command = [sys.executable, "-c", code, *(str(int(number)) for number in signals)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == expected


def test_a_child_does_not_inherit_deafness():
    """A worker started in the background ignores SIGINT; what it starts must not."""
    code = """
import signal, subprocess
from samoloop.children.stop import StopRequest, install_handlers
signal.signal(signal.SIGINT, signal.SIG_IGN)
install_handlers(StopRequest())
print(subprocess.run(["sh", "-c", "kill -INT $$; echo deaf"], stdout=subprocess.PIPE).returncode)
"""
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == str(-signal.SIGINT)
