"""Where commands write: all that they print goes through here, so that no stranger's word acts on a terminal."""

import shutil
import sys
from collections.abc import Iterable
from typing import Any

import click

from samoloop.base.printable import json_text, printable
from samoloop.ui.terminal.paint import paint

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


def ask(question: str, *, hidden: bool = False) -> str:
    """What a person types. Raises click.Abort where there is no more to come."""
    return str(click.prompt(printable(question), hide_input=hidden))


def pass_on(data: bytes) -> None:
    """Bytes as they are, for a program that reads them."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _painted(parts: Iterable[Part]) -> str:
    return "".join(paint(part, "plain") if isinstance(part, str) else paint(*part) for part in parts)
