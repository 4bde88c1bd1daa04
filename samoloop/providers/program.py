"""What the providers share outside a run: their settings, finding the program, asking for its version."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path

from samoloop.base.errors import ProgramMissing, ProviderError
from samoloop.base.files import put_folder, read_plain, remove
from samoloop.base.values import frozen
from samoloop.core.permissions import Access
from samoloop.providers import installed
from samoloop.providers.base import Checkup, Launch, Request

_LONGEST_ARGUMENT = 100_000  # bytes; Linux takes 131,071
QUESTION_SECONDS = 10  # time limit of a `--version` or a login question


@frozen
class ProviderSettings:
    """What `providers: {NAME: ...}` in the configuration says of a built-in provider: see `config.keys.PROGRAM`."""

    path: str | None = None  # the program: a path, or a name on PATH
    args: Sequence[str] = ()  # put after our own arguments, so they win
    env: Mapping[str, str] = field(default_factory=dict)  # put over our own environment


@frozen
class Program:
    """Where a CLI is looked for: the configured path, the variable that names it, then PATH."""

    name: str
    configured: str | None
    variable: str | None  # CLAUDE_PATH, CODEX_PATH
    install: str  # the command that installs it

    def find(self, environ: Mapping[str, str]) -> str | None:
        """The program's absolute path, or None."""
        wanted = self.configured or (environ.get(self.variable) if self.variable else None) or self.name
        found = shutil.which(str(Path(wanted).expanduser()), path=environ.get("PATH", os.defpath))
        return str(Path(found).absolute()) if found else None

    def require(self, environ: Mapping[str, str]) -> str:
        """The program's absolute path. Raises ProgramMissing with the way to get it."""
        found = self.find(environ)
        if found is None:
            raise ProgramMissing(f"{self.missing(environ)} {self.advice(environ)}")
        return found

    def missing(self, environ: Mapping[str, str]) -> str:
        """Which program was looked for in vain."""
        if self.configured:
            return f"{self.configured!r} from providers.{self.name}.path is no program."
        if self.variable and environ.get(self.variable):
            return f"{environ[self.variable]!r} from {self.variable} is no program."
        return f"The program {self.name!r} is not on PATH."

    def advice(self, environ: Mapping[str, str]) -> str:
        """How to get the program, or what to use instead."""
        here = [name for name in installed(environ) if name != self.name]
        instead = (
            f"{' and '.join(here)} {'is' if len(here) == 1 else 'are'} installed: choose with `--provider {here[0]}`, "
            f"or `provider: {here[0]}` in .samoloop.yaml. "
            if here
            else ""
        )
        return f"{instead}Install it with `{self.install}`, or name it under providers.{self.name}.path."


def argv_of(launch: Launch, request: Request) -> Sequence[str]:
    """The whole command. A prompt that is an argument is read now, when it is written; one that no argument can hold is
    named instead.
    """
    if not launch.prompt_as_argument:
        return launch.argv
    prompt = (read_plain(request.prompt, _LONGEST_ARGUMENT) or b"").decode(errors="replace")
    if not prompt or len(prompt.encode()) > _LONGEST_ARGUMENT:
        prompt = f"Read all of the file {request.prompt} and do what it says."
    return [*launch.argv, prompt]


def ask(argv: Sequence[str], environ: Mapping[str, str]) -> tuple[int, str] | None:
    """Exit code and standard output of a short question to a CLI; None when it could not be run or took too long."""
    try:
        done = subprocess.run(
            argv,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=QUESTION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.returncode, done.stdout.decode("utf-8", "replace")


def version_of(program: str, environ: Mapping[str, str]) -> str | None:
    """The version that `--version` prints."""
    answer = ask([program, "--version"], environ)
    found = re.search(r"\d+\.\d+(\.\d+)*", answer[1]) if answer else None
    return found.group() if found else None


def older(version: str | None, oldest: tuple[int, ...]) -> bool:
    """Whether a version is known and below `oldest`."""
    return version is not None and tuple(int(part) for part in version.split(".")) < oldest


def not_found(program: Program, environ: Mapping[str, str]) -> Checkup:
    """What `doctor` says where the program is missing."""
    return Checkup(None, advice=f"{program.missing(environ)} {program.advice(environ)}")


def installed_at(program: str, environ: Mapping[str, str]) -> dict[Path, Access]:
    """What a program is made of, to be read: itself by each of its names, and the package that it is a part of."""
    bare = {Path(environ.get("HOME") or "/", *parts) for parts in ((), (".local",))} | {Path("/"), Path("/usr")}
    at, names = Path(program), []
    while at not in names:
        names.append(at)
        at = at.parent / at.readlink() if at.is_symlink() else at
    real = Path(os.path.realpath(program))
    found = [*names, real]
    if "node_modules" in real.parts:
        found.append(Path(*real.parts[: real.parts.index("node_modules") + 1]))
    elif real.parent.name == "bin" and real.parent.parent not in bare:
        found.append(real.parent.parent)
    return dict.fromkeys(found, Access.READ)


def link(path: Path, target: Path) -> None:
    """Make `path` a link to `target`; what is there and no link stays, for somebody else put it there.

    Raises OSError where the folder takes no link.
    """
    if path.is_symlink():
        if path.readlink() == target:
            return
        path.unlink()
    elif path.exists():
        return
    path.symlink_to(target)


def link_each(folder: Path, target: Path, names: Sequence[str]) -> None:
    """Make `folder` hold links to these entries of `target` and nothing else. Raises OSError."""
    put_folder(folder)
    for path in folder.iterdir():
        if path.name not in names:
            remove(path)
    for name in names:
        link(folder / name, target / name)


def effort_word(effort: str, words: Mapping[str, str]) -> str:
    """The CLI's own word for an effort. Raises ProviderError listing the efforts that there are."""
    if effort not in words:
        raise ProviderError(f"effort {effort!r} is unknown; use one of {', '.join(words)}.")
    return words[effort]
