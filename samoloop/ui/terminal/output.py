"""Where commands write: all that they print goes through here, so that no stranger's word acts on a terminal."""

import shutil
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import click

from samoloop.base.printable import json_text, one_line, printable
from samoloop.ui.terminal.paint import paint

_BELL, _ESCAPE, _OSC = "\a", "\x1b", "\x1b]"
_LONGEST_NOTICE = 200  # characters
_SHOW_9 = ("iTerm.app", "WezTerm", "ghostty", "xterm-ghostty", "kitty", "xterm-kitty")
_SHOW_777 = ("rxvt", "foot")

Part = str | tuple[str, str]  # plain words, or words with their tone


def say(*parts: Part, err: bool = False, end: str = "\n") -> None:
    """Write a line to standard output, or to standard error; colours only where that is a terminal."""
    click.echo(_painted(parts) + end, nl=False, err=err)


def say_json(value: Any, indent: int | None = 2) -> None:
    click.echo(json_text(value, indent))


def say_in_pager(lines: Iterable[Part]) -> None:
    """Lines for a person to read, page by page where a terminal has not room for all."""
    text = "".join(_painted((line, "\n")) for line in lines)
    columns, rows = shutil.get_terminal_size()
    if sum(1 + len(line) // columns for line in text.splitlines()) < rows:
        click.echo(text, nl=False)
    else:
        click.echo_via_pager(text)


def ask(question: str, *, hidden: bool = False, default: str | None = None) -> str:
    """What a person types; `default` for Enter alone. Raises click.Abort where there is no more to come."""
    return str(click.prompt(printable(question), hide_input=hidden, default=default, show_default=bool(default)))


def confirm(question: str) -> bool:
    """Whether a person says yes; Enter alone is no. Raises click.Abort where there is no more to come."""
    return click.confirm(printable(question), default=False)


def attention(title: str, text: str, environ: Mapping[str, str]) -> str:
    """What makes a terminal call its person: the bell, its title, and a notice where it can show one.

    A terminal leaves out what it does not know. Inside tmux the notice is handed through to the terminal around it,
    which tmux does where its `allow-passthrough` is on; bell and title are tmux's own.
    """
    title, text = one_line(title, _LONGEST_NOTICE), one_line(text, _LONGEST_NOTICE)
    if environ.get("TERM") == "linux":  # the console shows some of the codes as letters
        return _BELL
    notices = [f"{_OSC}9;{title}: {text}{_BELL}", f"{_OSC}777;notify;{title.replace(';', ',')};{text}{_BELL}"]
    program = environ.get("TERM_PROGRAM", "") or environ.get("TERM", "")
    if program in _SHOW_9:
        del notices[1]  # it knows both, and would show two
    elif environ.get("VTE_VERSION") or program.startswith(_SHOW_777):
        del notices[0]
    codes = "".join(notices)
    if environ.get("TMUX"):
        codes = "".join(f"\x1bPtmux;{notice.replace(_ESCAPE, _ESCAPE * 2)}{_ESCAPE}\\" for notice in notices)
    elif environ.get("TERM", "").startswith("screen"):
        codes = ""
    return f"{_BELL}{window_title(f'{title}: {text}')}{codes}"


def window_title(text: str) -> str:
    """What gives a terminal's window another title."""
    return f"{_OSC}2;{one_line(text, _LONGEST_NOTICE)}{_BELL}"


def pass_on(data: bytes) -> None:
    """Bytes as they are, for a program that reads them."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _painted(parts: Iterable[Part]) -> str:
    return "".join(paint(part, "plain") if isinstance(part, str) else paint(*part) for part in parts)
