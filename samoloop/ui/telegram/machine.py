"""samoloop's own commands, run for a person who is not at the machine."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from samoloop.api.asked import How
from samoloop.api.detach import detach
from samoloop.api.settings import settings_of
from samoloop.base.errors import SamoloopError
from samoloop.core.session import Session
from samoloop.worker.keeping import code_so_far
from samoloop.worker.worker import Worker

LIMIT_SECONDS = 120


class Machine:
    """Runs commands."""

    def run(self, root: Path | str, words: Sequence[str], stdin: str = "") -> tuple[int, str]:
        """Exit code and output of `samoloop WORDS` in `root`; the last line is the one that explains a failure."""
        try:
            done = subprocess.run(
                [sys.executable, "-m", "samoloop", *words],
                cwd=root, input=stdin, capture_output=True, text=True, errors="replace", timeout=LIMIT_SECONDS,
                env={**os.environ, "NO_COLOR": "1", "COLUMNS": "80"}, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return 124, f"samoloop {words[0]} did not end within {LIMIT_SECONDS} s"
        except OSError as error:
            return 126, f"samoloop {words[0]} could not be run: {error.strerror}"
        return done.returncode, done.stdout if done.returncode == 0 else done.stderr or done.stdout

    def resume(self, session_dir: Path, by: str) -> str:
        """Start a worker in the background for a person; returns what went wrong, empty when it runs."""
        try:
            detach(Session(session_dir), How(by=by), os.environ)
        except (SamoloopError, OSError) as error:
            return str(error)
        return ""

    def diff(self, session_dir: Path) -> str:
        """All that a session has changed in the code so far. Raises SamoloopError."""
        session = Session(session_dir)
        return code_so_far(Worker(session, settings_of(session, os.environ)))


def last_line(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "it gave no reason"
