"""Processes for iterations, one of them always begun ahead: what a worker imports is loaded before there is work."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from samoloop.api.asked import How
from samoloop.api.detach import LOG
from samoloop.base.files import open_log, put_folder
from samoloop.core.session import Session

COMMAND = ("fleet", "turn")


class Warm:
    """One process that waits to be told its session; it ends by itself when nobody can tell it any more."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)
        self._turn = threading.Lock()
        self._waiting: subprocess.Popen[bytes] | None = None

    def start(self, session: Session, shown: str) -> "subprocess.Popen[bytes]":
        """A worker for one iteration of the session; what it says goes to the session's log. Raises OSError."""
        put_folder(session.logs)
        root, log = session.state().created.root, session.logs / LOG
        said = json.dumps({"session": str(session.dir), "root": str(root), "log": str(log), "shown": shown})
        process = self._taken() or self._begun()
        assert process.stdin
        with process.stdin:
            process.stdin.write(said.encode() + b"\n")
        return process

    def ready(self) -> None:
        """Have one wait."""
        with self._turn:
            if self._waiting is None or self._waiting.poll() is not None:
                self._waiting = self._begun()

    def close(self) -> None:
        """Let the one that waits end."""
        if (process := self._taken()) is not None and process.stdin:
            with suppress(BrokenPipeError):
                process.stdin.close()
            process.wait()

    def _taken(self) -> "subprocess.Popen[bytes] | None":
        with self._turn:
            process, self._waiting = self._waiting, None
        return process if process is not None and process.poll() is None else None

    def _begun(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "samoloop", *COMMAND],
            env=self._environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def told() -> tuple[Session, How] | None:
    """The other side: the session that this process is to work on, with its log in place; None where nobody says."""
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):
        return None
    said = json.loads(line)
    with open_log(Path(said["log"])) as log, Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), sys.stdin.fileno())
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    os.chdir(said["root"])
    return Session(Path(said["session"])), How(no_wait=True, once=True, allow_sleep=True, shown=said["shown"])
