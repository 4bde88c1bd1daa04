"""What it means to run a session from a queue: here a worker process of its own on this machine."""

import signal
from collections.abc import Mapping
from typing import Protocol

from samoloop.api.asked import How
from samoloop.api.detach import Started, spawn, warm_process
from samoloop.core.session import Session


class Run(Protocol):
    """One worker that was started."""

    @property
    def name(self) -> str:
        """What tells it from others, such as its process."""
        ...

    def ended(self) -> int | None:
        """Its exit code; None while it works."""
        ...

    def ask_to_finish(self) -> None:
        """Let it end after its iteration."""
        ...

    def ask_to_rest(self) -> None:
        """The same, and somebody goes on later: it is not stopped."""
        ...

    def ask_now(self) -> None:
        """Let it end its child, and itself."""
        ...


class Runner(Protocol):
    """Starts workers."""

    def start(self, session: Session) -> Run:
        """A worker that goes on with the session as far as it can without waiting. Raises SamoloopError or OSError."""
        ...


class Processes:
    """Workers as processes here. They outlive whoever started them, and hold their sessions' leases.

    They are forked from a warm process where the system has a way, until this is closed.
    """

    def __init__(self, environ: Mapping[str, str], once: bool = False) -> None:
        self._environ = environ
        self._how = How(no_wait=True, once=once)
        self._warm = warm_process(environ)

    def start(self, session: Session) -> "_Process":
        return _Process(spawn(session, self._how, self._environ, self._warm))

    def close(self) -> None:
        """The workers go on."""
        if self._warm:
            self._warm.close()


class _Process:
    def __init__(self, process: Started) -> None:
        self._process = process

    @property
    def name(self) -> str:
        return f"worker {self._process.pid}"

    def ended(self) -> int | None:
        return self._process.poll()

    def ask_to_finish(self) -> None:
        self._process.send_signal(signal.SIGUSR1)

    def ask_to_rest(self) -> None:
        self._process.send_signal(signal.SIGUSR2)

    def ask_now(self) -> None:
        self._process.send_signal(signal.SIGTERM)
