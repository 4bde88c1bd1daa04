"""A program that speaks MCP to the real `samoloop mcp`."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Program:
    """A program that speaks to the real server, a message a line."""

    process: "subprocess.Popen[str]"
    asked: int = 0

    def say(self, method: str, **params: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", "method": method, "params": params}) + "\n")
        self.process.stdin.flush()

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self.asked += 1
        assert self.process.stdin and self.process.stdout
        message = {"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params}
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        while (found := json.loads(self.process.stdout.readline())).get("id") != self.asked:
            pass
        return found["result"]

    def call(self, name: str, /, **given: Any) -> tuple[str, bool]:
        result = self.ask("tools/call", name=name, arguments=given)
        return result["content"][0]["text"], result["isError"]


@contextmanager
def program(folder: Path, env: Mapping[str, str] | None = None) -> Iterator[Program]:
    words = [sys.executable, "-m", "samoloop", "mcp"]
    pipe = subprocess.PIPE
    environ = {**os.environ, **(env or {})}
    with subprocess.Popen(words, cwd=folder, stdin=pipe, stdout=pipe, text=True, env=environ) as process:
        found = Program(process)
        try:
            about = {"name": "a program", "version": "1"}
            hello = found.ask("initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo=about)
            assert hello["serverInfo"]["name"] == "samoloop" and "decide nothing for them" in hello["instructions"]
            found.say("notifications/initialized")
            yield found
            assert process.stdin
            process.stdin.close()
            assert process.wait(20) == 0
        finally:
            process.kill()
