"""Claude Code: `claude -p` with its stream of JSON events.

Facts are from runs of version 2.1.197. The person's own settings, hooks, MCP servers, memory, skills and agents stay
out of the child; the project's own (`CLAUDE.md`, `.claude/` in the repository) come in, but not its `.mcp.json`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from samoloop.base.errors import ProviderError
from samoloop.base.files import small_text, write_atomic
from samoloop.core.events import Denied, Event, Failure, Result, Started, Text, Tool, Trouble, Usage
from samoloop.core.permissions import Access, Permissions
from samoloop.providers.base import Checkup, Launch, Request
from samoloop.providers.mcp import START_SECONDS, servers_of
from samoloop.providers.program import (
    Program,
    ProviderSettings,
    ask,
    effort_word,
    installed_at,
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
    objects,
    parse_object,
    status_trouble,
    text,
    tool_detail,
    total,
    unfinished,
)

OLDEST = (2, 1)  # the switches below were tried from here on

_ISOLATION = ("--setting-sources", "project", "--strict-mcp-config")
_ENVIRONMENT = {
    "CLAUDE_CODE_MAX_RETRIES": "2",  # 10 by default: three silent minutes; the worker retries visibly
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",  # telemetry, and one paid call a session for a title
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",  # the session's files are the memory
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",  # what runs in the background is killed with the answer, unfinished
    "DISABLE_AUTOUPDATER": "1",
    "MCP_TIMEOUT": str(START_SECONDS * 1000),
    "ENABLE_CLAUDEAI_MCP_SERVERS": "false",  # the account's connectors
}
# What an outer Claude Code sets for its tools: samoloop may have been started by one.
_NESTING = (
    "CLAUDECODE",
    "CLAUDE_CODE_CHILD_SESSION",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_EXECPATH",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_CODE_SSE_PORT",
    "CLAUDE_EFFORT",
)
_EFFORT = {"low": "low", "standard": "medium", "high": "high", "max": "max"}
# Ways of logging in that Claude prefers to a subscription's, and that are billed by the token.
_PAID = (
    *("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"),
    *("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY"),
)
_MANAGED = ("/etc/claude-code", "/Library/Application Support/ClaudeCode")


class ClaudeProvider:
    """Claude Code."""

    name = "claude"
    program = "claude"
    login_command = "claude auth login"
    interrupt_first = True
    starts_at_once = True
    has_result = True

    def __init__(self, settings: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        self._settings = ProviderSettings(**settings)
        self._environ = environ
        self._program = Program(
            self.name, self._settings.path, "CLAUDE_PATH", "npm install -g @anthropic-ai/claude-code"
        )

    def launch(self, request: Request) -> Launch:
        argv = [self._program.require(self._environ), "-p", "--output-format", "stream-json", "--verbose"]
        argv += [*_ISOLATION, f"--name={request.title}", "--add-dir", str(request.session_dir)]
        if request.permissions is Permissions.FULL:
            argv.append("--dangerously-skip-permissions")
        else:
            argv += ["--permission-mode", "acceptEdits"]
        allowed = [f"mcp__{name}" for name in request.mcp]
        if request.skills:
            argv += ["--plugin-dir", str(_plugin(request.stem.parent, request.skills, request.offered))]
            allowed.append(f"Read(/{request.skills.absolute()}/**)")
        if allowed:
            argv += ["--settings", json.dumps({"permissions": {"allow": allowed}})]
        servers = servers_of(request)
        if servers.programs:
            argv.append(f"--mcp-config={servers.file}")
        if request.model:
            argv += ["--model", request.model]
        if request.effort:
            argv += ["--effort", effort_word(request.effort, _EFFORT)]
        env = dict(_ENVIRONMENT)
        if request.permissions is Permissions.FULL:
            env["IS_SANDBOX"] = "1"  # without it root is refused full permissions
        person = {**request.environ, **self._settings.env}
        needs = installed_at(argv[0], person) | _own(person) | servers.needs
        return Launch([*argv, *self._settings.args], env | dict(self._settings.env), _NESTING, needs=needs)

    def reader(self, request: Request) -> "ClaudeReader":
        return ClaudeReader(_by_subscription({**request.environ, **self._settings.env}))

    def checkup(self, environ: Mapping[str, str]) -> Checkup:
        program = self._program.find(environ)
        if program is None:
            return not_found(self._program, environ)
        version = version_of(program, environ)
        logged_in = _logged_in(program, {**environ, **self._settings.env}, self._settings.args)
        advice = ""
        if older(version, OLDEST):
            advice = f"Version {version} is older than what samoloop was tried with; run `claude update`."
        elif logged_in is False:
            advice = (
                f"Run `{self.login_command}`. A login that your own settings.json makes (apiKeyHelper, env) does not "
                "reach a child: give it as providers.claude.env, or let your settings in with "
                'providers.claude.args: ["--setting-sources", "user,project"].'
            )
        leaks = [
            f"The managed settings in {folder} act on children too." for folder in _MANAGED if Path(folder).is_dir()
        ]
        return Checkup(program, version, logged_in, leaks, advice)


def _own(environ: Mapping[str, str]) -> dict[Path, Access]:
    """Claude's own folder, of which only a renewed login is kept: the rest would act on the person's next Claude."""
    home = Path(environ.get("HOME") or "~").expanduser()
    folder = Path(environ.get("CLAUDE_CONFIG_DIR") or home / ".claude")
    return {folder: Access.CACHE, folder / ".credentials.json": Access.WRITE, home / ".claude.json": Access.READ}


def _by_subscription(environ: Mapping[str, str]) -> bool:
    """Whether the login is one of a subscription, as far as environment and files tell. A keychain tells nothing."""
    if any(environ.get(name) for name in _PAID):
        return False
    folder = Path(environ.get("CLAUDE_CONFIG_DIR") or Path(environ.get("HOME") or "~").expanduser() / ".claude")
    return bool(environ.get("CLAUDE_CODE_OAUTH_TOKEN")) or '"claudeAiOauth"' in small_text(
        folder / ".credentials.json", follow=True
    )


def _plugin(folder: Path, skills: Path, offered: Sequence[str]) -> Path:
    """A plugin in the session's log folder that holds nothing but links to skills: they show as samoloop:<name>."""
    plugin = folder / "claude-plugin"
    try:
        (plugin / ".claude-plugin").mkdir(parents=True, exist_ok=True)
        manifest = {"name": "samoloop", "version": "1.0.0", "description": "Skills of the phases"}
        write_atomic(plugin / ".claude-plugin" / "plugin.json", json.dumps(manifest))
        link_each(plugin / "skills", skills.absolute(), offered)
    except OSError as error:
        raise ProviderError(f"The skills cannot be offered through {plugin}: {error.strerror}.") from error
    return plugin


