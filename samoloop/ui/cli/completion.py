"""`completion`: names by the Tab key, in bash, zsh and fish."""

import os
import shlex
from pathlib import Path

import click

from samoloop.base.errors import UsageError
from samoloop.base.values import frozen
from samoloop.ui.cli.common import for_people_only
from samoloop.ui.terminal.output import say

SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_SAMOLOOP_COMPLETE"
# zsh: completion is on only where somebody has turned it on.
_ZSH_ON = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }\n"
shell_argument = click.argument("shell", type=click.Choice(SHELLS), required=False)


@frozen
class Place:
    """Where a shell's completion lives."""

    script: Path
    start_file: Path | None  # that reads the script; None: the shell finds it by itself

    @property
    def line(self) -> str:
        return f"[ -r {shlex.quote(str(self.script))} ] && . {shlex.quote(str(self.script))}  # samoloop completion"


@click.group("completion")
def completion() -> None:
    """Complete commands, options and names by the Tab key.

    \b
    samoloop completion install
    """


@completion.command("install")
@shell_argument
def install(shell: str | None) -> None:
    """Turn it on in your shell, or in the one that you name; again brings it up to date.

    \b
    samoloop completion install
    samoloop completion install zsh
    """
    from samoloop.base.files import make_folder, real, small_text, write_atomic

    for_people_only()
    shell = shell or _own_shell()
    place = _place(shell)
    text = script(shell)
    before = small_text(place.script, follow=True)
    try:
        if before != text:
            make_folder(place.script.parent)
            write_atomic(real(place.script), text)
    except OSError as error:
        raise UsageError(
            f"{place.script} cannot be written ({error.strerror}): put what `samoloop completion show {shell}` prints "
            f"into your shell's start file yourself"
        ) from None
    say(f"{'Already there' if before == text else 'Brought up to date' if before else 'Wrote'}: {place.script}")
    if place.start_file:
        _add_line(place.start_file, place.line)
    say(f"It works in each new {shell}; in this one after: exec {shell}")


def _add_line(start_file: Path, line: str) -> None:
    """Put a line at the end of the person's own file, once; name it where that cannot be done."""
    from samoloop.base.files import read_plain, real

    present = read_plain(start_file, _LARGEST_START_FILE, follow=True) or b""
    if line.encode() in present.splitlines():
        say(f"Already there: its line in {start_file}")
        return
    try:
        with real(start_file).open("ab") as file:
            file.write((b"" if not present or present.endswith(b"\n") else b"\n") + line.encode() + b"\n")
    except OSError as error:
        say(f"{start_file} cannot be written ({error.strerror}); put this line into it yourself:\n  {line}")
        return
    say(f"Added to {start_file}: {line}")


_LARGEST_START_FILE = 4 << 20


@completion.command("show")
@shell_argument
def show(shell: str | None) -> None:
    """Print the script of a shell, to put it where you like.

    \b
    samoloop completion show fish
    """
    say(script(shell or _own_shell()), end="")


def script(shell: str) -> str:
    """What the shell has to read."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    completer = kind(click.Group("samoloop"), {}, "samoloop", _VARIABLE)
    return (_ZSH_ON if shell == "zsh" else "") + completer.source_template % completer.source_vars()


def _own_shell() -> str:
    name = Path(os.environ.get("SHELL", "")).name
    if name not in SHELLS:
        raise UsageError(f"your shell is {name or 'not known'}; name one: samoloop completion install bash|zsh|fish")
    return name


def _place(shell: str) -> Place:
    home = Path.home()
    if shell == "fish":
        config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
        return Place(config / "fish" / "completions" / "samoloop.fish", None)
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    start = home / ".bashrc" if shell == "bash" else Path(os.environ.get("ZDOTDIR") or home) / ".zshrc"
    return Place(data / "samoloop" / f"completion.{shell}", start)
