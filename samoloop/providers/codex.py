"""Codex: `codex exec --json`.

Facts are from runs of version 0.169.0. The person's configuration, MCP servers, hooks, rules, plugins and skills stay
out of the child; their `AGENTS.md` cannot be kept out (`Checkup.leaks`). The project's `AGENTS.md` and skills come in.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from samoloop.base.files import small_text
from samoloop.core.events import Denied, Event, Failure, Result, Started, Text, Tool, Trouble, Usage
from samoloop.core.permissions import Access, Permissions
from samoloop.providers.base import Checkup, Launch, Request
from samoloop.providers.codex_errors import failure_of
from samoloop.providers.mcp import START_SECONDS, servers_of
from samoloop.providers.program import (
    Program,
    ProviderSettings,
    ask,
    effort_word,
    installed_at,
    not_found,
    older,
    version_of,
)
from samoloop.providers.reading import (
    count,
    mapping,
    message,
    objects,
    one_line,
    parse_object,
    text,
    tool_detail,
    unfinished,
)

OLDEST = (0, 169)  # an older one may refuse a feature's name in --disable

_SWITCHES = (
    *("exec", "--json", "--skip-git-repo-check"),
    *("--ignore-user-config", "--ignore-rules"),
    *("--disable", "hooks", "--disable", "plugins", "--disable", "apps", "--disable", "daemon_auto_start"),
    *("--disable", "unbounded_connection_retries"),  # else it waits for a lost network for ever
    *("-c", "analytics.enabled=false"),  # else five more seconds at the end of a run without network
    *("-c", "skills.bundled.enabled=false"),
)
# In Codex's own folder, to which it must be able to write, for it renews the login by a rename: what would run, or be
# obeyed, when the person uses Codex next.
_CARRIED_OUT = (
    *("config.toml", "AGENTS.md", "AGENTS.override.md", "hooks.json"),
    *("rules", "prompts", "skills", "plugins", "agents", "bin"),
)
_EFFORT = {"low": "low", "standard": "medium", "high": "high", "max": "xhigh"}


class CodexProvider:
    """Codex."""

    name = "codex"
    program = "codex"
    login_command = "codex login"
    interrupt_first = False
    starts_at_once = True
    has_result = True

    def __init__(self, settings: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        self._settings = ProviderSettings(**settings)
        self._environ = environ
        self._program = Program(self.name, self._settings.path, "CODEX_PATH", "npm install -g @openai/codex")

    def launch(self, request: Request) -> Launch:
        argv = [native(self._program.require(self._environ)), *_SWITCHES, "-C", str(request.worktree)]
        if request.permissions is Permissions.FULL:
            argv.append("--dangerously-bypass-approvals-and-sandbox")
        else:
            argv += ["--sandbox", "workspace-write", "--add-dir", str(request.session_dir)]
        if request.model:
            argv += ["--model", request.model]
        if request.effort:
            argv += ["-c", f"model_reasoning_effort={effort_word(request.effort, _EFFORT)}"]
        person = {**request.environ, **self._settings.env}
        argv += [*_login_store(person), *_without_own_skills(person)]
        servers = servers_of(request)
        for name, program in servers.programs.items():
            argv += ["-c", f"mcp_servers.{name}.command={_toml(program)}"]
            argv += ["-c", f"mcp_servers.{name}.startup_timeout_sec={START_SECONDS}"]
            argv += [
                "-c",
                f'mcp_servers.{name}.default_tools_approval_mode="approve"',
            ]  # else none in a restrained child
        own = {_home(person): Access.WRITE} | {_home(person) / name: Access.READ for name in _CARRIED_OUT}
        needs = installed_at(argv[0], person) | own | servers.needs
        return Launch([*argv, *self._settings.args, "-"], dict(self._settings.env), needs=needs)

    def reader(self, request: Request) -> "CodexReader":
        person = {**request.environ, **self._settings.env}
        return CodexReader(request.model, not self._own_endpoint() and _by_subscription(person))

    def checkup(self, environ: Mapping[str, str]) -> Checkup:
        program = self._program.find(environ)
        if program is None:
            return not_found(self._program, environ)
        version = version_of(program, environ)
        person = {**environ, **self._settings.env}
        logged_in = self._logged_in(program, person)
        advice = ""
        if older(version, OLDEST):
            advice = (
                f"Version {version} is older than what samoloop was tried with; run `npm install -g @openai/codex`."
            )
        elif logged_in is False:
            advice = f"Run `{self.login_command}`, or set CODEX_API_KEY (OPENAI_API_KEY is not read by codex exec)."
        elif "model_provider" in _config(person) and not self._own_endpoint():
            advice = (
                "The model_provider of your config.toml does not reach a child; give it in providers.codex.args: "
                '["-c", "model_provider=...", "-c", "model_providers.NAME={...}"].'
            )
        notes = [_home(person) / name for name in ("AGENTS.md", "AGENTS.override.md")]
        leaks = [f"Codex reads {note} in every run; it has no switch against that." for note in notes if note.is_file()]
        return Checkup(program, version, logged_in, leaks, advice)

    def _own_endpoint(self) -> bool:
        return any(arg.startswith("model_provider=") for arg in self._settings.args)

    def _logged_in(self, program: str, environ: Mapping[str, str]) -> bool | None:
        """Codex's own answer; another endpoint has its own key, of which codex tells nothing."""
        if self._own_endpoint():
            return None
        if environ.get("CODEX_API_KEY"):
            return True
        answer = ask([program, "login", "status"], environ)
        return answer[0] == 0 if answer else None


