"""Writes docs/configuration.md from the declarations of the keys, so that it promises nothing that nobody reads.

.venv/bin/python docs/make_configuration.py
"""

from collections.abc import Iterable
from pathlib import Path

from samoloop.config import keys
from samoloop.config import telegram_bot as telegram
from samoloop.config.schema import Key, Named, Table, written

PAGE = Path(__file__).resolve().parent / "configuration.md"

INTRODUCTION = """\
# Configuration

Nothing needs to be set: `samoloop run "TASK"` works in any git repository with no file at all. `samoloop init` writes a
`.samoloop.yaml` that shows every setting with its default, commented out.

What wins, from strong to weak: a flag, the environment, the project's `.samoloop.yaml` (in the main checkout), your own
`~/.config/samoloop/config.yaml`, the default. Sections are merged key by key. Unknown keys and wrong values are
refused, all of them at once, each with its file, line and key; `samoloop doctor` shows which files were read.

Durations are `30m`, `90s`, `24h` or whole seconds. `docs/make_configuration.py` writes this page from
`samoloop/config/keys.py`.
"""
LEGACY = """\
## Old files

A `.samocode` file is read where there is no `.samoloop.yaml`: in the repository, or in a folder above it that names it
as `MAIN_REPO`. `SESSIONS` and `WORKTREES` are followed, any other key is refused by name; see
[coming from samocode](from-samocode.md).
"""


OWN_FILE = "In your own file only."


def page() -> str:
    """The whole page."""
    sections = [key for key in keys.CONFIG.keys if _tables(key)]
    parts = [
        INTRODUCTION,
        "## The keys\n",
        _table(("key", "default", "meaning"), map(_row, keys.CONFIG.keys)),
        *(part for key in sections for part in _section(key)),
        "## The environment\n",
        _table(("variable", "meaning"), _variables()),
        LEGACY,
    ]
    return "\n".join(parts)


def _row(key: Key) -> tuple[str, ...]:
    if _tables(key):
        return f"`{key.name}`", "", f"see [below](#{key.name})"
    default = "not set" if key.default is None else f"`{written(key.default)}`"
    return f"`{key.name}`", default, key.says + (f" (such as `{key.example}`)" if key.example else "")


def _section(key: Key) -> Iterable[str]:
    """A key that has keys below it: what it is for, and a table of each kind of it."""
    words = [key.says, OWN_FILE if key.personal else ""]
    yield f"## {key.name}\n\n{' '.join(filter(None, words))}\n"
    for title, table in _tables(key):
        if title:
            yield f"{title}\n"
        if all(item.default is not None for item in table.keys):
            rows = [(f"`{item.name}`", f"`{written(item.default)}`", item.says) for item in table.keys]
            yield _table(("key", "default", "meaning"), rows)
        else:
            yield _table(("key", "meaning"), [(f"`{item.name}`", item.says) for item in table.keys])


def _tables(key: Key) -> tuple[tuple[str, Table], ...]:
    """The tables below a key, each with the words that introduce it."""
    if isinstance(key.shape, Named):
        return key.shape.tables
    table = telegram.TABLE if key.name == "telegram" else key.shape  # read where it is needed, which is seldom
    return (("", table),) if isinstance(table, Table) else ()


def _variables() -> Iterable[tuple[str, ...]]:
    for variables, meaning in keys.VARIABLES:
        yield ", ".join(f"`{name}`" for name in variables), meaning
    yield ", ".join(f"`{name}`" for name in telegram.VARIABLES), "the bot and its chat"
    for name, at in keys.SECRET_VARIABLES.items():
        yield f"`{name}`", f"as `{'.'.join(at)}`; it is remembered nowhere"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
