"""What the tests of the child share: a session's files, the scripted children, and a reader of their output."""

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from samoloop.children.child import Child, ChildEnd, Spec
from samoloop.children.stop import StopRequest
from samoloop.core.events import Event, Result, Started, Tool, Usage
from samoloop.core.limits import Limits

CHILDREN = Path(__file__).parent / "children"
WORKER = Path(__file__).parent / "child_worker.py"


class LineReader:
    """Reads what the scripted children print, and keeps what it was told at the end."""

    def __init__(self) -> None:
        self.finished: list[tuple[int | None, str]] = []

    def feed(self, line: bytes) -> list[Event]:
        match _object(line):
            case {"started": True}:
                return [Started()]
            case {"tool": name, "running": running}:
                return [Tool(name, name, running=running)]
            case {"usage": tokens}:
                return [Usage(output_tokens=tokens)]
            case {"result": text}:
                return [Result(True, text)]
        return []

    def finish(self, exit_code: int | None, stderr_tail: str) -> list[Event]:
        self.finished.append((exit_code, stderr_tail))
        return []


def _object(line: bytes) -> Any:
    with suppress(ValueError):
        return json.loads(line)


@dataclass(frozen=True)
class Manners:
    """A CLI's habits."""

    interrupt_first: bool = False
    starts_at_once: bool = False


@dataclass
class Attempt:
    """One attempt in a session of its own: starts children and waits for them."""

    folder: Path
    marker: str = field(default_factory=lambda: uuid4().hex)
    events: list[Event] = field(default_factory=list)
    reader: LineReader = field(default_factory=LineReader)
    stop: StopRequest = field(default_factory=StopRequest)
    on_events: Callable[[list[Event]], None] = lambda events: None
    within: Sequence[str] = ()  # the words of a sandbox

    @property
    def stem(self) -> Path:
        return self.folder / "_logs" / "001-testing.2"

    @property
    def lock(self) -> Path:
        return self.folder / "_child.lock"

    @property
    def signal(self) -> Path:
        return self.folder / "_signal.json"

    def file(self, ending: str) -> Path:
        return self.stem.with_name(self.stem.name + ending)

    def spec(self, *argv: str, stdin: Path | None = None) -> Spec:
        self.stem.parent.mkdir(exist_ok=True)
        env = {"PATH": os.environ["PATH"], "SAMOLOOP_SIGNAL": str(self.signal), "SAMOLOOP_PHASE": "testing"}
        program, *arguments = argv
        path = str(CHILDREN / program) if (CHILDREN / program).exists() else program
        return Spec([path, *arguments], env, self.folder, stdin, self.stem, self.lock, self.marker, self.within)

    def spawn(self, *argv: str, stdin: Path | None = None) -> Child:
        return Child.spawn(self.spec(*argv, stdin=stdin))

    def wait(
        self, child: Child, *, interrupt_first: bool = False, starts_at_once: bool = False, **changes: Any
    ) -> ChildEnd:
        """With limits that no test reaches unless it changes them."""
        limits = {"total": 30.0, "silence": None, "first_byte": None, "grace": None, "terminate": 5.0, **changes}

        def collect(events: list[Event]) -> None:
            self.events += events
            self.on_events(events)

        return child.wait(
            Limits(**limits),
            habits=Manners(interrupt_first, starts_at_once),
            reader=self.reader,
            signal_ready=self.signal.exists,
            on_events=collect,
            stop=self.stop,
        )

    def run(self, *argv: str, stdin: Path | None = None, **changes: Any) -> ChildEnd:
        return self.wait(self.spawn(*argv, stdin=stdin), **changes)


def is_running(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    return False
