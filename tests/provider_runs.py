"""What the provider tests share: recorded runs of the real CLIs, requests, and programs that stand in for a CLI."""

import os
from pathlib import Path
from typing import Any

from samoloop.core.events import Event
from samoloop.providers.base import Reader, Request

RUNS = Path(__file__).parent / "fixtures" / "providers"


def lines(cli: str, run: str) -> list[bytes]:
    """The recorded standard output of one run."""
    return (RUNS / cli / f"{run}.jsonl").read_bytes().splitlines()


def play(reader: Reader, recorded: list[bytes], exit_code: int | None = 0, stderr: str = "") -> list[Event]:
    """All events that a reader makes of a run."""
    events = [event for line in recorded for event in reader.feed(line)]
    return events + reader.finish(exit_code, stderr)


def only(events: list[Event], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def request(folder: Path, **changes: Any) -> Request:
    """A request whose session lies in `folder`."""
    session = folder / "session"
    (session / "_logs").mkdir(parents=True, exist_ok=True)
    (folder / "worktree").mkdir(exist_ok=True)
    stem = session / "_logs" / "003-testing"
    prompt = stem.with_suffix(".prompt.md")
    prompt.write_text("Do one thing.\n")
    known: dict[str, Any] = {
        "prompt": prompt,
        "worktree": folder / "worktree",
        "session_dir": session,
        "stem": stem,
        "title": "fix auth, testing 3",
        "environ": {"PATH": os.defpath, "HOME": str(folder)},
    }
    return Request(**{**known, **changes})


def skills(folder: Path) -> Path:
    """A folder of skills as the package ships it."""
    skill = folder / "skills" / "create-plan" / "SKILL.md"
    skill.parent.mkdir(parents=True)
    skill.write_text("---\nname: create-plan\ndescription: Use when planning.\n---\nWrite the plan.\n")
    return folder / "skills"


def install(folder: Path, name: str, script: str = "") -> dict[str, str]:
    """Put a shell script called `name` into `folder`/bin; returns an environment that finds it."""
    program = folder / "bin" / name
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"PATH": f"{program.parent}{os.pathsep}{os.defpath}", "HOME": str(folder)}


def follows(argv: Any, *wanted: str) -> bool:
    """Whether `wanted` stands in `argv`, in that order and without a gap."""
    return any(tuple(argv[i : i + len(wanted)]) == wanted for i in range(len(argv)))
