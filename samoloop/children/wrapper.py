"""The little shell around a CLI, and the files in which it leaves its pid and the exit code.

They are for a worker that was not there: the one that started the CLI may have died meanwhile.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from samoloop.base.errors import ProviderError
from samoloop.base.files import open_plain, read_plain
from samoloop.core.control import ERRORS, OUTPUT, beside

# It has to outlive the signals that end the group, to write the code. "Trap" and not "ignore": what is ignored here
# would be ignored in the CLI too. It writes to files that were opened for it, whatever the CLI puts in their place:
# its own output and error, which the CLI does not get.
SCRIPT = (
    "trap : INT TERM HUP; out=$1 err=$2; shift 2; echo $$ >&2; exec 2>>/dev/fd/$err; "
    '"$@" >>/dev/fd/$out; code=$?; echo $code; exit $code'
)
_ENDINGS = (OUTPUT, ERRORS, ".pid", ".exit")
_NUMBER_BYTES = 11  # of a pid or an exit code, with its newline
_SIGNALLED = 128  # a shell reports "ended by signal N" as 128 + N
# The signals that really end a program. No others: gemini exits with an HTTP status modulo 256, and its 173 (429) would
# be taken for signal 45, its 145 (401) for the signal of a child's end.
_ENDING = frozenset(
    {
        *(signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGBUS),
        *(signal.SIGFPE, signal.SIGKILL, signal.SIGSEGV, signal.SIGPIPE, signal.SIGALRM, signal.SIGTERM),
    }
)


def logs(stem: Path) -> tuple[Path, Path]:
    """Where standard output and standard error go."""
    return beside(stem, OUTPUT), beside(stem, ERRORS)


def is_used(stem: Path) -> bool:
    """Whether there is a file of a wrapper's already: a lost record's, or one that a child laid for the next."""
    return any(os.path.lexists(beside(stem, ending)) for ending in _ENDINGS)


def resolve(program: str, env: Mapping[str, str], cwd: Path) -> str:
    """The path of a program, looked up as a shell in `cwd` would. Raises ProviderError.

    Asked before the start, because the wrapper would turn "not found" into an exit code.
    """
    where = str(cwd / program) if "/" in program else program
    found = shutil.which(where, path=env.get("PATH", os.defpath))
    if found is None:
        raise ProviderError(f"{program} is not there or may not be executed: install it, or configure its path")
    return found


def start(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, stdin: Path | None, stem: Path, inherited: int
) -> subprocess.Popen[bytes]:
    """Start the wrapper in a session of its own, with the descriptor `inherited`.

    Output goes straight to new files, so it costs the worker nothing and nobody can lose it. Raises ProviderError, and
    FileExistsError where the stem was used before.
    """
    with contextlib.ExitStack() as files:
        prompt = files.enter_context(open_plain(stdin)) if stdin else subprocess.DEVNULL
        output = [files.enter_context(_create(path)).fileno() for path in logs(stem)]
        number, code = (files.enter_context(_create(beside(stem, ending))) for ending in (".pid", ".exit"))
        try:
            return subprocess.Popen(
                ["/bin/sh", "-c", SCRIPT, stem, *map(str, output), *argv],
                stdin=prompt,
                stdout=code,
                stderr=number,
                cwd=cwd,
                env=env,
                start_new_session=True,
                pass_fds=[inherited, *output],
            )
        except OSError as error:
            for ending in _ENDINGS:
                beside(stem, ending).unlink()
            raise ProviderError(f"{argv[0]} could not be started in {cwd}: {error.strerror}") from error


def pid(stem: Path) -> int | None:
    """The pid that the wrapper wrote, if it is there. By now it may belong to anybody."""
    return _read_number(beside(stem, ".pid"))


def exit_code(stem: Path) -> int | None:
    """The exit code that the wrapper wrote, see `signed`; None as long as it is not there."""
    number = _read_number(beside(stem, ".exit"))
    return None if number is None else signed(number)


def last_written(stem: Path) -> float | None:
    """When the wrapper or the CLI last wrote, in epoch seconds; None when there is no file of theirs."""
    files = [beside(stem, ".exit"), *logs(stem)]
    return max((file.stat().st_mtime for file in files if file.exists()), default=None)


def signed(code: int) -> int:
    """A shell's exit code with "ended by signal N" as -N. A CLI that exits with 128 + N itself means the same."""
    return _SIGNALLED - code if code - _SIGNALLED in _ENDING else code


def _read_number(path: Path) -> int | None:
    """The number in a file that the wrapper wrote; None before its newline is there, and for what it never wrote."""
    try:
        line = read_plain(path, _NUMBER_BYTES) or b""
    except ValueError:
        return None
    return int(line) if re.fullmatch(rb"[0-9]{1,%d}\n" % (_NUMBER_BYTES - 1), line) else None


def _create(path: Path) -> BinaryIO:
    """A new file to append to: should the CLI reopen it, neither overwrites the other."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644), "wb")
