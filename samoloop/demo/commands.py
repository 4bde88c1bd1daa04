"""A project's own commands, such as its test suite, run now and told in a few words."""

import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from samoloop.base.values import frozen

LIMIT_SECONDS = 300
NOT_RUN = 127  # what a shell says of a command that is not there
_SHOWN_LINES = 12


@frozen
class CommandRun:
    """A command that was run."""

    command: str
    exit_code: int
    output: str

    @property
    def ok(self) -> bool:
        return self.exit_code == 0

    @property
    def tail(self) -> str:
        """The end of its output, for a document."""
        return "\n".join(line.rstrip() for line in self.output.strip().splitlines()[-_SHOWN_LINES:])

    @property
    def verdict(self) -> str:
        """What the tests said in a few words, as unittest, node's test runner and TAP say it; else the last line."""
        lines = self.output.strip().splitlines()
        last = lines[-1].strip() if lines else "no output"
        counts = dict(re.findall(r"^[#ℹ] (tests|fail) (\d+)$", self.output, re.MULTILINE))
        if len(counts) == 2:
            return f"{counts['tests']} tests, {'OK' if counts['fail'] == '0' else counts['fail'] + ' failed'}"
        if planned := re.search(r"^1\.\.(\d+)$", self.output, re.MULTILINE):
            failed = len(re.findall(r"^not ok \d+", self.output, re.MULTILINE))
            return f"{planned[1]} tests, {f'{failed} failed' if failed else 'OK'}"
        ran = re.search(r"^Ran (\d+) tests?", self.output, re.MULTILINE)
        return f"{ran[1]} tests, {last}" if ran else last


def run(argv: Sequence[str], folder: Path, environ: Mapping[str, str]) -> CommandRun:
    """Run a command; one that cannot be run or takes too long is one that failed.

    `python` is the interpreter that runs this, whatever PATH says; it leaves no bytecode behind.
    """
    program = sys.executable if argv[0] == "python" else argv[0]
    try:
        done = subprocess.run(
            [program, *argv[1:]],
            cwd=folder,
            env={**environ, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=LIMIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return CommandRun(shlex.join(argv), NOT_RUN, f"it could not be run: {error}")
    return CommandRun(shlex.join(argv), done.returncode, done.stdout)
