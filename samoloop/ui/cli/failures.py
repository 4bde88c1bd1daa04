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
    **dict.fromkeys(("help", "usage"), "--help"),
    **dict.fromkeys(("version", "v", "V"), "--version"),
    **dict.fromkeys(("ls", "ps", "sessions"), "list"),
    **dict.fromkeys(("start", "new", "task", "add"), "run"),
    **dict.fromkeys(("continue", "go", "attach"), "resume"),
    **dict.fromkeys(("kill", "pause", "cancel", "quit", "halt"), "stop"),
    **dict.fromkeys(("rm", "remove", "delete", "clean"), "archive"),
    **dict.fromkeys(("view", "open", "plan", "documents", "merge"), "show"),
    **dict.fromkeys(("undo", "back", "revert"), "rewind"),
    **dict.fromkeys(("config", "settings"), "init"),
    **dict.fromkeys(("say", "note"), "tell"),
    "logs": "log",
    "ask": "questions",
    "accept": "approve",
    "check": "doctor",
}
_INSTEAD = {  # of a word or an option too many, by command
    "run": 'put the task in quotes: samoloop run "Add JWT auth"',
    "resume": 'guidance goes with -m: samoloop resume SESSION -m "Use sqlite."',
    "approve": 'a word for the next child goes with -m: samoloop approve SESSION -m "..."',
    "changes": 'what should change goes with -m: samoloop changes SESSION -m "..."',
    "reject": 'the reason goes with -m: samoloop reject SESSION -m "..."',
    "list": "one session is shown by: samoloop status SESSION",
}
_NO_CHOICE = re.compile(r"'([^']*)' is not one of ")
_NO_NUMBER = re.compile(r" is not a valid (?:integer|float)(?: range)?")
_RANGE = re.compile(r"(\S+) is not in the range (?:(\d+)<=)?x(?:>(\d+)|<=(\d+)|>=(\d+))")
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
    if isinstance(error, click.NoSuchOption) and context:
        return _of_option(error.option_name, context)
    if (typed := _NO_CHOICE.search(words)) and isinstance(error, click.BadParameter) and error.param:
        kind = error.param.type
        return words.rstrip(".") + near(typed[1], map(str, kind.choices) if isinstance(kind, click.Choice) else ())
    words = _NO_NUMBER.sub(" is no number", _RANGE.sub(_in_words, words)).rstrip(".")
    if not re.match(r"Got unexpected extra argument|Missing|Option '.*' requires", words):
        return words
    if name in _INSTEAD and re.match(r"Got unexpected|Missing option '-m'", words):
        return f"{words}: {_INSTEAD[name]}"
    return f"{words}; for example: {found}" if (found := _example(context)) else words


def _of_option(typed: str, context: click.Context) -> str:
    """The sentence for an option that a command does not have."""
    command, path = context.command, context.command_path
    word = typed.lstrip("-")
    if isinstance(command, click.Group) and (found := meant(word, command.list_commands(context))):
        return f"there is no option {typed}: did you mean {path} {found}?"
    shown = (param for param in command.params if isinstance(param, click.Option) and not param.hidden)
    there = [name for param in shown for name in (*param.opts, *param.secondary_opts) if name.startswith("--")]
    return f"{path} has no option {typed}{near(typed, there) if len(word) > 1 else ''}; {path} --help lists them"


def _in_words(found: re.Match[str]) -> str:
    """`-1.0 is not in the range x>0` as people say it."""
    low, high, more = found[2], found[4], found[3]
    bound = f"{low} to {high}" if low and high else f"more than {more}" if more else f"{low or found[5]} or more"
    return f"{found[1]} will not do: it must be {bound}"


def _example(context: click.Context | None) -> str:
    """The first command line that the help of the command shows."""
    lines = ((context.command.help or "") if context else "").partition("\b\n")[2].splitlines()
    return lines[0].strip() if lines else ""


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
