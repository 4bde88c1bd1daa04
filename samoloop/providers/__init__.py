"""The child CLIs, by name. Each is imported only when it is asked for."""

import importlib
import os
import shutil
import sys
from collections.abc import Mapping
from typing import Any, cast

from samoloop.base.errors import ProviderError
from samoloop.base.nearest import named
from samoloop.config.keys import BUILT_IN, KNOWN
from samoloop.providers.base import Provider

PACE = "SAMOLOOP_DEMO_PACE"  # environment: seconds that each step of the scripted child pauses, 0 where it is not set


def get(name: str, settings: Mapping[str, Any] | None = None, environ: Mapping[str, str] = os.environ) -> Provider:
    """The provider `name`, with what the configuration says under `providers: {name: ...}`, checked by `config.keys`.

    A name that is not known needs a `command` there. `environ` is where the program is looked for (PATH,
    CLAUDE_PATH, CODEX_PATH). Raises ProviderError for an unknown name.
    """
    if name == "demo":
        settings = _scripted(settings or {}, environ)
    elif name in BUILT_IN:
        module = importlib.import_module(f"samoloop.providers.{name}")
        return cast("Provider", getattr(module, f"{name.capitalize()}Provider")(settings or {}, environ))
    if settings is not None and "command" in settings:  # also of a name that is known as data: it is one's own then
        from samoloop.providers.custom import CustomProvider

        return CustomProvider(name, settings, environ)
    if name in KNOWN:
        from samoloop.providers.preset import PresetProvider

        return cast("Provider", PresetProvider(name, settings or {}, environ))
    raise ProviderError(
        f"The provider {named(name, KNOWN)} is unknown; use one of {', '.join(KNOWN)}, or describe it in the "
        f"configuration as `providers: {{{name}: {{command: [...]}}}}`."
    )


def installed(environ: Mapping[str, str]) -> list[str]:
    """The built-in CLIs that are on PATH."""
    return [name for name in BUILT_IN if name != "demo" and shutil.which(name, path=environ.get("PATH"))]


def _scripted(settings: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """The scripted child that ships with the package, as settings of a custom CLI.

    `scenario` in the configuration is the name of an example or a Python file.
    """
    # -P: the worktree is the working folder, and its modules must not be taken for ours
    command = [sys.executable, "-P", "-m", "samoloop.demo.child", settings.get("scenario", "anywhere"), "{permissions}"]
    return {"command": command, "output": "jsonl", "env": {PACE: environ[PACE]} if environ.get(PACE) else {}}
