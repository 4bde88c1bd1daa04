"""The warm process of `up`: it has loaded all that a worker needs, and workers are forked from it."""

import importlib
from typing import Any

from samoloop.children import warm
from samoloop.children.processes import hide_environment
from samoloop.config.keys import BUILT_IN, SECRETS
from samoloop.ui.cli import cli

NEEDED = (
    "samoloop.ui.cli.run",
    "samoloop.api.go_on",
    "samoloop.ui.terminal.screen",
    "samoloop.children.inside",
    "samoloop.providers.custom",
    "samoloop.providers.preset",
    "yaml",
    "ctypes",
    "encodings.utf_8_sig",
)


def serve(descriptor: int) -> int:
    """Fork workers for whoever asks on the descriptor; the exit code, of a worker in a worker."""
    for name in (*NEEDED, *(f"samoloop.providers.{name}" for name in BUILT_IN if name != "demo")):
        importlib.import_module(name)
    hide_environment(SECRETS)
    argv = warm.serve(descriptor)
    if argv is None:
        return 0
    result: Any = cli.main(args=argv[3:], prog_name="samoloop", standalone_mode=False)
    return result if isinstance(result, int) else 0