def native(program: str) -> str:
    """The native binary behind npm's Node shim; any other program as it is.

    Under a Node without `process.execve` the shim stays as a parent that a SIGKILL ends without its child.
    """
    shim = Path(program).resolve()
    if shim.parts[-3:] != ("codex", "bin", "codex.js"):
        return program
    package = shim.parent.parent
    beside = [*package.parent.glob("codex-*/vendor/*/bin/codex")]  # npm puts the platform's package beside or inside
    inside = [*package.glob("node_modules/@openai/codex-*/vendor/*/bin/codex")]
    found = [*beside, *inside]
    return str(found[0]) if len(found) == 1 else program


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("CODEX_HOME") or Path(environ.get("HOME", "~"), ".codex")).expanduser()


def _by_subscription(environ: Mapping[str, str]) -> bool:
    """Whether the login is one with ChatGPT, as far as environment and files tell. A keyring tells nothing."""
    if environ.get("CODEX_API_KEY"):
        return False
    login = parse_object(small_text(_home(environ) / "auth.json", follow=True).replace("\n", " ").encode()) or {}
    key, mode = text(login, "OPENAI_API_KEY"), text(login, "auth_mode")
    return mode == "chatgpt" if mode else not key and bool(login.get("tokens"))


def _config(environ: Mapping[str, str]) -> dict[str, object]:
    """The person's config.toml; empty where it cannot be read, which codex reports by itself."""
    import tomllib

    try:
        return tomllib.loads(small_text(_home(environ) / "config.toml", follow=True))
    except ValueError:
        return {}


def _toml(words: str) -> str:
    """A TOML string: JSON's escapes, but its surrogate pairs TOML does not know."""
    return json.dumps(words, ensure_ascii=False)


def _login_store(environ: Mapping[str, str]) -> list[str]:
    """Where the person's login is kept is in the configuration that the child does not read."""
    store = _config(environ).get("cli_auth_credentials_store")
    return ["-c", f"cli_auth_credentials_store={_toml(store)}"] if isinstance(store, str) else []


def _without_own_skills(environ: Mapping[str, str]) -> list[str]:
    """The person's skills, switched off one by one: no switch takes them all and leaves the project's."""
    folders = [_home(environ) / "skills", Path(environ.get("HOME", "~"), ".agents", "skills").expanduser()]
    found = sorted(skill for folder in folders if folder.is_dir() for skill in folder.glob("*/SKILL.md"))
    rules = ",".join(f"{{path={_toml(str(skill))},enabled=false}}" for skill in found)
    return ["-c", f"skills.config=[{rules}]"] if rules else []


