"""Where samoloop keeps what belongs to the person and to no project."""

from collections.abc import Mapping
from pathlib import Path


def state_folder(environ: Mapping[str, str]) -> Path:
    """Registered projects, shared limits, and what a worker believes of its sessions; by the XDG base directories."""
    base = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME") or "~").expanduser() / ".local" / "state")
    return Path(base) / "samoloop"
