"""Every key of the configuration, declared once: a field with its kind, its default and a clause of meaning.

Reading and checking (`loading`), the file that `init` writes (`starter`) and docs/configuration.md all go by this. A
new key is a field of `Config`, one of a phase a field of `PhaseSettings`.
"""

from collections.abc import Mapping
from dataclasses import MISSING, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from samoloop.base.durations import parse_seconds
from samoloop.base.values import frozen
from samoloop.config import presets
from samoloop.config.mcp import MCP_SERVER, McpServer
from samoloop.config.outlets import OUTLETS, Outlets
from samoloop.config.prices import PRICE, Price
from samoloop.config.schema import (
    At,
    Key,
    Named,
    Table,
    amount,
    command,
    count,
    defaults,
    flag,
    key,
    mapping,
    on_or_off,
    one_of,
    or_off,
    path,
    paths,
    positive_seconds,
    table_of,
    text,
    texts,
    texts_by_name,
)
from samoloop.core.ceilings import Ceilings
from samoloop.core.limits import Limits
from samoloop.core.permissions import Permissions, Sandboxing, SandboxMode
from samoloop.core.workflow import reviewer_of

EFFORTS = ("low", "standard", "high", "max")
SECRETS = ("TELEGRAM_*", "SAMOLOOP_FLEET_*")

# --- a child ----------------------------------------------------------------------------------------------------------

_LIMITS = (
    Key("iteration", positive_seconds, "all of one child", "30m"),
    Key("silence", or_off(positive_seconds), "no output, no tool, no processor time", "10m"),
    Key("first_byte", or_off(positive_seconds), "nothing at all yet", "2m"),
    Key("grace", or_off(parse_seconds), "after its signal and its last word, while it lingers", "60s"),
    Key("terminate", parse_seconds, "from asking it to end until it is killed", "10s"),
)
_CEILINGS = (
    Key("iterations", or_off(count), "children started", 150),
    Key("wall", or_off(positive_seconds), "time that children worked; waiting does not count", "24h"),
    Key("cost", or_off(amount), "USD, as far as the CLIs tell or the price is known", 50),
    Key(
        "virtual",
        one_of(("warn", "stop")),
        "what to do where cost that a subscription covers comes to `cost`; stop counts it like money",
        "warn",
    ),
)


def _limits(found: dict[str, Any]) -> Limits:
    seconds: dict[str, Any] = {
        "total" if name == "iteration" else name: None if value is None else float(value)
        for name, value in (defaults(_LIMITS) | found).items()
    }
    return Limits(**seconds)


def _phase_ceilings(found: dict[str, Any]) -> Ceilings:
    wall = found.get("wall")
    stops = found.get("virtual") == "stop"
    return Ceilings(found.get("iterations"), None if wall is None else float(wall), found.get("cost"), stops)


def _session_ceilings(found: dict[str, Any]) -> Ceilings:
    return _phase_ceilings(defaults(_CEILINGS) | found)


def sandbox_mode(value: object) -> SandboxMode:
    """`off`, which YAML reads as false, is a word here."""
    mode: SandboxMode = one_of(SandboxMode)("off" if value is False else value)
    return mode


_SANDBOX = (
    Key("mode", sandbox_mode, "auto: where it can be had; required: no child without it; off: none", "auto"),
    Key("read", paths, "more folders and files that a child may read, such as `[~/.aws/config]`", ()),
    Key("write", paths, "more that it may change", ()),
    Key("network", on_or_off, "off: none for `setup` and checks; a CLI must reach its model", True),
)
LIMITS = Table(_LIMITS, _limits)
SANDBOX = Table(_SANDBOX, lambda found: Sandboxing(**found))
CEILINGS = Table(_CEILINGS, _session_ceilings)


@frozen
class PhaseSettings:
    """What the configuration says of one phase; None is: as the session."""

    provider: str | None = key(text, None, "the CLI for this phase")
    model: str | None = key(text, None, "its model, given to this provider only")
    effort: str | None = key(one_of(EFFORTS), None, "low, standard, high or max")
    profile: str | None = key(text, None, "a posture for this phase")
    permissions: Permissions | None = key(one_of(Permissions), None, "full or edits")
    sandbox: Sandboxing = key(SANDBOX, Sandboxing(), "auto, required or off, or the keys of `sandbox`; paths are added")
    iteration_seconds: int | None = key(
        positive_seconds,
        None,
        "time for one child, instead of `limits.iteration` and of the phase's own",
        name="iteration",
    )
    fallback: tuple[str, ...] | None = key(texts, None, "who steps in; an empty list is nobody")
    mcp: tuple[str, ...] | None = key(texts, None, "the MCP servers of this phase; an empty list is none")
    ceilings: Ceilings | None = key(
        Table(_CEILINGS, _phase_ceilings), None, "iterations, wall, cost and virtual of this phase; no defaults"
    )