class CodexReader:
    """Reads the events of one run. An `error` event is a notice, or the twin of the `turn.failed` that follows it."""

    # Codex tells of a refused write or escalation nowhere but in its own log on stderr.
    _REFUSAL = re.compile(r"^\S+ ERROR codex_core::tools::router: error=((patch rejected|approval policy is)\b.*)$")

    def __init__(self, model: str | None, subscription: bool = False) -> None:
        self._model = model
        self._virtual = subscription
        self._words = ""  # the last message of the model, which is the answer
        self._error: Failure | None = None
        self._ended = False

    def feed(self, line: bytes) -> list[Event]:
        event = parse_object(line)
        if event is None:
            return []
        match event.get("type"):
            case "thread.started":
                started = Started(text(event, "thread_id") or None)
                return [started, Usage(virtual=True)] if self._virtual else [started]
            case "item.started" | "item.updated" | "item.completed":
                return self._item(mapping(event, "item"), running=event["type"] != "item.completed")
            case "error":
                return self._notice(failure_of(text(event, "message"), time.time()))
            case "turn.completed":
                self._ended = True
                return [_usage(mapping(event, "usage"), self._model, self._virtual), Result(True, self._words)]
            case "turn.failed":
                self._ended = True
                words = text(mapping(event, "error"), "message")
                return [failure_of(words, time.time()), Result(False, message(words))]
        return []

    def finish(self, exit_code: int | None, stderr_tail: str) -> list[Event]:
        return [*self._refusals(stderr_tail), *self._unfinished(exit_code, stderr_tail)]

    def _refusals(self, stderr_tail: str) -> Iterator[Event]:
        for line in stderr_tail.splitlines():
            if refusal := self._REFUSAL.match(line):
                yield Denied("apply_patch" if refusal[2].startswith("patch") else "exec_command", one_line(refusal[1]))

    def _unfinished(self, exit_code: int | None, stderr_tail: str) -> list[Event]:
        if self._ended:
            return []
        return [self._error] if self._error else unfinished("codex", exit_code, stderr_tail)

    def _notice(self, failure: Failure) -> list[Event]:
        if not failure.fatal:
            return [failure]
        self._error = failure  # told when the turn fails, or when it never does
        return []

    def _item(self, item: dict[str, object], running: bool) -> list[Event]:
        kind = text(item, "type")
        match kind:
            case "agent_message":
                if running or not text(item, "text"):
                    return []
                self._words = text(item, "text")
                return [Text(self._words)]
            case "error":
                return [Failure(Trouble.OTHER, message(text(item, "message")), fatal=False)]
            case "" | "reasoning" | "todo_list":
                return []
        name, detail = _tool(kind, item)
        status = text(item, "status")
        tool = Tool(text(item, "id"), name, detail, running, ok=running or status not in ("failed", "declined"))
        return [tool, Denied(name, detail)] if status == "declined" else [tool]


def _tool(kind: str, item: dict[str, object]) -> tuple[str, str]:
    """Name and detail of an item that is work: a command, a change of files, a call."""
    if kind == "file_change":
        return kind, one_line(", ".join(text(change, "path") for change in objects(item, "changes")))
    if kind == "mcp_tool_call":
        return f"{text(item, 'server')}.{text(item, 'tool')}", tool_detail(mapping(item, "arguments"))
    return text(item, "tool") or kind, tool_detail(item)


def _usage(usage: dict[str, object], model: str | None, virtual: bool) -> Usage:
    """The thread's totals, which are this child's: a child never continues a thread. Codex knows no cost."""
    return Usage(
        input_tokens=count(usage, "input_tokens"),
        output_tokens=count(usage, "output_tokens"),
        cached_tokens=count(usage, "cached_input_tokens"),
        model=model,
        virtual=virtual,
    )
