"""The commented `.samoloop.yaml` that `init` writes: every key, its default or an example, one line of meaning."""

import json
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path

from samoloop.base.errors import UsageError
from samoloop.base.files import write_atomic
from samoloop.config import samocode
from samoloop.config.keys import CONFIG, Config
from samoloop.config.project import FILE_NAME
from samoloop.config.schema import Key, Table, written

# Lines that start with ## are words and stay comments; taking the first # from all others gives a valid file.
_HEAD = """\
## Settings of samoloop for this project. Take the # from a line to set it: each shows the default,
## or an example where it says so. Flags and SAMOLOOP_PROVIDER, CLAUDE_MODEL and so on win over this file.

"""
_FOOT = """
## Not for this file: {keys} are read from your own {path} only.
"""


def write(root: Path, provider: str) -> Path:
    """Write the file into `root`. Raises UsageError where there is one."""
    path = root / FILE_NAME
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path} is there already, and it is yours: edit it, or move it away and run init again")
    write_atomic(path, with_values(text(provider), samocode.as_settings(root)))
    return path


def with_values(text: str, values: Mapping[str, str]) -> str:
    """The file with these keys set, which it shows by their defaults."""
    for key, value in values.items():
        shown = re.search(rf"^# {key}: \S+", text, re.MULTILINE)
        if shown:
            text = text.replace(shown[0], f"{key}: {json.dumps(value, ensure_ascii=False)}", 1)
    return text


def text(provider: str) -> str:
    """The file, which sets nothing but the provider."""
    own = [f"`{key.name}:`" for key in CONFIG.keys if key.personal]
    lines = [line for key in CONFIG.keys if not key.personal for line in (_section if key.is_section else _line)(key)]
    lines[0] = lines[0].removeprefix("# ").replace(written(Config.provider), provider, 1)
    foot = _FOOT.format(keys=" and ".join(own), path="~/.config/samoloop/config.yaml")
    return re.sub("\n{3,}", "\n\n", _HEAD + "\n".join(lines) + "\n" + foot)


def _line(key: Key) -> list[str]:
    """A key of one line; words above it where a group begins."""
    head = ["", f"## {key.heading}"] if key.heading else []
    if key.example:
        return [*head, f"# {key.name}: {key.example}   # example; {key.says}"]
    return [*head, f"# {key.name}: {written(key.default)}   # {key.says}"]


def _section(key: Key) -> list[str]:
    """A key with keys below it: words, and each key or an example, indented."""
    head = ["", *textwrap.wrap(key.says, 100, initial_indent="## ", subsequent_indent="## ")]
    if key.example:
        return [*head, f"# {key.name}:   # example", *(f"#   {line}" for line in key.example.splitlines()), ""]
    keys = key.shape.keys if isinstance(key.shape, Table) else ()
    lines = [f"#   {item.name}: {item.example or written(item.default)}   # {item.says}" for item in keys]
    mark = "   # example" if any(item.example for item in keys) else ""
    return [*head, f"# {key.name}:{mark}", *lines, ""]