PHASE = table_of(PhaseSettings)

# --- providers --------------------------------------------------------------------------------------------------------

_ENV = Key("env", texts_by_name, "put over the child's environment; numbers in quotes")
_ITERATION = Key("iteration", positive_seconds, "time for one child, where this is the session's provider")
GENERAL = ("model", "iteration")  # keys of every provider that the worker reads, not the provider


def _own_cli(found: dict[str, Any]) -> dict[str, Any]:
    if found.get("prompt") == "file" and not any("{prompt_file}" in word for word in found["command"]):
        raise ValueError("prompt: file needs {prompt_file} in the command")
    return found


PROGRAM = Table(
    (
        Key("path", text, "the program; before `CLAUDE_PATH`, `CODEX_PATH` and PATH"),
        Key("args", texts, "arguments added after ours, so they win"),
        _ENV,
        Key("model", text, "the model, where neither a flag nor another key names one"),
        _ITERATION,
    )
)
OWN_CLI = Table(
    (
        Key(
            "command",
            command,
            "program and arguments, with `{model}`, `{worktree}`, `{session_dir}`, `{permissions}`, `{prompt_file}`, "
            "`{mcp_config}`",
            example="[program, argument, ...]",
            needed=True,
        ),
        Key("prompt", one_of(("stdin", "arg", "file")), "stdin (the default), arg or file"),
        Key("output", one_of(("text", "jsonl")), "text (the default) or jsonl"),
        _ENV,
        Key("model", text, "what `{model}` stands for"),
        _ITERATION,
    ),
    _own_cli,
)
SCRIPT = Table(
    (
        Key("scenario", text, "the name of an example (`samoloop example list`), or a Python file"),
        _ITERATION,
    )
)
# The built-in providers, in the order in which `init` looks for them, and what each may be told.
PROVIDERS: Mapping[str, Table] = {
    "claude": PROGRAM,
    "codex": PROGRAM,
    "gemini": PROGRAM,
    "opencode": PROGRAM,
    "mini": PROGRAM,
    "demo": SCRIPT,
}
BUILT_IN = tuple(PROVIDERS)
# One that is known as data may also be told what one's own is told, and is then that one.
PRESET = Table((*PROGRAM.keys, *(key._replace(needed=False) for key in OWN_CLI.keys if key.name not in PROGRAM.names)))
KNOWN = (*BUILT_IN, *presets.names())


def _settings_of(provider: str) -> Table:
    return PROVIDERS.get(provider) or (PRESET if provider in KNOWN else OWN_CLI)


# --- all --------------------------------------------------------------------------------------------------------------


def _some_files(value: object) -> tuple[str, ...]:
    return (text(value),) if isinstance(value, str) else texts(value)


@frozen
class CheckSettings:
    """A command that tells whether the project's tests pass."""

    command: str = key(text, MISSING, "what runs in the worktree, by `sh -c`", example="pytest -q", needed=True)
    phases: tuple[str, ...] = key(texts, (), "on leaving which it runs; those of the workflow and the end, if not set")
    seconds: int = key(
        positive_seconds,
        1800,
        "from its start until it is ended, and then proves nothing; 30m if not set",
        name="limit",
    )
    junit: tuple[str, ...] = key(_some_files, (), "the JUnit file that it writes, or a pattern of several")


CHECK = table_of(CheckSettings)


REVIEW = Table((Key("by", texts, "names of CLIs, such as [codex, gemini]"),), lambda found: found.get("by", ()))


def _database(value: object) -> str:
    """An address, which is never shown: a password stands in it."""
    if not isinstance(value, str) or "\0" in value or not value.startswith(("postgresql://", "postgres://")):
        raise ValueError("it must be an address such as postgresql://USER:PASSWORD@HOST/NAME")
    return value


@frozen
class FleetSettings:
    """This machine's part in a fleet."""

    database: str | None = key(
        _database,
        None,
        "the address of its Postgres, such as `postgresql://USER:PASSWORD@HOST/NAME`; `SAMOLOOP_FLEET_DATABASE` wins",
    )
    machine: str | None = key(text, None, "what this machine is called; its host's name if not set")
    remote: str | None = key(text, None, "the git remote that all machines reach; that of your branch if not set")
    lease_seconds: int = key(
        positive_seconds,
        30,
        "a machine that is not heard of for so long is taken for dead; 30s if not set",
        name="lease",
    )
    login: str = key(text, "default", "whose usage limits: machines with the same one share them; default if not set")


FLEET = table_of(FleetSettings)


class Finish(StrEnum):
    """What becomes of the branch of a session that is done."""

    NONE = "none"
    PUSH = "push"
    PR = "pr"


