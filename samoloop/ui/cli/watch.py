"""`watch`: all sessions live on one screen, and the keys that act on one."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from samoloop.api.sessions import KnownProject
from samoloop.api.status import is_at_work, ranked
from samoloop.base.clock import Clock
from samoloop.base.errors import UsageError, sentence
from samoloop.config.project import sessions_folder
from samoloop.ui.cli.common import every_root, is_terminal, project_root
from samoloop.ui.cli.fleet_copies import kept_new
from samoloop.ui.terminal.board import Look, chosen, frame, moved
from samoloop.ui.terminal.keys import Keys
from samoloop.ui.terminal.output import say

_SECONDS = 1.0  # between two looks at the sessions
_SHARE = 5  # of the processor at most one part is spent on looking
_LONGEST_PAGE = 10
_SAMOLOOP = [sys.executable, "-m", "samoloop"]
_DULL_TERMINALS = ("dumb", "unknown", "")


@click.command("watch")
@click.option("--here", is_flag=True, help="Only the sessions of this project.")
def watch(here: bool) -> None:
    """Watch all sessions on one screen, those that wait for you first; keys open the log, answer, stop, resume.

    \b
    samoloop watch
    samoloop watch --here
    """
    if not is_terminal() or os.environ.get("TERM", "") in _DULL_TERMINALS:
        raise UsageError("watch needs a terminal that can move its cursor; here: samoloop list, or status --json")
    projects = [project_root()] if here else every_root()
    _Watch([KnownProject(root) for root in projects], Keys(sys.stdout)).run()


class _Watch:
    """The screen, the sessions and the choice."""

    def __init__(self, projects: list[KnownProject], keys: Keys) -> None:
        self._projects = projects
        self._keys = keys
        self._rows: list[dict[str, Any]] = []
        self._look = Look()
        self._asks = ""  # the session that is stopped if the next key says yes
        self._behind = self._said_behind = ""  # why copies of a fleet's sessions may be

    def run(self) -> None:
        try:
            with self._keys.opened(), kept_new(self._folders, self._hear):
                while not self._keys.gone:
                    began = time.process_time()
                    if self._behind != self._said_behind:
                        self._said_behind = self._behind
                        self._say(self._behind)
                    self._rows = ranked(self._seen())
                    pause = max(_SECONDS, _SHARE * (time.process_time() - began))
                    if not self._until(time.monotonic() + pause):
                        return
        except KeyboardInterrupt:
            return

    def _until(self, deadline: float) -> bool:
        """Draw, and take keys, until the sessions are to be looked at again. False where the person leaves."""
        while True:
            lines, self._look = frame(self._rows, self._look, Clock().now(), *self._keys.size)
            self._keys.draw(lines)
            left = deadline - time.monotonic()
            if left <= 0:
                return True
            for key in self._keys.pressed(left):
                if key == "q" and not self._asks:
                    return False
                if self._decide(key) if self._asks else self._act(key):
                    return True  # something may have changed

    def _folders(self) -> Iterator[Path]:
        return (sessions_folder(project.root, os.environ) for project in self._projects)

    def _hear(self, behind: str) -> None:
        self._behind = behind  # said on the screen by whoever draws it

    def _seen(self) -> Iterator[dict[str, Any]]:
        return (row for project in self._projects for row in project.rows(os.environ))

    def _act(self, key: str) -> bool:
        """Do what the key says. Whether the sessions are to be looked at again."""
        steps = {"up": -1, "down": 1, "page up": -_LONGEST_PAGE, "page down": _LONGEST_PAGE}
        if key in steps:
            self._look = moved(self._look, self._rows, steps[key])
            return False
        row = chosen(self._look, self._rows)
        if row is None:
            return False
        name = row["session"]
        match key:
            case "enter" | "l":
                follow = ["-f"] if row["worker_alive"] or row["child_alive"] else []
                self._hand_over(row, ["log", name, *follow])
            case "v":
                self._hand_over(row, ["show", name])
            case "a" if row["needs_you"] and row["waits_for"]:
                self._hand_over(row, ["answer", name])
            case "a":
                self._say(f"{name} asks nothing now")
                return False
            case "s" if row["worker_alive"] or is_at_work(row):
                self._asks = row["folder"]
                self._say(f"stop {name} after this iteration? y", "warn")
                return False
            case "s":
                self._say(f"no worker is at work on {name}")
                return False
            case "r" if row["worker_alive"] or is_at_work(row):
                self._say(f"{name} is at work already")
                return False
            case "r":
                self._quietly(row, ["resume", name, "--detach"])
            case _:
                return False
        return True

    def _decide(self, key: str) -> bool:
        """Stop the session that was asked about, if the key says yes."""
        folder, self._asks = self._asks, ""
        self._say("")
        row = next((row for row in self._rows if row["folder"] == folder), None)
        if key != "y" or row is None:
            return False
        self._quietly(row, ["stop", row["session"]])
        return True

    def _hand_over(self, row: Mapping[str, Any], words: list[str]) -> None:
        """Give the terminal to a command until it ends, and until the person has seen it."""
        self._say("")
        with self._keys.lent():
            self._start(row, words)
            say(("\n-- Enter goes back to the sessions --", "dim"), " ", end="")
            os.read(sys.stdin.fileno(), 1024)

    def _quietly(self, row: Mapping[str, Any], words: list[str]) -> None:
        """Run a command, and say below what came of it."""
        done = self._start(row, words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done is not None:
            lines = (done.stderr if done.returncode else done.stdout).strip().splitlines()
            said = f"{words[1]} goes on" if words[0] == "resume" and not done.returncode else "".join(lines[-1:])
            self._say(said, "bad" if done.returncode else "good")

    def _start(self, row: Mapping[str, Any], words: list[str], **how: Any) -> "subprocess.CompletedProcess[str] | None":
        try:
            return subprocess.run([*_SAMOLOOP, *words], cwd=row["root"] or row["folder"], check=False, **how)
        except OSError as error:
            self._say(sentence(error), "bad")
            return None

    def _say(self, sentence: str, tone: str = "warn") -> None:
        self._look = replace(self._look, said=sentence, tone=tone)
