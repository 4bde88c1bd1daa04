"""The database of the person's fleet, written into their own file; everything else there stays as it is."""

import stat
from collections.abc import Mapping
from pathlib import Path

import yaml

from samoloop.base.errors import ConfigError
from samoloop.base.files import write_atomic
from samoloop.config.project import user_file
from samoloop.config.telegram_section import with_section
from samoloop.config.yaml_text import read_file, read_mapping


def remember(address: str, environ: Mapping[str, str]) -> Path:
    """Write the address into the person's own file, readable by nobody else.

    Raises ConfigError where the file is not what it should be.
    """
    path = user_file(environ)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        before = read_file(path) if path.exists() else ""
        said = read_mapping(before)
        fleet = said.get("fleet") or {}
        wanted = {**fleet, "database": address}
        text = with_section(before, "fleet", yaml.safe_dump({"fleet": wanted}, allow_unicode=True, sort_keys=False))
        if read_mapping(text) != {**said, "fleet": wanted}:
            raise ValueError("its `fleet:` cannot be told from the rest")
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"{path} cannot be changed safely ({error}): put `fleet: {{database: ...}}` into it by hand"
        ) from None
    write_atomic(path, text, mode=stat.S_IRUSR | stat.S_IWUSR)
    return path