def _logged_in(program: str, environ: Mapping[str, str], args: Sequence[str]) -> bool | None:
    """Claude's own answer, under the same settings as a child; it asks no server, so an expired key counts."""
    sources = args[args.index("--setting-sources") :][:2] if "--setting-sources" in args else _ISOLATION[:2]
    answer = ask([program, *sources, "auth", "status"], environ)
    status = parse_object(answer[1].replace("\n", " ").encode()) if answer else None
    logged_in = status.get("loggedIn") if status else None
    return logged_in if isinstance(logged_in, bool) else None


class ClaudeReader:
    """Reads the events of one run.

    One assistant event comes per content block and its usage is that of the block's start, so only the result's
    totals count. An API error is a result with `is_error`; its class stands in the synthetic assistant event before.
    """

    def __init__(self, subscription: bool = False) -> None:
        self._virtual = subscription
        self._paid = False  # said by the CLI itself: a key, or use beyond what the subscription covers
        self._error: tuple[str, str] | None = None  # class and words of the last synthetic assistant event
        self._limit: Failure | None = None  # the usage limit that a rejected rate_limit_event announced
        self._running: dict[str, Tool] = {}  # by id
        self._denied: set[str] = set()  # tool calls already reported: a second result repeats them
        self._ended = False

    def feed(self, line: bytes) -> list[Event]:
        event = parse_object(line)
        if event is None:
            return []
        match event.get("type"):
            case "system":
                return self._system(event)
            case "assistant":
                return self._assistant(event)
            case "user":
                return self._tool_results(event)
            case "rate_limit_event":
                return self._rate_limit(mapping(event, "rate_limit_info"))
            case "result":
                return self._result(event)
        return []

    def finish(self, exit_code: int | None, stderr_tail: str) -> list[Event]:
        if self._ended:
            return []
        if self._error:
            return [self._failure(*self._error, status=None, reason="")]
        return unfinished("claude", exit_code, stderr_tail)

    def _system(self, event: dict[str, object]) -> list[Event]:
        if event.get("subtype") == "init":
            self._paid = text(event, "apiKeySource") not in ("", "none")
            started = Started(text(event, "session_id") or None)
            return [started, Usage(virtual=True)] if self._is_virtual else [started]
        if event.get("subtype") == "api_retry":
            failure = self._failure(text(event, "error"), "", status=count(event, "error_status"), reason="")
            words = f"retry {count(event, 'attempt')} of {count(event, 'max_retries')}: {text(event, 'error')}"
            return [replace(failure, message=message(words), fatal=False)]
        return []

    def _assistant(self, event: dict[str, object]) -> list[Event]:
        main = event.get("parent_tool_use_id") is None  # else a subagent speaks
        content = mapping(event, "message")
        if content.get("model") == "<synthetic>" and main and text(event, "error"):
            self._error = text(event, "error"), "\n".join(text(block, "text") for block in objects(content, "content"))
            return []
        events: list[Event] = []
        for block in objects(content, "content"):
            if block.get("type") == "text" and main and text(block, "text"):
                events.append(Text(text(block, "text")))
            elif block.get("type") == "tool_use":
                tool = Tool(text(block, "id"), text(block, "name"), tool_detail(mapping(block, "input")), running=True)
                self._running[tool.id] = tool
                events.append(tool)
        return events

    def _tool_results(self, event: dict[str, object]) -> list[Event]:
        events: list[Event] = []
        for block in objects(mapping(event, "message"), "content"):
            if block.get("type") == "tool_result":
                key = text(block, "tool_use_id")
                started = self._running.pop(key, Tool(key, ""))
                events.append(replace(started, running=False, ok=not block.get("is_error")))
        return events

    def _rate_limit(self, info: dict[str, object]) -> list[Event]:
        """The event comes on every run of a subscription; only `rejected` without paid overage is a limit."""
        self._virtual = True
        self._paid = self._paid or info.get("isUsingOverage") is True
        if info.get("status") != "rejected" or info.get("isUsingOverage") is True:
            return []
        words = f"the {text(info, 'rateLimitType').replace('_', ' ') or 'usage'} limit is reached"
        self._limit = Failure(Trouble.USAGE_LIMIT, words, fatal=False, resets_at=amount(info, "resetsAt"))
        return [self._limit]

    @property
    def _is_virtual(self) -> bool:
        return self._virtual and not self._paid

    def _result(self, event: dict[str, object]) -> list[Event]:
        self._ended = True
        failed = event.get("is_error") is not False or event.get("subtype") != "success"
        errors = event.get("errors")
        words = text(event, "result") or "; ".join(str(word) for word in (errors if isinstance(errors, list) else ()))
        reason = text(event, "terminal_reason")
        events: list[Event] = [_usage(event, self._is_virtual), *self._denials(event)]
        if reason.startswith("aborted"):  # by our own interrupt: that is no word on the work
            return events
        if failed:
            error = self._error[0] if self._error else ""
            events.append(self._failure(error, words, count(event, "api_error_status"), reason))
        self._error = None
        return [*events, Result(not failed, message(words) if failed else words)]

    def _denials(self, event: dict[str, object]) -> list[Event]:
        events: list[Event] = []
        for denial in objects(event, "permission_denials"):
            key = text(denial, "tool_use_id")
            if key not in self._denied:
                self._denied.add(key)
                events.append(Denied(text(denial, "tool_name"), tool_detail(mapping(denial, "tool_input"))))
        return events

    def _failure(self, error: str, words: str, status: int | None, reason: str) -> Failure:
        trouble = _trouble(error, status, reason)
        words = message(words) or error or "claude reported an error without words"
        if trouble is Trouble.RATE and self._limit:
            return Failure(Trouble.USAGE_LIMIT, words, resets_at=self._limit.resets_at)
        return Failure(trouble, words)


