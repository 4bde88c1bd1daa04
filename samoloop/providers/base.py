"""What the worker needs to know of a child CLI: how to start it, and what its output means.

A provider turns a `Request` into a `Launch`, and every line of the CLI's output into the few events below. It never
searches prose for words such as "limit" or "401": only structured fields count.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Protocol

from samoloop.base.values import frozen
from samoloop.config.mcp import McpServer
from samoloop.core.events import Event
from samoloop.core.permissions import Access, Permissions


@frozen
class Request:
    """One child to be started."""

    prompt: Path  # the whole prompt, a file
    worktree: Path  # the child's working folder
    session_dir: Path  # the child must be able to write here too
    stem: Path  # <session>/_logs/NNN-phase[.attempt], without an ending: a provider may add files of its own there
    title: str  # a few words, for CLIs that name their sessions
    model: str | None = None  # None: the CLI's own default
    permissions: Permissions = Permissions.FULL
    effort: str | None = None  # low, standard, high, max; None: the CLI's own default
    skills: Path | None = None  # a folder of skills, where the CLI can take some without touching the worktree
    offered: Sequence[str] = ()  # those of them that the child is offered
    mcp: Mapping[str, McpServer] = field(default_factory=dict)  # the MCP servers that the child has, and no others
    environ: Mapping[str, str] = field(default_factory=dict)  # what the child's environment will be before `Launch.env`


@frozen
class Launch:
    """The process to start."""

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)  # added to the scrubbed environment
    unset: Sequence[str] = ()  # removed from it
    prompt_on_stdin: bool = True  # else standard input is empty
    prompt_as_argument: bool = False  # after `argv`: see `program.argv_of`
    needs: Mapping[Path, Access] = field(default_factory=dict)  # in a sandbox: its program, login, own folder
    within: Sequence[str] = ()  # the words in front of `argv` that make a sandbox; none without one


class Reader(Protocol):
    """Reads one child's output, line by line. It may keep state (sums, open tools)."""

    def feed(self, line: bytes) -> list[Event]:
        """Events of one line of standard output, without its newline. What is unreadable gives no event, no error."""
        ...

    def finish(self, exit_code: int | None, stderr_tail: str) -> list[Event]:
        """What only the end tells (exit code, a trajectory file). Called once after the last line; may repeat nothing.

        `exit_code` is None when it is unknown (the wrapper was killed), negative when a signal ended the CLI.
        """
        ...


@frozen
class Checkup:
    """What `doctor` says of one CLI."""

    found: str | None  # path of the program
    version: str | None = None
    logged_in: bool | None = None  # None: the CLI cannot tell without paying for a call
    leaks: Sequence[str] = ()  # what of the person's own setup still reaches a child, one sentence each
    advice: str = ""  # what to do, where something is missing


class Provider(Protocol):
    """One child CLI."""

    name: str
    program: str  # what to look for on PATH
    login_command: str  # the exact command that mends a login
    interrupt_first: bool  # SIGINT makes the CLI clean up its tools: send it before SIGTERM
    starts_at_once: bool  # emits `Started` before the first model reply, so a first-byte limit makes sense
    has_result: bool  # emits `Result` on its own output, so signal + result + grace can end a child that lingers

    def launch(self, request: Request) -> Launch:
        """How to start the CLI. Raises ProviderError where that cannot be done (program missing, no such mode)."""
        ...

    def reader(self, request: Request) -> Reader:
        """A fresh reader for one child's output."""
        ...

    def checkup(self, environ: Mapping[str, str]) -> Checkup:
        """Look at the installed CLI without a model call; at most a few seconds."""
        ...
