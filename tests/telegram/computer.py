"""The computer that the person is not at: real commands on a project, a home of its own, and what is killed there."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kit import until

from samoloop.base.locks import is_held
from samoloop.core.control import LOCK
from samoloop.core.session import Session
from samoloop.demo import examples

ADA = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
}


class Computer:
    """One project, played by the demo's provider."""

    def __init__(self, folder: Path, environ: Mapping[str, str], example: str = "bulk-discount") -> None:
        """`environ` is that of a process whose own settings name the bot."""
        self.example = examples.get(example)
        self.root = examples.copy(self.example, folder / "till")
        self.environ = {**environ, **ADA}

    def samoloop(self, *words: str) -> str:
        argv = [sys.executable, "-m", "samoloop", *words]
        done = subprocess.run(argv, cwd=self.root, env=self.environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def hand_off(self, *options: str) -> None:
        """Hand the example's task off to a worker in the background."""
        task = self.root.parent / "task.md"
        task.write_text(self.example.task)
        self.samoloop("run", "--detach", *options, "--session", self.example.name, "--file", str(task))

    @property
    def session(self) -> Session:
        return Session(next((self.root / "_sessions").glob("*/_history.jsonl")).parent)

    def kill_worker(self) -> None:
        """kill -9, and wait until the lock is free."""
        lock = self.session.control / LOCK
        if is_held(lock):
            os.kill(int(lock.read_text()), 9)
        until(lambda: not is_held(lock))

    @contextmanager
    def relay(self) -> Iterator[None]:
        """A relay that a person runs; ends by kill -9."""
        argv = [sys.executable, "-m", "samoloop", "relay"]
        with subprocess.Popen(argv, cwd=self.root, env=self.environ, stdout=subprocess.DEVNULL) as running:
            try:
                yield
            finally:
                running.kill()