@frozen
class Config:
    """All settings of one project."""

    root: Path  # the main checkout, or the folder itself with --in-place
    provider: str = key(text, "claude", f"the child CLI: {', '.join(KNOWN)}, or a name under providers:")
    model: str | None = key(text, None, "the CLI's own default if not set", example="opus")
    effort: str | None = key(
        one_of(EFFORTS), None, "low, standard, high, max; the CLI's own default if not set", example="standard"
    )
    profile: str | None = key(
        text, None, "a posture added to every prompt, from .samoloop/profiles/ or shipped", example="developer"
    )
    workflow: str = key(text, "feature", "the shape of the work; see `samoloop workflows list`")
    permissions: Permissions = key(one_of(Permissions), Permissions.FULL, "or edits: the CLI's own restrained mode")
    sandbox: Sandboxing = key(
        SANDBOX,
        Sandboxing(),
        "What a child has of the machine; `sandbox: required` and `sandbox: off` for short. A project's file can only "
        "narrow it: `required`, or `network: off`.",
    )
    fallback: tuple[str, ...] = key(
        texts, (), "providers that stand in while this one cannot work, such as [codex, gemini]"
    )
    mcp: tuple[str, ...] = key(
        texts,
        (),
        "the MCP servers that children have, by name; `project` is those of the repository's `.mcp.json`",
        example="[project]",
    )
    sessions: Path = key(
        path,
        Path("_sessions"),
        "one folder a session: its journal, documents, logs",
        heading="Where things are, relative to this folder.",
    )
    worktrees: Path = key(
        path,
        Path(".samoloop/worktrees"),
        "one a session; hidden, so that searches in the main tree pass it by",
    )
    base: str = key(
        text,
        "HEAD",
        "the commit that a session starts from; fetch: the default branch of your remote, freshly fetched",
    )
    branch_prefix: str = key(text, "samoloop/", "each session works on a branch of its own")
    setup: str | None = key(text, None, "runs once in a fresh worktree", example="npm ci")
    reviewers: tuple[str, ...] = key(
        REVIEW,
        (),
        "Other CLIs that review the change by themselves, each in a child of its own, before the session's own review. "
        "Your code goes to their vendors, and each costs money.",
        example="by: [codex, gemini]",
        name="review",
    )
    checks: Mapping[str, CheckSettings] | None = key(
        Named(lambda name: CHECK, (("For a check, by a name of your own:", CHECK),), may_be_off=True),
        dict,
        "What samoloop runs by itself before it believes that a phase is done; found from the project's files where "
        "nothing is set, off for none. See [evidence](evidence.md#checks).",
        example="tests: {command: pytest -q, limit: 10m}\nlint: {command: ruff check ., phases: [quality, done]}",
    )
    commit: bool = key(flag, True, "false: no commits and no checkpoints, so no rewind")
    phases: Mapping[str, PhaseSettings] = key(
        Named(lambda name: PHASE, (("For a phase, by its name:", PHASE),)),
        dict,
        f"One phase otherwise than the rest; the keys are {', '.join(PHASE.names[:-1])} and {PHASE.names[-1]}.",
        example="planning: {provider: claude, model: opus, effort: high, iteration: 45m}\n"
        "implementation: {provider: codex, ceilings: {cost: 20}}",
    )
    limits: Limits = key(
        LIMITS, _limits({}), "When a child is ended; off turns a limit off, but for iteration and terminate."
    )
    ceilings: Ceilings = key(
        CEILINGS,
        Ceilings(),
        "What a session may spend until a person is asked; said at 80 %. `samoloop resume` grants as much again; "
        "off is no ceiling.",
    )
    providers: Mapping[str, Mapping[str, Any]] = key(
        Named(
            _settings_of,
            (
                ("For a CLI that samoloop knows:", PROGRAM),
                ("For a CLI of your own, by a name of your own; `command` is needed:", OWN_CLI),
                ("For `demo`:", SCRIPT),
            ),
        ),
        dict,
        "How a CLI is started. A name of your own needs a command.",
        example='claude: {path: ~/bin/claude, args: [--append-system-prompt, Be brief.], env: {NO_COLOR: "1"}}\n'
        "mine: {command: [mycli, --auto], prompt: stdin, output: text}",
    )
    scrub: tuple[str, ...] = key(
        lambda value: tuple(dict.fromkeys((*SECRETS, *texts(value)))),
        SECRETS,
        'more environment names that no child gets, such as ["AWS_*"]; TELEGRAM_* and SAMOLOOP_* never reach one',
    )
    outlets: Outlets = key(OUTLETS, Outlets(), "Who else hears of gates and ends, beside Telegram.", name="announce")
    keep_awake: bool = key(flag, True, "the machine does not go to sleep while a child works")
    finish: Finish = key(
        one_of(Finish),
        Finish.NONE,
        "what becomes of the branch of a session that is done: none, push, or pr, which opens a pull request too; see "
        "[what comes out](finish.md)",
        personal=True,
    )
    telegram: Mapping[str, Any] = key(  # as it stands: see `telegram_bot`
        mapping, dict, "See [gates](gates.md#from-a-phone).", personal=True
    )
    mcp_servers: Mapping[str, McpServer] = key(
        Named(lambda name: MCP_SERVER, (("For an MCP server, by a name of your own:", MCP_SERVER),)),
        dict,
        "What `mcp` names. A project's file names one only where it says so: "
        "see [MCP servers](providers.md#mcp-servers).",
        personal=True,
    )
    fleet: FleetSettings = key(
        FLEET, FleetSettings(), "Machines that share their sessions, by a database and a git remote.", personal=True
    )
    slots: Mapping[str, int] = key(
        Named(lambda name: count),
        dict,
        "how many sessions of a CLI `samoloop up` has at work at once; its `--jobs` holds too",
        example="{claude: 2}",
        personal=True,
    )
    prices: Mapping[str, Price] = key(  # by model, over the built-in ones
        Named(lambda name: PRICE, (("For a model, by its name:", PRICE),)), dict, personal=True
    )
    models: Mapping[str, str] = field(default_factory=dict)  # by provider, from the environment
    sources: tuple[Path, ...] = ()  # the files that were read

    @property
    def sessions_dir(self) -> Path:
        return self.root / self.sessions.expanduser()

    @property
    def worktrees_dir(self) -> Path:
        return self.root / self.worktrees.expanduser()

    def phase(self, name: str) -> PhaseSettings:
        return self.phases.get(name, PhaseSettings())

    def sandboxing(self, phase: str) -> Sandboxing:
        return self.phase(phase).sandbox.over(self.sandbox)

    def provider_for(self, phase: str) -> str:
        return self.phase(phase).provider or reviewer_of(phase) or self.provider

    def candidates(self, phase: str) -> tuple[str, ...]:
        """The provider of a phase and those that may stand in for it while it is limited."""
        settings = self.phase(phase)
        if reviewer_of(phase):  # asked for by name: nobody else gets the code instead
            return (self.provider_for(phase),)
        spare = self.fallback if settings.fallback is None else settings.fallback
        return tuple(dict.fromkeys((self.provider_for(phase), *spare)))

    def mcp_for(self, phase: str) -> tuple[str, ...]:
        own = self.phase(phase).mcp
        return self.mcp if own is None else own

    def model_for(self, phase: str, provider: str) -> str | None:
        """The model of a phase; a model that was named for one provider is never given to another."""
        settings = self.phase(phase)
        if settings.model and provider == self.provider_for(phase):
            return settings.model
        if self.model and provider == self.provider:
            return self.model
        return self.models.get(provider) or self.providers.get(provider, {}).get("model")

    def provider_settings(self, name: str) -> dict[str, Any] | None:
        """What the provider itself is to know; None where the configuration does not mention it."""
        if name not in self.providers:
            return None
        return {key: value for key, value in self.providers[name].items() if key not in GENERAL}

    def limits_for(self, phase: str, phase_seconds: int | None) -> Limits:
        """The limits of one child: the configuration of the phase, else the phase's own, else the general ones."""
        total = self.phase(phase).iteration_seconds or phase_seconds
        return replace(self.limits, total=float(total)) if total else self.limits

    def phase_ceilings(self) -> dict[str, Ceilings]:
        return {name: settings.ceilings for name, settings in self.phases.items() if settings.ceilings}


CONFIG = table_of(Config)


def _of_each(word: str, *at: str) -> dict[str, At]:
    return {f"{name.upper()}_{word}": tuple(part or name for part in at) for name in ("claude", "codex")}


# A variable that says a secret. The hand-off does not remember it, as it does those below.
SECRET_VARIABLES: Mapping[str, At] = {"SAMOLOOP_FLEET_DATABASE": ("fleet", "database")}
# The variables that say a setting, with its place, and what they mean. Those of Telegram are in `telegram_bot`.
VARIABLES: tuple[tuple[Mapping[str, At], str], ...] = (
    ({"SAMOLOOP_PROVIDER": ("provider",)}, "as `provider`"),
    ({"SAMOLOOP_SANDBOX": ("sandbox", "mode")}, "as `sandbox`: auto, required or off"),
    (_of_each("PATH", "providers", "", "path"), "where the program is"),
    (_of_each("MODEL", "models", ""), "the model for that provider"),
    (_of_each("TIMEOUT", "providers", "", "iteration"), "time for one child, where that is the session's provider"),
)
