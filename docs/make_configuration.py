"""Writes docs/configuration.md from the code that reads the settings, so that it promises nothing that nobody reads.

    .venv/bin/python docs/make_configuration.py

Keys come from the parsers, defaults from the values that they fill, the words of most keys from `samoloop init`.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from samoloop.config import keys, starter
from samoloop.config import telegram_bot as telegram
from samoloop.config.loading import Config

PAGE = Path(__file__).resolve().parent / "configuration.md"

SECTIONS = ("phases", "limits", "ceilings", "providers", "announce", "telegram", "prices")  # a table of their own
PHASE_WORDS = {
    "provider": "the CLI for this phase",
    "model": "its model, given to this provider only",
    "effort": "low, standard, high or max",
    "profile": "a posture for this phase",
    "permissions": "full or edits",
    "iteration": "time for one child, instead of `limits.iteration` and of the phase's own",
    "fallback": "who steps in; an empty list is nobody",
    "ceilings": "iterations, wall and cost of this phase; no defaults",
}
CEILING_WORDS = {
    "iterations": "children started",
    "wall": "time that children worked; waiting does not count",
    "cost": "USD, as far as the CLIs tell or the price is known",
}
BUILT_IN_WORDS = {
    "path": "the program; before `CLAUDE_PATH`, `CODEX_PATH` and PATH",
    "args": "arguments added after ours, so they win",
    "env": "put over the child's environment; numbers in quotes",
    "model": "the model, where neither a flag nor another key names one",
    "iteration": "time for one child, where this is the session's provider",
}
OWN_WORDS = {
    "command": "program and arguments, with `{model}`, `{worktree}`, `{session_dir}`, `{permissions}`, `{prompt_file}`",
    "prompt": "stdin (the default), arg or file",
    "output": "text (the default) or jsonl",
    "env": "put over the child's environment",
    "model": "what `{model}` stands for",
    "iteration": "time for one child, where this is the session's provider",
}
OUTLET_WORDS = {
    "command": "program and arguments; gets each announcement as JSON on standard input",
    "webhook": "an address; gets it as a POST",
}
TELEGRAM_WORDS = {
    "token": "of the bot; `TELEGRAM_BOT_TOKEN` wins",
    "chat": "number of the chat; `TELEGRAM_CHAT_ID` wins",
    "users": "numbers of those who may act; needed in a group, else the one person of the chat",
    "topics": "in a group with topics, one for each session; true if not set",
    "remind": "first reminder of an open gate, each next one twice as late; 30m if not set, or off",
    "quiet": 'local times without reminders, such as "22:00-07:30"',
    "announce_started": "say it when a session starts; true if not set",
    "base_url": "another Bot API server; ends in /bot",
}
PRICE_WORDS = {
    "input": "USD per million tokens",
    "cached": "the same for cached input; as input if not set",
    "output": "USD per million tokens",
}
ENVIRONMENT = {
    "SAMOLOOP_PROVIDER": "as `provider`",
    "CLAUDE_PATH, CODEX_PATH": "where the program is",
    "CLAUDE_MODEL, CODEX_MODEL": "the model for that provider",
    "CLAUDE_TIMEOUT, CODEX_TIMEOUT": "time for one child, where that is the session's provider",
    "TELEGRAM_BOT_TOKEN, TELEGRAM_CHAT_ID": "the bot and its chat",
}

INTRODUCTION = """\
# Configuration

Nothing needs to be set: `samoloop run "TASK"` works in any git repository with no file at all. `samoloop init` writes a
`.samoloop.yaml` that shows every setting with its default, commented out.

What wins, from strong to weak: a flag, the environment, the project's `.samoloop.yaml` (in the main checkout), your own
`~/.config/samoloop/config.yaml`, the default. Sections are merged key by key. Unknown keys and wrong values are
refused, all of them at once, each with its place; `samoloop doctor` shows which files were read.

Durations are `30m`, `90s`, `24h` or whole seconds. This page is written by `docs/make_configuration.py` from the code.
"""
LEGACY = """\
## Old files

