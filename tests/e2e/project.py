"""A small project of a person, and samoloop run in it as they would run it."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clis import Cli, Setup

TASK = "Say goodbye too: add farewell() to greeting.py – with a test, “quoted” & $HOME-safe"

GREETING = """def greet(name: str) -> str:
    return f"Hello, {name}!"
"""

TEST = """import unittest

import greeting


class GreetTest(unittest.TestCase):
    def test_names_the_person(self) -> None:
        self.assertEqual(greeting.greet("Ada"), "Hello, Ada!")
"""


@dataclass
class Project:
    """A git repository with one commit, and the environment in which commands run in it."""

    root: Path
    environ: dict[str, str]

    def git(self, *args: str) -> str:
        done = subprocess.run(
            ["git", *args], cwd=self.root, env=self.environ, capture_output=True, text=True, check=True
        )
        return done.stdout

    def use(self, cli: Cli, setup: Setup, **more: Any) -> None:
        """Set the CLI up for this person and this project; `more` are further settings of the project."""
        setup.install(Path(self.environ["HOME"]))
        self.environ |= setup.environ
        settings: dict[str, Any] = {"provider": cli.name, "model": cli.model, **more}
        if setup.settings:
            settings["providers"] = {cli.name: dict(setup.settings)}
        (self.root / ".samoloop.yaml").write_text(json.dumps(settings))  # every JSON text is YAML
        self.git("add", ".samoloop.yaml")
        self.git("commit", "-q", "-m", "Settings")

    def samoloop(self, *args: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "samoloop", *args],
            cwd=self.root,
            env={**self.environ, **changes},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )

    @contextmanager
    def in_background(self, *args: str) -> Iterator[subprocess.Popen[str]]:
        """A command at work; ended with the block if it has not ended by itself."""
        process = subprocess.Popen(
            [sys.executable, "-m", "samoloop", *args],
            cwd=self.root,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            process.communicate()

    @property
    def session(self) -> Path:
        """The folder of the only session."""
        (folder,) = (path for path in (self.root / "_sessions").iterdir() if path.is_dir())
        return folder

    def journal(self) -> list[dict[str, Any]]:
        """The whole lines of the session's journal; none before there is one."""
        for path in self.root.glob("_sessions/*/_history.jsonl"):
            return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return []

    def ended(self) -> list[dict[str, Any]]:
        """The journal's records of children that ended."""
        return [record for record in self.journal() if record["event"] == "ended"]

    @property
    def report(self) -> str:
        return (self.session / "_report.md").read_text()


def make_project(root: Path, environ: Mapping[str, str]) -> Project:
    """A repository with a tiny Python package and its passing test."""
    root.mkdir(parents=True)
    (root / "greeting.py").write_text(GREETING)
    (root / "test_greeting.py").write_text(TEST)
    project = Project(root, dict(environ))
    for args in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "Say hello")):
        project.git(*args)
    return project


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str], seconds: float) -> None:
    """Until the condition holds. AssertionError with the command's output when it ends before, or takes too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None:
            raise AssertionError(f"ended with {process.returncode}: {process.communicate()[0]}")
        if time.monotonic() > deadline:
            process.terminate()
            raise AssertionError(f"not within {seconds} s: {process.communicate()[0]}")
        time.sleep(0.05)


def said(done: subprocess.CompletedProcess[str]) -> str:
    """What a command told the person, both streams."""
    return f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"


def processes_with(argument: str) -> list[int]:
    """The processes that have this argument on their command line (Linux)."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if argument.encode() in arguments:
            found.append(int(folder.name))
    return found
