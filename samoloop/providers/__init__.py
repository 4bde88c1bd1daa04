"""The child CLIs, by name. Each is imported only when it is asked for."""

import importlib
import os
import sys
from collections.abc import Mapping
from typing import cast

from samoloop.base.errors import ProviderError
from samoloop.providers.base import Provider

_CLASSES = {
    "claude": "ClaudeProvider",
    "codex": "CodexProvider",
    "gemini": "GeminiProvider",
    "opencode": "OpencodeProvider",
    "mini": "MiniProvider",
}
NAMES = (*_CLASSES, "demo")
PACE = "SAMOLOOP_DEMO_PACE"  # environment: seconds that each step of the scripted child pauses, 0 where it is not set


def get(name: str, settings: Mapping[str, object] | None = None, environ: Mapping[str, str] = os.environ) -> Provider:
    """The provider `name`, with what the configuration says under `providers: {name: ...}`.

    A name that is not built in needs a `command` there. `environ` is where the program is looked for (PATH,
    CLAUDE_PATH, CODEX_PATH). Raises ProviderError for an unknown name and for settings that cannot be used.
    """
    if name in _CLASSES:
        module = importlib.import_module(f"samoloop.providers.{name}")
        return cast("Provider", getattr(module, _CLASSES[name])(settings or {}, environ))
    if name == "demo":
        settings = _scripted(settings or {}, environ)
    if settings is not None and "command" in settings:
        from samoloop.providers.custom import CustomProvider

        return CustomProvider(name, settings, environ)
    raise ProviderError(
        f"The provider {name!r} is unknown; use one of {', '.join(NAMES)}, or describe it in the configuration as "
        f"`providers: {{{name}: {{command: [...]}}}}`."
    )


def _scripted(settings: Mapping[str, object], environ: Mapping[str, str]) -> Mapping[str, object]:
    """The scripted child that ships with the package, as settings of a custom CLI.

    `scenario` in the configuration is the name of an example or a Python file.
    """
    given = dict(settings)
    scenario = given.pop("scenario", "anywhere")
    # -P: the worktree is the working folder, and its modules must not be taken for ours
    command = [sys.executable, "-P", "-m", "samoloop.demo.child", scenario, "{permissions}"]
    pace = {PACE: environ[PACE]} if environ.get(PACE) else {}
    return {**given, "command": command, "output": "jsonl", "env": pace}
