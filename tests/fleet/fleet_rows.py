"""Rows as tests need them."""

from typing import Any

from samoloop.fleet.rows import MachineRow, SessionRow


def session(name: str = "auth", number: int = 1, **rest: Any) -> SessionRow:
    said = {
        "project": "p1", "parcel": f"{number:040x}", "machine": "ann", "title": "Login", "phase": "build",
        "iteration": number, "condition": "ready", "reason": "", "provider": "claude", "tags": (), "format": 1,
        "due_in": 0.0,
    }  # fmt: skip
    return SessionRow(name=name, number=number, **{**said, **rest})


def machine(name: str = "ann", **rest: Any) -> MachineRow:
    said = {
        "id": f"state of {name}", "host": f"{name}.lan", "version": "1", "format": 1, "projects": ("p1",),
        "providers": ("claude",), "tags": (), "slots": 2,
    }  # fmt: skip
    return MachineRow(name=name, **{**said, **rest})
