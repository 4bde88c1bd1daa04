"""Gemini CLI: `gemini --output-format stream-json`, the prompt on standard input.

Facts are from runs of version 0.61.0. A child gets a GEMINI_CLI_HOME of its own in the session's log folder, which
holds our settings, the skills, and links to the person's login: nothing else of the person's setup comes in. The
project's own (`GEMINI.md`, `.gemini/` in the repository) does.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from samoloop.base.errors import ProviderError
from samoloop.base.files import small_text, write_atomic
from samoloop.core.events import Denied, Event, Failure, Result, Started, Text, Tool, Trouble, Usage
from samoloop.core.permissions import Access, Permissions
from samoloop.providers.base import Checkup, Launch, Request
from samoloop.providers.gemini_errors import failures_of
from samoloop.providers.mcp import START_SECONDS, servers_of
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
from samoloop.providers.reading import count, mapping, message, parse_object, text, tool_detail

OLDEST = (0, 61)

_SETTINGS = {
    # 10 attempts by default, over three silent minutes; the worker retries visibly.
    "general": {"maxAttempts": 3, "enableAutoUpdate": False, "enableAutoUpdateNotification": False},
    "privacy": {"usageStatisticsEnabled": False},
    # 300 s by default: a long silent build would be killed. The worker's own limits hold.
    "tools": {"shell": {"inactivityTimeout": 86_400}},
}
_ENVIRONMENT = {
    "GEMINI_CLI_TRUST_WORKSPACE": "true",
    "GEMINI_CLI_NO_RELAUNCH": "true",  # else a launcher stays as parent and passes no signal on
}
_NOBODY = "none-is-let-in"  # an empty list would be no limit
_LOGIN_FILES = ("oauth_creds.json", "google_accounts.json", "gemini-credentials.json", "installation_id", ".env")


class GeminiProvider:
    """Gemini CLI."""

    name = "gemini"
    program = "gemini"
    login_command = "gemini"  # and there /auth
    interrupt_first = False
    starts_at_once = True
    has_result = True

    def __init__(self, settings: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        self._settings = ProviderSettings(**settings)
        self._environ = environ
        self._program = Program(self.name, self._settings.path, None, "npm install -g @google/gemini-cli")

    def launch(self, request: Request) -> Launch:
        mode = "yolo" if request.permissions is Permissions.FULL else "auto_edit"
        argv = [self._program.require(self._environ), "--output-format", "stream-json", "--approval-mode", mode]
        argv.append(
            f"--allowed-mcp-server-names={','.join(request.mcp) or _NOBODY}"
        )  # the project's settings name some
        if request.model:
            argv += ["--model", request.model]
        servers = servers_of(request)
        home = _home(request, servers.programs, {**request.environ, **self._settings.env})
        env = {**_ENVIRONMENT, "GEMINI_CLI_HOME": str(home)}
        person = {**request.environ, **self._settings.env}
        login = {_person(person) / name: Access.WRITE for name in _LOGIN_FILES}
        login[_person(person) / ".env"] = Access.READ
        needs = installed_at(argv[0], person) | {home: Access.WRITE} | login | servers.needs
        return Launch([*argv, *self._settings.args], env | dict(self._settings.env), needs=needs)

    def reader(self, request: Request) -> "GeminiReader":
        kind = _login_kind({**request.environ, **self._settings.env})
        return GeminiReader(subscription=kind == "oauth-personal")

    def checkup(self, environ: Mapping[str, str]) -> Checkup:
        program = self._program.find(environ)
        if program is None:
            return not_found(self._program, environ)
        version = version_of(program, environ)
        logged_in = _logged_in({**environ, **self._settings.env})
        advice = ""
        if older(version, OLDEST):
            advice = f"Version {version} is older than what samoloop was tried with; update @google/gemini-cli."
        elif logged_in is False:
            advice = f"Run `{self.login_command}` and log in there with /auth, or set GEMINI_API_KEY."
        return Checkup(program, version, logged_in, (), advice)


def _person(environ: Mapping[str, str]) -> Path:
    """The person's own .gemini folder."""
    return Path(environ.get("GEMINI_CLI_HOME") or environ.get("HOME", "~"), ".gemini").expanduser()


def _login_kind(environ: Mapping[str, str]) -> str | None:
    """The way of logging in that the person chose, or that the environment implies.

    The CLI itself implies a wrong one where GOOGLE_GEMINI_BASE_URL is set, so it is always written down.
    """
    settings = small_text(_person(environ) / "settings.json", follow=True)
    chosen = re.search(r'"selectedType"\s*:\s*"([\w-]+)"', settings)  # the file may have comments: no JSON reader
    if chosen:
        return chosen[1]
    if environ.get("GOOGLE_GENAI_USE_GCA") == "true":
        return "oauth-personal"
    if environ.get("GOOGLE_GENAI_USE_VERTEXAI") == "true":
        return "vertex-ai"
    return "gemini-api-key" if environ.get("GEMINI_API_KEY") else None


