"""opencode: `opencode run --format json`.

Facts are from runs of version 1.18.33. It reads the person's configuration from XDG_CONFIG_HOME and keeps their login
elsewhere, so a child gets a configuration folder of its own in the session's log folder, in which everything that
belongs to other programs is a link to the person's. Its retries (5, over a minute) cannot be turned down.
"""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from samoloop.base.errors import ProviderError
from samoloop.base.files import small_text, write_atomic
from samoloop.core.events import Denied, Event, Failure, Result, Started, Text, Tool, Trouble, Usage
from samoloop.core.permissions import Access, Permissions
from samoloop.providers.base import Checkup, Launch, Request
from samoloop.providers.mcp import servers_of
from samoloop.providers.program import (
    Program,
    ProviderSettings,
    installed_at,
    link,
    link_each,
    not_found,
    older,
    version_of,
)
from samoloop.providers.reading import (
    amount,
    count,
    mapping,
    message,
    parse_object,
    status_trouble,
    text,
    tool_detail,
    total,
    unfinished,
)

OLDEST = (1, 18)

_CONFIGURATION = {"$schema": "https://opencode.ai/config.json", "autoupdate": False, "share": "disabled"}
# Context overflows without a tool call between them: each was followed by a compaction that did not help. Seen to go
# on for ever, nine tries a second.
_HOPELESS = 3


class OpencodeProvider:
    """opencode."""

    name = "opencode"
    program = "opencode"
    login_command = "opencode auth login"
    interrupt_first = False
    starts_at_once = False  # the first line comes after the first reply
    has_result = False

    def __init__(self, settings: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        self._settings = ProviderSettings(**settings)
        self._environ = environ
        self._program = Program(self.name, self._settings.path, None, "npm install -g opencode-ai")

    def launch(self, request: Request) -> Launch:
        argv = [self._program.require(self._environ), "run", "--format", "json", f"--title={request.title}"]
        if request.permissions is Permissions.FULL:
            argv.append("--auto")
        if request.model:
            argv += ["--model", request.model]
        let_in = servers_of(request)
        folder = _configuration(request)
        env = {
            "XDG_CONFIG_HOME": str(folder),
            "OPENCODE_TEST_HOME": str(folder),  # else ~/.opencode, ~/.claude and ~/.agents are read as well
            "OPENCODE_PURE": "1",  # no plugins
        }
        if request.permissions is Permissions.EDITS:
            env["OPENCODE_PERMISSION"] = json.dumps({"external_directory": _outside(request)})
        env |= self._settings.env
        person = {**request.environ, **env}
        if servers := _servers(request.worktree, let_in.programs):
            said = parse_object(person.get("OPENCODE_CONFIG_CONTENT", "").replace("\n", " ").encode()) or {}
            env["OPENCODE_CONFIG_CONTENT"] = json.dumps({**said, "mcp": {**mapping(said, "mcp"), **servers}})
        data, state = _own(person)  # only a renewed login is kept: what it keeps of programs would run outside next
        own = {folder: Access.WRITE, data: Access.CACHE, data / "auth.json": Access.WRITE, state: Access.CACHE}
        needs = installed_at(argv[0], person) | own | let_in.needs
        return Launch([*argv, *self._settings.args], env, needs=needs)

    def reader(self, request: Request) -> "OpencodeReader":
        return OpencodeReader(request.model)

    def checkup(self, environ: Mapping[str, str]) -> Checkup:
        program = self._program.find(environ)
        if program is None:
            return not_found(self._program, environ)
        version, logged_in = version_of(program, environ), _logged_in(environ)
        advice = ""
        if older(version, OLDEST):
            advice = f"Version {version} is older than what samoloop was tried with; run `opencode upgrade`."
        elif not logged_in and any(
            (_person(environ) / "opencode" / name).is_file() for name in ("opencode.json", "opencode.jsonc")
        ):
            advice = (
                "Your own opencode.json does not reach a child. If it describes your endpoint, let it in with "
                "providers.opencode.env: {OPENCODE_CONFIG: /path/to/opencode.json}."
            )
        return Checkup(program, version, logged_in, (), advice)


def _person(environ: Mapping[str, str]) -> Path:
    """The person's own configuration folder."""
    return Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "~"), ".config")).expanduser()


def _own(environ: Mapping[str, str]) -> tuple[Path, Path]:
    """Where opencode keeps login and conversations, and where what it is doing."""
    home = Path(environ.get("HOME", "~"))
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share").expanduser()
    state = Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state").expanduser()
    return data / "opencode", state / "opencode"


def _logged_in(environ: Mapping[str, str]) -> bool | None:
    """Whether a login is stored. Without one, keys in the environment or a free model may do: nobody can tell."""
    stored = parse_object(small_text(_own(environ)[0] / "auth.json", follow=True).encode(errors="replace"))
    return True if stored else None


def _outside(request: Request) -> dict[str, str]:
    """Which folders outside the worktree a restrained child may touch. `*` matches slashes; the last match wins."""
    folders = [request.session_dir, *([request.skills] if request.skills else [])]
    return {"*": "deny"} | {f"{folder.absolute()}/*": "allow" for folder in folders}


def _servers(worktree: Path, let_in: Mapping[str, str]) -> dict[str, dict[str, object]]:
    """What the last word on MCP servers says: those that were let in, and none that the project's files describe."""
    said = [worktree / folder / name for folder in ("", ".opencode") for name in ("opencode.json", "opencode.jsonc")]
    theirs = [name for path in said for name in mapping(_without_comments(small_text(path)), "mcp")]
    local = {name: {"type": "local", "command": [program], "enabled": True} for name, program in let_in.items()}
    return {**{name: {"enabled": False} for name in theirs}, **local}


