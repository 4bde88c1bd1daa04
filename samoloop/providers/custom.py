"""Any CLI, from the configuration alone.

    providers:
      mine: {command: [mycli, --auto, --model, "{model}"], prompt: stdin, output: text}

`prompt` says how the CLI gets its prompt: on standard input, as the last argument, or as a file that `{prompt_file}` in
the command names. `{model}`, `{worktree}`, `{session_dir}`, `{permissions}` (full or edits) and `{mcp_config}` (a JSON
file with the MCP servers that were let in) in the command are replaced too. `output: jsonl` reads lines that are JSON
objects of this form, in which every field but `type` may be left out; every other line is text, and `output: text` is
text only:

    {"type": "started", "session_id": "…"}
    {"type": "text", "text": "…"}
    {"type": "tool", "id": "1", "name": "shell", "detail": "make test", "running": true, "ok": true}
    {"type": "denied", "tool": "shell", "detail": "rm -r /"}
    {"type": "usage", "input_tokens": 1, "output_tokens": 2, "cached_tokens": 0, "cost_usd": 0.1, "model": "…",
     "virtual": true}
    {"type": "error", "trouble": "usage_limit", "message": "…", "fatal": true, "resets_at": 1795254344}
    {"type": "result", "ok": true, "text": "…"}

Usage is the total so far; `virtual` is a cost that a subscription covers. `trouble` is one of login, billing,
usage_limit, rate, overload, network, model, context and other; `resets_at` is in epoch seconds.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from samoloop.base.errors import ProgramMissing, ProviderError
from samoloop.core.events import Denied, Event, Failure, Result, Started, Text, Tool, Trouble, Usage
from samoloop.core.permissions import Access, Permissions
from samoloop.providers.base import Checkup, Launch, Request
from samoloop.providers.mcp import refuse_any, servers_of
from samoloop.providers.program import Program, installed_at, version_of
from samoloop.providers.reading import amount, count, message, one_line, parse_object, text, unfinished


class CustomProvider:
    """A CLI that the configuration describes."""

    login_command = ""  # not known
    interrupt_first = False
    starts_at_once = False

    def __init__(self, name: str, settings: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        self.name = name
        self._command = tuple(settings["command"])
        self.program = self._command[0]
        self._prompt = settings.get("prompt", "stdin")
        self._env = dict(settings.get("env", {}))
        self._environ = environ
        self._program = Program(name, self.program, None, "its own installer")
        self.has_result = settings.get("output") == "jsonl"

    def launch(self, request: Request) -> Launch:
        program = self._program.find(self._environ)
        if program is None:
            raise ProgramMissing(self._missing())
        if not self._asks("{mcp_config}") and self.name != "demo":  # a script, which has no use for them
            refuse_any(request, f"providers.{self.name}.command has no {{mcp_config}}, so {self.name}")
        servers = servers_of(request, always=self._asks("{mcp_config}"))
        values = {**self._values(request), "mcp_config": str(servers.file)}
        argv = [program, *(fill(word, values) for word in self._command[1:])]
        files = [path for path in map(Path, self._command[1:]) if path.is_absolute()]
        needs = installed_at(program, self._environ) | dict.fromkeys(files, Access.READ) | servers.needs
        return Launch(
            argv,
            self._env,
            prompt_on_stdin=self._prompt == "stdin",
            prompt_as_argument=self._prompt == "arg",
            needs=needs,
        )

    def reader(self, request: Request) -> "CustomReader":
        return CustomReader(self.name, jsonl=self.has_result)

    def checkup(self, environ: Mapping[str, str]) -> Checkup:
        program = self._program.find(environ)
        if program is None:
            return Checkup(None, advice=self._missing())
        leak = "Samoloop does not know what of your own setup this CLI reads."
        return Checkup(program, version_of(program, environ), leaks=(leak,))

    def _missing(self) -> str:
        return f"{self.program!r} from providers.{self.name}.command is no program; install it or correct its path."

    def _values(self, request: Request) -> dict[str, str]:
        """What the placeholders stand for. Raises ProviderError where the command cannot say what the request asks."""
        if request.permissions is not Permissions.FULL and not self._asks("{permissions}"):
            raise ProviderError(
                f"providers.{self.name}.command has no {{permissions}}, so permissions: {request.permissions} cannot "
                "be kept; put it in or use permissions: full."
            )
        if request.model is None and self._asks("{model}"):
            raise ProviderError(f"providers.{self.name}.command has {{model}}, but no model is set; set `model`.")
        return {
            "prompt_file": str(request.prompt),
            "model": request.model or "",
            "worktree": str(request.worktree),
            "session_dir": str(request.session_dir),
            "permissions": str(request.permissions),
        }

    def _asks(self, placeholder: str) -> bool:
        return any(placeholder in word for word in self._command)


def fill(word: str, values: Mapping[str, str]) -> str:
    for key, value in values.items():
        word = word.replace(f"{{{key}}}", value)
    return word


class CustomReader:
    """Reads text, or the small JSON lines form."""

    def __init__(self, name: str, jsonl: bool) -> None:
        self._name = name
        self._jsonl = jsonl
        self.ended = False  # it has said all

    def feed(self, line: bytes) -> list[Event]:
        event = parse_object(line) if self._jsonl else None
        known = _event(event) if event else None
        if known:
            says_all = isinstance(known, Result) or (isinstance(known, Failure) and known.fatal)
            self.ended = self.ended or says_all
            return [known]
        words = line.decode("utf-8", "replace").strip()
        return [Text(words)] if words else []

    def finish(self, exit_code: int | None, stderr_tail: str) -> list[Event]:
        return [] if self.ended else [*unfinished(self._name, exit_code, stderr_tail)]


def _event(event: dict[str, object]) -> Event | None:
    """The event that an object stands for; None where it is of no known type."""
    match event.get("type"):
        case "started":
            return Started(text(event, "session_id") or None)
        case "text":
            return Text(text(event, "text"))
        case "tool":
            return _tool(event)
        case "denied":
            return Denied(text(event, "tool"), one_line(text(event, "detail")))
        case "usage":
            return _usage(event)
        case "error":
            return _failure(event)
        case "result":
            return Result(event.get("ok") is not False, text(event, "text"))
    return None


def _tool(event: dict[str, object]) -> Tool:
    return Tool(
        text(event, "id"),
        text(event, "name"),
        one_line(text(event, "detail")),
        running=event.get("running") is True,
        ok=event.get("ok") is not False,
    )


def _usage(event: dict[str, object]) -> Usage:
    return Usage(
        count(event, "input_tokens"),
        count(event, "output_tokens"),
        count(event, "cached_tokens"),
        amount(event, "cost_usd"),
        text(event, "model") or None,
        virtual=event.get("virtual") is True,
    )


def _failure(event: dict[str, object]) -> Failure:
    word = text(event, "trouble")
    trouble = Trouble(word) if word in tuple(Trouble) else Trouble.OTHER
    words = message(text(event, "message")) or "the CLI reported an error without words"
    return Failure(trouble, words, event.get("fatal") is not False, amount(event, "resets_at"))
