"""The loopback server: reads requests in four dialects, plays a script, records what it was told."""

import json
import re
import shlex
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from .dialects import READ, STREAM, WHOLE
from .faults import Fault, Kind, refusal
from .turns import Call, Conversation, Say, Script, Shell, arguments

FINISH_WORD = "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"  # mini's prompt: echo it to end the run


@dataclass(frozen=True)
class Asked:
    """One model call, as it arrived."""

    conversation: Conversation
    path: str
    key: str  # the credential, whichever header or parameter it came in
    fault: Kind | None  # what it was answered with, instead of the script's turn


def dialect_of(path: str) -> str | None:
    """Which API a path belongs to; None for anything that is no model call."""
    if path.endswith("/messages"):
        return "anthropic"
    if path.endswith("/responses"):
        return "responses"
    if path.endswith("/chat/completions"):
        return "chat"
    if path.endswith((":generateContent", ":streamGenerateContent")):
        return "gemini"
    return None


def credential(headers: Mapping[str, str], query: str) -> str:
    """The key that the CLI sent."""
    for name in ("x-api-key", "x-goog-api-key", "api-key"):
        if headers.get(name):
            return headers[name]
    bearer = headers.get("authorization", "")
    return bearer.removeprefix("Bearer ") or query.removeprefix("key=")


def errand(conversation: Conversation) -> Path | None:
    """The file that the prompt sends the model to: a CLI that takes no long prompt gets the name of its file."""
    named = re.search(r"\bRead all of the file (.+) and do what it says", conversation.prompt)
    return Path(named.group(1)) if named else None


def told(conversation: Conversation) -> Conversation:
    """The conversation as if the file had been the prompt from the start."""
    if not errand(conversation) or not conversation.results:
        return conversation
    text, *results = conversation.results
    return replace(conversation, prompt=f"{conversation.prompt}\n{text}", results=results)


def played(script: Script, conversation: Conversation) -> Say | Call:
    """The script's turn in the terms of the CLI that asks."""
    if not conversation.tools:  # a title or a summary
        return Say("A short session")
    file = errand(conversation)
    turn = Shell(f"cat {shlex.quote(str(file))}") if file and not conversation.results else script(told(conversation))
    if isinstance(turn, Say) and FINISH_WORD in conversation.system + conversation.prompt:
        turn = Shell(f"echo {FINISH_WORD}")
    if isinstance(turn, Shell):
        shell = conversation.shell
        return Call(shell.name, arguments(shell, turn.command)) if shell else Say("I have no shell.")
    return turn


class Standin:
    """A model on loopback, for as long as the `with` block lasts.

    `fault` may be set and cleared while it runs; `asked` holds the model calls so far, oldest first.
    """

    def __init__(self, script: Script, fault: Fault | None = None, port: int = 0) -> None:
        self.script = script
        self.fault = fault
        self.asked: list[Asked] = []
        self.stray: list[str] = []  # requests that are no model call
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.standin = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> "Standin":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def serve(self) -> None:
        """Serve in this thread until interrupted (for use by hand)."""
        self._server.serve_forever()

    def take(self, conversation: Conversation, path: str, key: str) -> Fault | None:
        """Record a model call; the fault that hits it, if one does."""
        with self._lock:
            fault = self.fault if self.fault and self.fault.hits(len(self.asked)) else None
            self.asked.append(Asked(told(conversation), path, key, fault.kind if fault else None))
        return fault


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # a CLI that keeps a connection open must not hold up the end of a test
    block_on_close = False
    standin: Standin

    def handle_error(self, request: object, client_address: object) -> None:
        """A CLI that was killed resets its connection: nothing to report."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Silent: the tests look at `asked`."""

    def do_HEAD(self) -> None:
        self._stray()

    def do_GET(self) -> None:
        self._stray()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = urlsplit(self.path)
        dialect = dialect_of(parts.path)
        if dialect is None:
            self._stray()
            return
        conversation = READ[dialect](json.loads(body), parts.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        fault = self.server.standin.take(conversation, parts.path, credential(headers, parts.query))
        if fault is None or fault.kind is Kind.SLOW:
            if fault:
                time.sleep(fault.delay_seconds)
            self._reply(conversation)
        elif fault.kind is Kind.CUT:
            self._cut(conversation)
        else:
            answer = refusal(fault, dialect, conversation.model)
            self._object(answer.status, answer.body, answer.headers)

    def _stray(self) -> None:
        """What is no model call: a liveness check, a list of models, telemetry."""
        self.server.standin.stray.append(f"{self.command} {self.path}")
        if self.path.split("?")[0].endswith("/count_tokens"):
            self._object(200, {"input_tokens": 1})
        elif self.path.split("?")[0].endswith(":countTokens"):
            self._object(200, {"totalTokens": 1})
        else:
            self._object(404 if self.command == "GET" else 200, {})

    def _reply(self, conversation: Conversation) -> None:
        turn = played(self.server.standin.script, conversation)
        if conversation.stream:
            self._stream(STREAM[conversation.dialect](conversation, turn))
        else:
            self._object(200, WHOLE[conversation.dialect](conversation, turn))

    def _object(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _stream(self, events: Iterable[bytes], *, end: bool = True) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for data in events:
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        if end:
            self.wfile.write(b"0\r\n\r\n")

    def _cut(self, conversation: Conversation) -> None:
        """Begin a reply and close the connection within it."""
        turn = played(self.server.standin.script, conversation)
        first = next(iter(STREAM[conversation.dialect](conversation, turn)))
        self._stream([first[: len(first) // 2]], end=False)
        self.close_connection = True
