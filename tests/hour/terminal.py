"""A person's terminal of 80 columns, in tmux: keys go in, and what stands on the screen comes out as text."""

import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self
from uuid import uuid4

COLUMNS, ROWS = 80, 24
PROMPT = "$ "
_LONGEST_SECONDS = 120.0
_LOOK_SECONDS = 0.05


class Terminal:
    """A shell at a prompt in an otherwise empty home."""

    def __init__(self, home: Path, environ: Mapping[str, str]) -> None:
        self._socket = f"samoloop-{uuid4().hex[:12]}"
        rc = home / ".bashrc"
        rc.write_text(f"PS1='{PROMPT}'\nunset PROMPT_COMMAND HISTFILE\n")
        words = [f"{name}={value}" for name, value in environ.items()]
        shell = ["env", "-i", *words, "TERM=screen-256color", f"HOME={home}", "bash", "--rcfile", str(rc), "-i"]
        size = ["-x", str(COLUMNS), "-y", str(ROWS), "-c", str(home)]
        self._tmux("-f", "/dev/null", "new-session", "-d", *size, *shell)
        self._tmux("set-option", "-g", "history-limit", "5000")

    def __enter__(self) -> Self:
        try:
            self.wait_for(r"^\$$")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._tmux("kill-server")

    @property
    def screen(self) -> str:
        """All lines since `clear`, those that were scrolled away too, without spaces at their ends."""
        text = self._tmux("capture-pane", "-p", "-S", "-")
        return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")

    def type(self, text: str) -> None:
        """Keys as a person presses them, then Enter."""
        if text:
            self._tmux("send-keys", "-l", "--", text)
        self._tmux("send-keys", "Enter")

    def clear(self) -> None:
        self._tmux("send-keys", "C-l")
        deadline = time.monotonic() + _LONGEST_SECONDS
        while self.screen != PROMPT.strip():
            self._tmux("clear-history")
            assert time.monotonic() < deadline, self.screen
            time.sleep(_LOOK_SECONDS)

    def wait_for(self, pattern: str, times: int = 1) -> str:
        """The screen as soon as the pattern stands there so many times, and nothing more comes."""
        deadline, before = time.monotonic() + _LONGEST_SECONDS, ""
        while True:
            screen = self.screen
            if len(re.findall(pattern, screen, re.MULTILINE)) >= times and screen == before:
                return screen
            before = screen
            assert time.monotonic() < deadline, f"waited for {pattern!r}; on the screen:\n{screen}"
            time.sleep(_LOOK_SECONDS)

    def run(self, command: str) -> str:
        """A command to its end, on a screen of its own."""
        self.clear()
        self.type(command)
        return self.wait_for(r"\n\$\Z")

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(["tmux", "-L", self._socket, *words], capture_output=True, text=True, check=True)
        return done.stdout
