"""How the command line says that something went wrong. Imported when it did."""

import errno
import os
import re
import shutil
import sys
import traceback
from collections.abc import Iterable

import click

from samoloop.base.nearest import near, nearest
from samoloop.base.printable import printable
from samoloop.config import samocode
from samoloop.ui.terminal import output
from samoloop.ui.terminal.words import wrapped

LONGEST_LINE = 600  # of a message that quotes a long value
_MEANT = {
    "help": "--help",
    "ls": "list",
    "ps": "list",
    "start": "run",
    "new": "run",
    "continue": "resume",
    "logs": "log",
    "rm": "archive",
}
_QUOTES = {
    "run": 'put the task in quotes: samoloop run "Add JWT auth"',
    "resume": 'guidance goes with -m: samoloop resume SESSION -m "Use sqlite."',
    "approve": 'a word for the next child goes with -m: samoloop approve SESSION -m "..."',
    "changes": 'what should change goes with -m: samoloop changes SESSION -m "..."',
    "reject": 'the reason goes with -m: samoloop reject SESSION -m "..."',
}
_NO_CHOICE = re.compile(r"'([^']*)' is not one of ")
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)  # what is there stays as it is


def say(message: str) -> None:
    """Write a message that only shows to standard error: long lines cut, and broken between words on a terminal."""
    columns = shutil.get_terminal_size().columns if sys.stderr.isatty() else None
    lines = [_cut(line) for line in printable(message).split("\n")]
    output.say("\n".join(wrapped("\n".join(lines), columns)), err=True)


def _cut(line: str) -> str:
    """Both ends of a line that is too long: what happened stands at the start, what to do at the end."""
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE // 2]} … {line[-LONGEST_LINE // 2 :]}"


def meant(word: str, commands: Iterable[str]) -> str:
    """What somebody wanted who typed an unknown command; empty where nothing comes near."""
    return _MEANT.get(word) or nearest(word, commands)


def of_click(error: click.ClickException) -> str:
    """The sentence for a command line that click cannot read."""
    words = error.format_message()
    context = error.ctx if isinstance(error, click.UsageError) else None
    name = context.command.name if context else ""
    if isinstance(error, click.NoSuchOption) and error.option_name in samocode.OPTIONS:
        return f"there is no {error.option_name} here: {samocode.OPTIONS[error.option_name]}"
    if (typed := _NO_CHOICE.search(words)) and isinstance(error, click.BadParameter) and error.param:
        kind = error.param.type
        return words.rstrip(".") + near(typed[1], map(str, kind.choices) if isinstance(kind, click.Choice) else ())
    if name in _QUOTES and re.match(r"Got unexpected extra argument|Missing option '-m'", words):
        return f"{words.rstrip('.')}: {_QUOTES[name]}"
    return words


def of_system(error: OSError) -> str:
    """The sentence for a file or program that the system refuses."""
    where = f": {error.filename}" if error.filename else ""
    safe = "; nothing that was recorded is lost" if error.errno in _NO_ROOM else ""
    return f"{error.strerror or error}{where}{safe}"


def keep(error: Exception) -> str:
    """The sentence for an error that should not exist; its traceback goes to a file, for a report."""
    from samoloop.base.files import make_folder
    from samoloop.base.places import state_folder

    path = state_folder(os.environ) / "crash.txt"
    try:
        make_folder(path.parent)
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8", errors="replace")
    except OSError as refused:
        return f"{_name(error)}; this is a fault of samoloop, and {path} cannot be written: {refused.strerror}"
    return f"{_name(error)}; this is a fault of samoloop. What a report of it needs is in {path}"


def _name(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
