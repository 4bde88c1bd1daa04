"""`samoloop web` as a process, and requests as they are written."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kit import until


class Web:
    """`samoloop web`, started in a folder of its own."""

    def __init__(self, folder: Path, *words: str, env: dict[str, str] | None = None) -> None:
        state = {"HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"), "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "samoloop", "web", *words],
            cwd=folder,
            env={**os.environ, **state, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout
        self.said = ""
        while "http://localhost:" not in self.said:
            line = self.process.stdout.readline()
            assert line, self.said
            self.said += line
        self.port = int(re.findall(r"http://localhost:(\d+)", self.said)[0])
        self.door = re.findall(r"http://localhost:\d+(/enter/\S+)", self.said)[0]
        until(lambda: self.ask("GET /static/icon.svg HTTP/1.1"))

    def connect(self, address: str = "127.0.0.1") -> socket.socket:
        made = socket.create_connection((address, self.port), 20)
        made.settimeout(20)
        return made

    def ask(self, head: str, *lines: str, host: str | None = None, body: bytes = b"") -> str:
        """The answer to a request as it is written; empty where the connection is only ended."""
        said = "\r\n".join([head, f"Host: {host or f'localhost:{self.port}'}", "Connection: close", *lines, "", ""])
        with suppress(ConnectionError), self.connect() as one:
            with suppress(ConnectionError):
                one.sendall(said.encode("latin-1") + body)
            return all_of(one)
        return ""

    def cookie(self) -> str:
        answer = self.ask(f"GET {self.door} HTTP/1.1")
        return "Cookie: " + re.findall(r"set-cookie: ([^;]+)", answer)[0]

    def end(self, number: int = signal.SIGINT) -> tuple[int, float]:
        """Its exit code, and how many seconds it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        assert self.process.stdout
        self.said += self.process.stdout.read()
        return self.process.wait(30), time.monotonic() - began


def all_of(one: socket.socket) -> str:
    parts = []
    with suppress(ConnectionError):
        while part := one.recv(65536):
            parts.append(part)
    return b"".join(parts).decode("latin-1")


@contextmanager
def started(folder: Path, *words: str, **how: dict[str, str]) -> Iterator[Web]:
    web = Web(folder, *words, **how)
    try:
        yield web
    finally:
        web.process.kill()
        web.process.wait()
        if web.process.stdout:
            web.process.stdout.close()


def status(answer: str) -> int:
    return int(answer.split(" ", 2)[1]) if answer else 0