def _trouble(error: str, status: int | None, reason: str) -> Trouble:
    if reason == "prompt_too_long":
        return Trouble.CONTEXT
    match error:
        case "authentication_failed":
            return Trouble.LOGIN
        case "billing_error":
            return Trouble.BILLING
        case "model_not_found":
            return Trouble.MODEL
        case "rate_limit":
            return Trouble.RATE
        case "overloaded":
            return Trouble.OVERLOAD
        case "server_error" | "unknown" if status is None:
            return Trouble.NETWORK  # refused, reset, timed out: no answer had a status
    return status_trouble(status)


def _usage(event: dict[str, object], virtual: bool) -> Usage:
    """The totals of a result, subagents included. Cached tokens are part of the input."""
    models = event.get("modelUsage")
    by_model = {name: mapping(models, name) for name in models} if isinstance(models, dict) else {}
    rows = list(by_model.values())
    cached = total(*(count(row, "cacheReadInputTokens") for row in rows))
    read = (
        count(row, key) for row in rows for key in ("inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
    )
    main = max(by_model, key=lambda name: count(by_model[name], "outputTokens") or 0, default=None)
    return Usage(
        input_tokens=total(*read),
        output_tokens=total(*(count(row, "outputTokens") for row in rows)),
        cached_tokens=cached,
        cost_usd=amount(event, "total_cost_usd"),
        model=main,
        virtual=virtual,
    )
