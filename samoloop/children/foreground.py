"""A command that a person runs and looks at: on this terminal or, where it is not to reach that, on one of its own."""

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import termios
import tty
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from samoloop.children.scope import apart

_CHUNK = 1 << 16


def is_terminal() -> bool:
    """Whether a person sits there: standard input and standard output are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def run(argv: Sequence[str], *, cwd: Path, environ: Mapping[str, str]) -> int:
    """Run it to its end with this process's input and output; gives its exit code."""
    return apart(lambda: subprocess.run(argv, cwd=cwd, env=environ, check=False).returncode)


def run_in_terminal(argv: Sequence[str], *, cwd: Path, environ: Mapping[str, str]) -> int:
    """The same on a terminal of its own, which shows on this one: the command can type nothing into the person's."""
    with _as_it_comes(sys.stdin.fileno()), _sized() as sizes:
        return apart(lambda: _on_terminal(argv, cwd, environ, sizes))


def _on_terminal(argv: Sequence[str], cwd: Path, environ: Mapping[str, str], sizes: list[int]) -> int:
    master, terminal = os.openpty()
    try:
        _copy_size(master)
        sizes.append(master)
        with subprocess.Popen(
            argv, cwd=cwd, env=environ, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
        ) as process:
            os.close(terminal)
            _pass_on(master)
        return process.returncode
    finally:
        sizes.clear()
        os.close(master)


def _pass_on(master: int) -> None:
    """What is typed to the command, what it says to the person, until it has ended."""
    typed, watched = sys.stdin.fileno(), [sys.stdin.fileno(), master]
    while True:
        ready, _, _ = select.select(watched, [], [])
        if master in ready:
            try:
                said = os.read(master, _CHUNK)
            except OSError:  # nobody has the terminal any more
                return
            if not said:
                return
            os.write(sys.stdout.fileno(), said)
        if typed in ready:
            keys = os.read(typed, _CHUNK)
            if keys:
                os.write(master, keys)
            else:
                watched.remove(typed)


@contextlib.contextmanager
def _as_it_comes(terminal: int) -> Iterator[None]:
    """Each key is the command's, Ctrl-C too."""
    before = termios.tcgetattr(terminal)
    tty.setraw(terminal, termios.TCSADRAIN)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _sized() -> Iterator[list[int]]:
    """Terminals that are put in this list get the size of the person's, whenever that changes."""
    terminals: list[int] = []

    def changed(*_: object) -> None:
        for terminal in terminals:
            _copy_size(terminal)

    before = signal.signal(signal.SIGWINCH, changed)
    try:
        yield terminals
    finally:
        signal.signal(signal.SIGWINCH, before)


def _copy_size(terminal: int) -> None:
    with contextlib.suppress(OSError):
        size = fcntl.ioctl(sys.stdout.fileno(), termios.TIOCGWINSZ, bytes(8))
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)