A `.samocode` file with `SESSIONS=` and `WORKTREES=` lines is read where there is no `.samoloop.yaml`.
"""


def page() -> str:
    """The whole page."""
    parts = [
        INTRODUCTION,
        _table("## The keys", _top_rows()),
        _table("## phases\n\nOne phase otherwise than the rest: `phases: {NAME: {...}}`.", _plain(PHASE_WORDS)),
        _table(
            "## limits\n\nWhen a child is ended. `off` turns a limit off, but for `iteration` and `terminate`.",
            _limits(),
        ),
        _table(
            "## ceilings\n\nWhat a session may spend until a person is asked; said at 80 %. "
            "`samoloop resume` grants as much again. `off` is no ceiling.",
            _ceilings(),
        ),
        _table("## providers\n\nFor a built-in CLI:", _plain(BUILT_IN_WORDS)),
        _table("For a CLI of your own, by a name of your own; `command` is needed:", _plain(OWN_WORDS)),
        _table("## announce\n\nWho else hears of gates and ends, beside Telegram.", _plain(OUTLET_WORDS)),
        _table("## telegram\n\nIn your own file only. See [gates](gates.md#from-a-phone).", _plain(TELEGRAM_WORDS)),
        _table("## prices\n\nIn your own file only: `prices: {MODEL: {...}}`.", _plain(PRICE_WORDS)),
        _table("## The environment", _plain(ENVIRONMENT), head=("variable", "meaning")),
        LEGACY,
    ]
    return "\n".join(parts)


def _table(title: str, rows: Iterable[tuple[str, ...]], head: tuple[str, ...] = ("key", "meaning")) -> str:
    filled = list(rows)
    if head == ("key", "meaning") and filled and len(filled[0]) == 3:
        head = ("key", "default", "meaning")
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in filled]
    return f"{title}\n\n" + "\n".join(lines) + "\n"


def _plain(words: Mapping[str, str]) -> list[tuple[str, ...]]:
    return [(", ".join(f"`{name}`" for name in key.split(", ")), meaning) for key, meaning in words.items()]


def _top_rows() -> list[tuple[str, ...]]:
    words = starter_words()
    rows: list[tuple[str, ...]] = []
    for key in keys.KEYS:
        if key in SECTIONS:
            rows.append((f"`{key}`", "", f"see [below](#{key})"))
        else:
            rows.append((f"`{key}`", _shown(getattr(Config(Path()), key)), words[key]))
    return rows


def starter_words() -> dict[str, str]:
    """What `samoloop init` says of each key of one line."""
    found = {}
    for key, value, said in re.findall(r"^(?:# )?(\w+): (.*?) {3}# (.*)$", starter.text("claude"), re.MULTILINE):
        example = re.match(r"example(?:[;:] ?|$)", said)
        found[key] = f"{said[example.end() :]} (such as `{value}`)".strip() if example else said
    return found


def limit_words() -> dict[str, str]:
    """What `samoloop init` says of each limit."""
    block = re.search(r"^# limits:\n((?:#  .*\n)+)", starter.text("claude"), re.MULTILINE)
    return dict(re.findall(r"^# {3}(\w+): .*? {3}# (.*)$", block[1], re.MULTILINE)) if block else {}


def _limits() -> list[tuple[str, ...]]:
    words = limit_words()
    return [(f"`{key}`", f"`{_duration(seconds)}`", words[key]) for key, seconds in keys._DEFAULT_LIMITS.items()]


def _ceilings() -> list[tuple[str, ...]]:
    default = Config(Path()).ceilings
    values = {
        "iterations": f"{default.iterations}",
        "wall": _duration(default.wall_seconds or 0),
        "cost": f"{default.cost_usd:.0f}",
    }
    return [(f"`{key}`", f"`{values[key]}`", meaning) for key, meaning in CEILING_WORDS.items()]


def _duration(seconds: float) -> str:
    """As it would be written in the file."""
    for unit, length in (("h", 3600), ("m", 60)):
        if seconds > length and seconds % length == 0:
            return f"{seconds / length:.0f}{unit}"
    return f"{seconds:.0f}s"


def _shown(value: object) -> str:
    """A default as it would be written in the file."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(value)}]`"
    return f"`{value}`"


def named_keys() -> dict[str, set[str]]:
    """The keys that each section of the page names; a test compares them with the code."""
    return {
        "phases": set(PHASE_WORDS),
        "limits": set(limit_words()),
        "ceilings": set(CEILING_WORDS),
        "telegram": set(TELEGRAM_WORDS),
        "built-in": set(BUILT_IN_WORDS),
        "own": set(OWN_WORDS),
    }


def read_keys() -> dict[str, set[str]]:
    """The keys that the code reads in each section."""
    from samoloop.providers import custom, program

    return {
        "phases": set(keys._PHASE),
        "limits": set(keys._LIMITS),
        "ceilings": set(keys._CEILINGS),
        "telegram": set(telegram.KEYS),
        "built-in": {*program._KEYS, *keys._PROVIDER},
        "own": {*custom._KEYS, *keys._PROVIDER},
    }


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
