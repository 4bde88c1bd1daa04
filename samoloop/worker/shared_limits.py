"""Usage limits belong to a provider's account, not to a session: what one session meets, all of them respect.

One small file a provider in the person's state folder, replaced as a whole; the later time wins.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from samoloop.base.files import make_folder, remove, small_text, write_atomic
from samoloop.base.places import state_folder
from samoloop.core.rules import FARTHEST_RESET_SECONDS


def folder(environ: Mapping[str, str]) -> Path:
    return state_folder(environ) / "limits"


def path(provider: str, environ: Mapping[str, str]) -> Path:
    return folder(environ) / f"{provider}.json"


def known(environ: Mapping[str, str], now: float) -> dict[str, tuple[float, str]]:
    """All that hold at the time `now`, by provider, each as `read` gives it."""
    names = [file.stem for file in folder(environ).glob("*.json")]
    found = {name: read(name, environ, now) for name in names}
    return {name: limit for name, limit in found.items() if limit[0] > now}


def read(provider: str, environ: Mapping[str, str], now: float) -> tuple[float, str]:
    """Until when (epoch seconds) the provider is limited, and why; (0, "") where nothing is known, or nothing that
    can be believed at the time `now`.
    """
    try:
        value = json.loads(small_text(path(provider, environ)))
        not_before, reason = float(value["not_before"]), str(value.get("reason", ""))
    except (ValueError, TypeError, KeyError):
        return 0.0, ""
    return (not_before, reason) if not_before < now + FARTHEST_RESET_SECONDS else (0.0, "")


def write(provider: str, not_before: float, reason: str, environ: Mapping[str, str], now: float) -> None:
    """Let every session know. Raises OSError."""
    if read(provider, environ, now)[0] >= not_before:
        return
    file = path(provider, environ)
    make_folder(file.parent)
    write_atomic(file, json.dumps({"not_before": not_before, "reason": reason[:500]}))


def forget(provider: str, environ: Mapping[str, str]) -> None:
    """A person wants to try now."""
    remove(path(provider, environ))