def _without_comments(words: str) -> object:
    """The value of a JSON text in which comments and a last comma may stand."""
    bare = re.sub(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', lambda match: match[1] or " ", words, flags=re.DOTALL)
    bare = re.sub(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])', lambda match: match[1] or " ", bare)
    return parse_object(bare.replace("\n", " ").encode())


def _configuration(request: Request) -> Path:
    """The child's configuration folder: opencode's own part is ours, all else leads to the person's."""
    folder = request.stem.parent / "opencode-config"
    own = folder / "opencode"
    try:
        own.mkdir(parents=True, exist_ok=True)
        write_atomic(own / "opencode.json", json.dumps(_CONFIGURATION))
        if request.skills:
            link_each(own / "skills", request.skills.absolute(), request.offered)
        person = _person(request.environ)
        for entry in person.iterdir() if person.is_dir() else ():
            if entry.name != "opencode":
                link(folder / entry.name, entry.absolute())
    except OSError as error:
        raise ProviderError(
            f"The configuration of opencode cannot be written to {folder}: {error.strerror}."
        ) from error
    return folder


class OpencodeReader:
    """Reads the events of one run. There is no event for start or end, and a tool is told only when it is over."""

    # The two fixed beginnings of a refused tool call's error.
    _REFUSALS = ("The user rejected permission to use", "The user has specified a rule which prevents you from using")

    def __init__(self, model: str | None) -> None:
        self._usage = Usage(model=model)
        self._started = False
        self._words = ""  # the model's last words, which are the answer
        self._reason = ""  # why the last step ended: stop, tool-calls, length
        self._failed = False
        self._overflows: list[Failure] = []  # since the last tool call

    def feed(self, line: bytes) -> list[Event]:
        event = parse_object(line)
        if event is None or not text(event, "type"):
            return []
        events: list[Event] = []
        if not self._started:
            self._started = True
            events.append(Started(text(event, "sessionID") or None))
        part = mapping(event, "part")
        match event["type"]:
            case "text" if text(part, "text"):
                self._words = text(part, "text")
                events.append(Text(self._words))
            case "tool_use":
                events += self._tool(part)
            case "step_finish":
                events.append(self._step(part))
            case "error":
                events.append(self._error(mapping(event, "error")))
        return events

    def finish(self, exit_code: int | None, stderr_tail: str) -> list[Event]:
        if exit_code == 0 and self._reason and not self._failed:
            ok = self._reason == "stop"
            cut = [Failure(Trouble.OTHER, "the model's answer was cut at its length limit")]
            return [*(cut if self._reason == "length" else ()), Result(ok, self._words)]
        if self._failed:
            return []
        return [*self._overflows[-1:]] or unfinished("opencode", exit_code, stderr_tail)

    def _tool(self, part: dict[str, object]) -> list[Event]:
        self._overflows = []
        state = mapping(part, "state")
        name, detail = text(part, "tool"), tool_detail(mapping(state, "input"))
        exit_code = mapping(state, "metadata").get("exit", 0)
        tool = Tool(text(part, "callID"), name, detail, ok=state.get("status") != "error" and exit_code == 0)
        refused = text(state, "error").startswith(self._REFUSALS)
        return [tool, Denied(name, detail)] if refused else [tool]

    def _step(self, part: dict[str, object]) -> Usage:
        """Add one step to the totals; opencode counts cached tokens and thoughts apart from input and output."""
        self._reason = text(part, "reason")
        tokens, sums = mapping(part, "tokens"), self._usage
        read, written = count(mapping(tokens, "cache"), "read"), count(mapping(tokens, "cache"), "write")
        cost = amount(part, "cost")
        self._usage = replace(
            sums,
            input_tokens=total(sums.input_tokens, count(tokens, "input"), read, written),
            output_tokens=total(sums.output_tokens, count(tokens, "output"), count(tokens, "reasoning")),
            cached_tokens=total(sums.cached_tokens, read),
            cost_usd=sums.cost_usd if cost is None else (sums.cost_usd or 0) + cost,
        )
        return self._usage

    def _error(self, error: dict[str, object]) -> Failure:
        failure = _failure(text(error, "name"), mapping(error, "data"), time.time())
        if failure.trouble is Trouble.CONTEXT:  # followed by a compaction and another try, for ever if need be
            self._overflows.append(failure)
            failure = replace(failure, fatal=len(self._overflows) >= _HOPELESS)
        self._failed = self._failed or failure.fatal
        return failure


def _failure(name: str, data: dict[str, object], now: float) -> Failure:
    words = message(text(data, "message")) or name or "opencode reported an error without words"
    status = count(data, "statusCode")
    body = parse_object(text(data, "responseBody").encode()) or {}
    codes = {text(mapping(body, "error"), "code"), text(mapping(body, "error"), "type")}
    if "insufficient_quota" in codes:
        return Failure(Trouble.BILLING, words)
    if status is None and data.get("isRetryable") is True:
        return Failure(Trouble.NETWORK, words)
    trouble = _NAMES.get(name) or status_trouble(status)
    wait = text(mapping(data, "responseHeaders"), "retry-after") if trouble is Trouble.RATE else ""
    return Failure(trouble, words, resets_at=now + int(wait) if wait.isdecimal() and len(wait) < 9 else None)


_NAMES = {
    "ContextOverflowError": Trouble.CONTEXT,
    "LoadAPIKeyError": Trouble.LOGIN,
    "ProviderAuthError": Trouble.LOGIN,
    "ProviderModelNotFoundError": Trouble.MODEL,
    "ProviderHeaderTimeoutError": Trouble.NETWORK,
}
