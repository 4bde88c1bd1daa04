"""Other programs, run to their end: within a time, and not longer than this process itself is wanted."""

import math
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, BinaryIO

from samoloop.base.errors import SamoloopError

_LOOK_SECONDS = 0.25  # between two looks at whether it shall end
STUCK_SECONDS = 5.0  # until a program takes long
_PIPES_SECONDS = 1.0  # from its end until nothing more of what it said can come
_TERMINATE_SECONDS = 1.0  # before it is killed


class Cut(SamoloopError):
    """A program was ended before its time, because this process was asked to stop."""


def endless() -> float:
    """Nobody has asked this process to stop."""
    return math.inf


process_patience: Callable[[], float] = endless  # for how many seconds this process still waits for its programs


def run(
    argv: Sequence[str],
    *,
    name: str,
    cwd: Path,
    environ: Mapping[str, str],
    seconds: float,
    stdin: bytes = b"",
    output: BinaryIO | None = None,
    patience: Callable[[], float] | None = None,
    stuck: Callable[[], None] | None = None,
    inherits: bool = False,
) -> subprocess.CompletedProcess[bytes]:
    """Run a program and return its exit code and what it said, unless that goes to `output`.

    It gets a session of its own, so that it can be ended with all that it started, and neither asks at the terminal
    nor is hit by a Ctrl-C there. `stuck` is called once, when it takes long. `inherits`: it keeps what this process
    made inheritable. Raises TimeoutExpired, Cut, and OSError where it cannot be started.
    """
    with subprocess.Popen(
        argv,
        cwd=cwd,
        env=environ,
        stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
        stdout=output or subprocess.PIPE,
        stderr=subprocess.STDOUT if output else subprocess.PIPE,
        start_new_session=True,
        close_fds=not inherits,
    ) as process:
        try:
            _feed(process, stdin)
            said, errors = _communicate(process, name, seconds, patience or process_patience, stuck)
        except BaseException as error:
            _end(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise subprocess.TimeoutExpired(argv, seconds) from None
            raise
    return subprocess.CompletedProcess(argv, process.returncode, said, errors)


def _feed(process: subprocess.Popen[bytes], stdin: bytes) -> None:
    """Write its input beside all else: `communicate` forgets what is left of it after a timeout."""
    pipe, process.stdin = process.stdin, None
    if pipe:
        threading.Thread(target=_write, args=(pipe, stdin), daemon=True).start()


def _write(pipe: IO[bytes], data: bytes) -> None:
    with suppress(OSError), pipe:  # it may end without having read it
        pipe.write(data)


def _communicate(
    process: subprocess.Popen[bytes],
    name: str,
    seconds: float,
    patience: Callable[[], float],
    stuck: Callable[[], None] | None,
) -> tuple[bytes, bytes]:
    started = time.monotonic()
    asked = ended = None  # since when it is to end, and since when it has ended
    while True:
        try:
            return process.communicate(timeout=_LOOK_SECONDS)
        except subprocess.TimeoutExpired as silence:
            now, left = time.monotonic(), patience()
            if process.poll() is not None:
                ended = ended or now
                if now - ended >= _PIPES_SECONDS:  # what it started keeps its pipes open
                    _end(process)
                    return silence.stdout or b"", silence.stderr or b""
            if left < math.inf:
                asked = asked or now
                if now - asked >= left:
                    raise Cut(f"{name} was ended, because samoloop was asked to stop") from None
            if now - started >= seconds:
                raise
            if stuck and now - started >= STUCK_SECONDS:
                stuck()
                stuck = None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask all that it started to end, then kill what is left of it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_TERMINATE_SECONDS)
