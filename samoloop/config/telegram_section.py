"""The person's `telegram:` section, written into their own file; everything else there stays as it is."""

import re
import stat
from collections.abc import Mapping
from pathlib import Path
from textwrap import indent
from typing import Any

import yaml

from samoloop.base.errors import ConfigError
from samoloop.base.files import write_atomic
from samoloop.config.project import user_file
from samoloop.config.telegram_bot import PUBLIC_API, BotSettings
from samoloop.config.yaml_text import read_file, read_mapping


def remember(found: BotSettings, environ: Mapping[str, str]) -> Path:
    """Write the section into the person's own file, readable by nobody else; everything else there stays.

    Raises ConfigError where the file is not what it should be.
    """
    path = user_file(environ)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        before = read_file(path) if path.exists() else ""
    except ValueError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    text = with_section(before, "telegram", section(found, _others(before)))
    _check_kept(before, text, path, found)
    write_atomic(path, text, mode=stat.S_IRUSR | stat.S_IWUSR)
    return path


def _others(text: str) -> dict[str, Any]:
    """What else the person's section says: it stays."""
    try:
        before = read_mapping(text).get("telegram")
    except ValueError:
        return {}
    told = ("token", "chat", "users", "base_url")
    return {key: value for key, value in before.items() if key not in told} if isinstance(before, dict) else {}


def section(found: BotSettings, others: Mapping[str, Any]) -> str:
    lines = [
        "telegram:",
        f'  token: "{found.token}"',
        f"  chat: {found.chat}",
        f"  users: [{', '.join(map(str, sorted(found.users)))}]   # who may answer and approve",
    ]
    if found.base_url != PUBLIC_API:
        lines.append(f'  base_url: "{found.base_url}"')
    if others:
        lines.append(indent(yaml.safe_dump(dict(others), allow_unicode=True, sort_keys=False), "  ").rstrip())
    return "\n".join(lines) + "\n"


def with_section(text: str, word: str, section: str) -> str:
    """`text` with the block of this `word` replaced, or the block added at the end; comments elsewhere are kept."""
    without = re.sub(rf"^{word}:.*\n?(?:(?:[ \t].*)?\n|[ \t].*\Z)*", "", text, flags=re.MULTILINE)
    without = without.rstrip("\n")
    return f"{without}\n\n{section}" if without else section


def _check_kept(before: str, after: str, path: Path, found: BotSettings) -> None:
    """Nothing but the section may have changed."""
    try:
        same = {**read_mapping(before), "telegram": None} == {**read_mapping(after), "telegram": None}
    except ValueError:
        same = False
    if not same:
        raise ConfigError(
            f"{path} cannot be changed safely: put `telegram:` with token, chat {found.chat} and users "
            f"{sorted(found.users)} into it by hand, then run `samoloop telegram test`"
        )
