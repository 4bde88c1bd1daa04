"""Any CLI, from the configuration alone.

    providers:
      mine: {command: [mycli, --auto], prompt: stdin, output: text}

`prompt` says how the CLI gets it: on standard input, as the last argument, or as a file that `{prompt_file}` in the
command names. In the command `{model}`, `{worktree}` and `{session_dir}` are replaced too. `output: jsonl` reads lines
that are JSON objects of this small form; every other line is text:

    {"type": "text", "text": "..."}
    {"type": "tool", "id": "1", "name": "sh", "detail": "ls", "running": true}
    {"type": "usage", "input_tokens": 1, "output_tokens": 2, "cost_usd": 0.1}     totals so far
    {"type": "error", "trouble": "login", "message": "...", "fatal": true, "resets_at": 1795254344}
    {"type": "denied", "tool": "sh", "detail": "rm"}
    {"type": "result", "ok": true, "text": "..."}
"""

from collections.abc import Mapping
from typing import cast

from samoloop.errors import ProviderError
from samoloop.providers.base import (
    Checkup,
    Denied,
    Event,
    Failure,
    Launch,
    Request,
    Result,
    Started,
    Text,
    Tool,
    Trouble,
    Usage,
)
from samoloop.providers.program import Program, texts, version_of
from samoloop.providers.reading import amount, count, message, one_line, parse_object, text

_KEYS = ("command", "prompt", "output", "env")
_PROMPTS = ("stdin", "arg", "file")
_OUTPUTS = ("text", "jsonl")


class CustomProvider:
    """A CLI that the configuration describes."""

    login_command = ""
    interrupt_first = False
    starts_at_once = False

    def __init__(self, name: str, settings: Mapping[str, object], environ: Mapping[str, str]) -> None:
        problems = [f"{key} is unknown ({', '.join(_KEYS)} are known)" for key in settings if key not in _KEYS]
        command, env = settings.get("command"), settings.get("env", {})
        if not (texts(command) and command):
            problems.append(f"command must be a list of texts, got {command!r}")
        if not (isinstance(env, Mapping) and texts([*env, *env.values()])):
            problems.append("env must map names to texts (put numbers in quotes)")
        for key, allowed in (("prompt", _PROMPTS), ("output", _OUTPUTS)):
            if settings.get(key, allowed[0]) not in allowed:
                problems.append(f"{key} must be one of {', '.join(allowed)}, got {settings[key]!r}")
        if problems:
            raise ProviderError(f"providers.{name} cannot be used: {'; '.join(problems)}.")
        self.name = name
        self._command = tuple(cast("list[str]", command))
        self.program = self._command[0]
        self._prompt = str(settings.get("prompt", "stdin"))
        self._jsonl = settings.get("output") == "jsonl"
        self._env = dict(cast("dict[str, str]", env))
        self._environ = environ
        self.has_result = self._jsonl

    def launch(self, request: Request) -> Launch:
        program = self._find().require(self._environ)
        values = {
            "prompt_file": str(request.prompt),
            "model": request.model or "",
            "worktree": str(request.worktree),
            "session_dir": str(request.session_dir),
        }
        argv = [program, *(_fill(word, values) for word in self._command[1:])]
        if self._prompt == "arg":
            argv.append(f"Read {request.prompt} and do what it says.")
        return Launch(argv, self._env, prompt_on_stdin=self._prompt == "stdin")

    def reader(self, request: Request) -> "CustomReader":
        return CustomReader(self._jsonl)

    def checkup(self, environ: Mapping[str, str]) -> Checkup:
        found = self._find().find(environ)
        if found is None:
            return Checkup(None, advice=f"{self.program!r} from providers.{self.name}.command is no program.")
        return Checkup(found, version_of(found, environ))

    def _find(self) -> Program:
        return Program(self.name, self.program, None, "its own installer")


def _fill(word: str, values: Mapping[str, str]) -> str:
    for key, value in values.items():
        word = word.replace(f"{{{key}}}", value)
    return word


class CustomReader:
    """Reads text, or the small JSON lines form."""

    def __init__(self, jsonl: bool) -> None:
        self._jsonl = jsonl

    def feed(self, line: bytes) -> list[Event]:
        event = parse_object(line) if self._jsonl else None
        if event is None:
            words = line.decode("utf-8", "replace").strip()
            return [Text(words)] if words else []
        match event.get("type"):
            case "started":
                return [Started(text(event, "session_id") or None)]
            case "text":
                return [Text(text(event, "text"))]
            case "tool":
                return [_tool(event)]
            case "usage":
                return [_usage(event)]
            case "denied":
                return [Denied(text(event, "tool"), one_line(text(event, "detail")))]
            case "error":
                return [_failure(event)]
            case "result":
                return [Result(event.get("ok") is not False, text(event, "text"))]
        return []

    def finish(self, exit_code: int | None, stderr_tail: str) -> list[Event]:
        return []


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
    )


def _failure(event: dict[str, object]) -> Failure:
    word = text(event, "trouble")
    trouble = Trouble(word) if word in tuple(Trouble) else Trouble.OTHER
    return Failure(
        trouble, message(text(event, "message")), event.get("fatal") is not False, amount(event, "resets_at")
    )