def _logged_in(environ: Mapping[str, str]) -> bool | None:
    """What files and environment tell; a login in the keychain cannot be seen from outside."""
    person = _person(environ)
    dotenv = (person / ".env").is_file()
    match _login_kind(environ):
        case None:
            return None if dotenv else False
        case "oauth-personal":
            return True if (person / "oauth_creds.json").is_file() else None
        case "gemini-api-key":
            return True if dotenv or environ.get("GEMINI_API_KEY") else None
    return None


def _home(request: Request, servers: Mapping[str, str], environ: Mapping[str, str]) -> Path:
    """The child's home: our settings, the skills, links to the person's login."""
    home = request.stem.parent / "gemini-home"
    folder, person, kind = home / ".gemini", _person(environ), _login_kind(environ)
    settings = _SETTINGS | {"context": {"includeDirectories": [str(request.session_dir)]}}
    settings["mcpServers"] = {
        name: {"command": program, "timeout": START_SECONDS * 1000, "trust": True} for name, program in servers.items()
    }
    if kind:
        settings |= {"security": {"auth": {"selectedType": kind}}}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / "settings.json", json.dumps(settings))
        for name in _LOGIN_FILES:
            if (person / name).is_file():
                link(folder / name, (person / name).absolute())
        if request.skills:
            link_each(folder / "skills", request.skills.absolute(), request.offered)
    except OSError as error:
        raise ProviderError(f"The home of gemini cannot be written to {home}: {error.strerror}.") from error
    return home


class GeminiReader:
    """Reads the events of one run. What an error means is known only from the exit code."""

    _LOOP = "Loop detected, stopping execution"  # followed by a result that calls itself a success
    _BLOCKED = "Blocked: command substitution detected in shell command."  # the output of a "success"

    def __init__(self, subscription: bool = False) -> None:
        self._virtual = subscription  # logged in with Google: a plan of use, nothing by the token
        self._words: list[str] = []  # pieces of the message under way
        self._answer = ""
        self._running: dict[str, Tool] = {}
        self._error: str | None = None  # what a fatal failure says, until the exit code tells which it is
        self._ended = False

    def feed(self, line: bytes) -> list[Event]:
        event = parse_object(line)
        if event is None:
            return []
        kind = event.get("type")
        if kind == "message":
            if event.get("role") == "assistant":
                self._words.append(text(event, "content"))
            return []
        match kind:
            case "init":
                started = Started(text(event, "session_id") or None)
                return [started, Usage(virtual=True)] if self._virtual else [started]
            case "tool_use":
                return [*self._said(), self._call(event)]
            case "tool_result":
                return self._done(event)
            case "error":
                return [*self._said(), self._notice(event)]
            case "result":
                return [*self._said(), *self._result(event)]
        return []

    def finish(self, exit_code: int | None, stderr_tail: str) -> list[Event]:
        if self._ended and self._error is None:
            return []
        return [*self._said(), *failures_of(self._error, exit_code, stderr_tail)]

    def _said(self) -> list[Event]:
        """The message that the pieces make up."""
        words = "".join(self._words)
        self._words = []
        if not words.strip():
            return []
        self._answer = words
        return [Text(words)]

    def _call(self, event: dict[str, object]) -> Tool:
        detail = tool_detail(mapping(event, "parameters"))
        tool = Tool(text(event, "tool_id"), text(event, "tool_name"), detail, running=True)
        self._running[tool.id] = tool
        return tool

    def _done(self, event: dict[str, object]) -> list[Event]:
        key, error = text(event, "tool_id"), mapping(event, "error")
        started = self._running.pop(key, Tool(key, ""))
        refused = text(event, "output") == self._BLOCKED or _is_refusal(error)
        ok = event.get("status") == "success" and not refused
        tool = Tool(key, started.name, started.detail, ok=ok)
        return [tool, Denied(tool.name, tool.detail)] if refused else [tool]

    def _notice(self, event: dict[str, object]) -> Failure:
        words = text(event, "message")
        if event.get("severity") == "error" or words == self._LOOP:
            self._error = words
        return Failure(Trouble.OTHER, message(words), fatal=False)

    def _result(self, event: dict[str, object]) -> list[Event]:
        self._ended = True
        ok = event.get("status") == "success" and self._error is None
        if not ok:
            self._error = text(mapping(event, "error"), "message") or self._error or ""
        words = self._answer if ok else message(self._error or "")
        return [_usage(mapping(event, "stats"), self._virtual), Result(ok, words)]


def _is_refusal(error: dict[str, object]) -> bool:
    """Whether a failed tool call was refused: by policy, or because it reaches out of the workspace."""
    kind = error.get("type")
    return kind in ("policy_violation", "path_not_in_workspace") or (
        kind == "invalid_tool_params" and text(error, "message").startswith("Path not in workspace: ")
    )


def _usage(stats: dict[str, object], virtual: bool) -> Usage:
    """The run's totals; the CLI knows no cost."""
    models = mapping(stats, "models")
    main = max(models, key=lambda name: count(mapping(models, name), "output_tokens") or 0, default=None)
    return Usage(
        input_tokens=count(stats, "input_tokens"),
        output_tokens=count(stats, "output_tokens"),
        cached_tokens=count(stats, "cached"),
        model=main,
        virtual=virtual,
    )
