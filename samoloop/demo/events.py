"""What the scripted child says on its standard output: one JSON object a line, in the form that
`samoloop.providers.custom` reads.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

MODEL = "script"
BYTES_PER_TOKEN = 4  # a rule of thumb: what a model would have had to read and write


class Events:
    """Speaks in events, at a pace that a person can follow where one is asked for."""

    def __init__(self, out: IO[str], pace_seconds: float) -> None:
        self._out = out
        self._pace_seconds = pace_seconds
        self._tools = 0
        self._read_bytes = 0
        self._written_bytes = 0

    def started(self, session_id: str) -> None:
        self._emit("started", session_id=session_id)

    def text(self, words: str) -> None:
        self._written_bytes += len(words.encode())
        self._emit("text", text=words)
        time.sleep(self._pace_seconds)

    @contextmanager
    def tool(self, name: str, detail: str) -> Iterator[None]:
        """A tool call around what really happens; an exception makes it one that failed."""
        self._tools += 1
        call = {"id": f"t{self._tools}", "name": name, "detail": detail}
        self._emit("tool", **call, running=True)
        time.sleep(self._pace_seconds)
        ok = False
        try:
            yield
            ok = True
        finally:
            self._emit("tool", **call, running=False, ok=ok)

    def has_read(self, text: str) -> None:
        self._read_bytes += len(text.encode())

    def has_written(self, text: str) -> None:
        self._written_bytes += len(text.encode())

    def usage(self) -> None:
        """What a model would have read and written, by its size; it costs nothing, and the model's name says why."""
        tokens = {
            "input_tokens": self._read_bytes // BYTES_PER_TOKEN,
            "output_tokens": self._written_bytes // BYTES_PER_TOKEN,
        }
        self._emit("usage", **tokens, cost_usd=0.0, model=MODEL)

    def result(self, ok: bool, words: str) -> None:
        self._emit("result", ok=ok, text=words)

    def _emit(self, kind: str, **fields: object) -> None:
        print(json.dumps({"type": kind, **fields}), file=self._out, flush=True)
