"""The child CLIs, by name. Each is imported only when it is asked for."""

import importlib
import os
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
    "demo": "DemoProvider",
}
NAMES = tuple(_CLASSES)


def get(name: str, settings: Mapping[str, object] | None = None, environ: Mapping[str, str] = os.environ) -> Provider:
    """The provider `name`, with what the configuration says under `providers: {name: ...}`.

    A name that is not built in needs a `command` there. `environ` is where the program is looked for (PATH,
    CLAUDE_PATH, CODEX_PATH). Raises ProviderError for an unknown name and for settings that cannot be used.
    """
    if name in _CLASSES:
        module = importlib.import_module(f"samoloop.providers.{name}")
        return cast("Provider", getattr(module, _CLASSES[name])(settings or {}, environ))
    if settings is not None and "command" in settings:
        from samoloop.providers.custom import CustomProvider

        return CustomProvider(name, settings, environ)
    raise ProviderError(
        f"The provider {name!r} is unknown; use one of {', '.join(NAMES)}, or describe it in the configuration as "
        f"`providers: {{{name}: {{command: [...]}}}}`."
    )
