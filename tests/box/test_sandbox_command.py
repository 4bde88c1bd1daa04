"""`samoloop sandbox`: a person looks around where a child would work, in a pipe and on a terminal."""

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from kit import GOOD_CHILD, samoloop, scripted_project

COMMAND = (sys.executable, "-m", "samoloop", "sandbox")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with a session `a` that waits, and a secret in the person's home."""
    found = scripted_project(tmp_path, GOOD_CHILD)
    assert samoloop(found, "run", "Task", "--session", "a", "--no-wait").returncode == 3
    Path(os.environ["HOME"], "secret").write_text("mine")
    return found


class Terminal:
    """A person at a terminal on which the command runs."""

    def __init__(self, cwd: Path, *words: str) -> None:
        self._keys, self.screen = pty.openpty()
        fcntl.ioctl(self.screen, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
        self.process = subprocess.Popen(
            [*COMMAND, *words],
            cwd=cwd,
            env={**os.environ, "PS1": "ready> "},
            stdin=self.screen,
            stdout=self.screen,
            stderr=self.screen,
            start_new_session=True,
        )
        self.seen = ""

    def types(self, text: str) -> None:
        os.write(self._keys, text.encode())

    def shows(self, text: str, seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if select.select([self._keys], [], [], 0.1)[0]:
                self.seen += os.read(self._keys, 4096).decode(errors="replace")

    def ends(self) -> int:
        return self.process.wait(30)


def test_the_command_has_what_a_child_has_and_its_exit_code_comes_out(root: Path):
    done = samoloop(root, "sandbox", "--session", "a", "--", "sh", "-c", "pwd; ls -A ~; cat; exit 7", input="typed")
    assert done.returncode == 7, done.stderr
    [worktree] = root.glob(".samoloop/worktrees/*-a")
    assert done.stdout.startswith(f"{worktree}\n") and done.stdout.endswith("typed")
    assert "secret" not in done.stdout


def test_without_a_session_it_is_the_projects(root: Path):
    done = samoloop(root, "sandbox", "--", "sh", "-c", "pwd; ls _sessions; echo x > made; echo x > .git/x")
    assert done.stdout == f"{root}\n"
    assert (root / "made").exists() and not (root / ".git/x").exists()


def test_it_is_in_a_sandbox_also_where_children_are_not(root: Path):
    settings = json.loads((root / ".samoloop.yaml").read_text())
    (root / ".samoloop.yaml").write_text(json.dumps(settings))
    done = samoloop(root, "sandbox", "--", "sh", "-c", "ls ~", env={"SAMOLOOP_SANDBOX": "off"})
    assert done.returncode == 0 and "secret" not in done.stdout


def test_a_worktree_that_is_gone_is_named(root: Path):
    assert samoloop(root, "archive", "a", "--force").returncode == 0
    done = samoloop(root, "sandbox", "--session", "a", "--", "true")
    assert done.returncode == 2 and "has no worktree any more" in done.stderr


def test_on_a_terminal_a_shell_works_as_outside(root: Path):
    terminal = Terminal(root, "--", "sh", "-i")
    terminal.shows("ready> ")
    terminal.types("stty size; echo $((6 * 7)) is here\n")
    terminal.shows("42 is here")
    assert "33 101" in terminal.seen
    terminal.types("sleep 600\n")
    terminal.shows("sleep 600\r\n")
    time.sleep(0.3)  # until the shell has made it the terminal's own
    terminal.types("\x03")
    terminal.types("echo $((6 * 9)) after\n")
    terminal.shows("54 after")
    terminal.types("exit 5\n")
    assert terminal.ends() == 5


def test_what_runs_there_types_nothing_into_the_persons_terminal(root: Path):
    push = """import fcntl, termios
try:
    for key in b"echo typed-by-a-child\\n":
        fcntl.ioctl(0, termios.TIOCSTI, bytes([key]))
finally:
    print("tried")
"""
    terminal = Terminal(root, "--", "/usr/bin/python3", "-c", push)
    terminal.shows("tried")
    terminal.ends()
    assert not select.select([terminal.screen], [], [], 0.2)[0], "the person's shell would read it next"
