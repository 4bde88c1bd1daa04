"""Settings: flags, then environment, then the project's `.samoloop.yaml`, then the person's file, then defaults.

Everything has a default, so `samoloop run "..."` works in any git repository with no file at all. Unknown keys are
refused and all problems are shown at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samoloop.ceilings import Ceilings
from samoloop.durations import parse_seconds
from samoloop.errors import ConfigError
from samoloop.limits import Limits
from samoloop.outlets import Outlets, parse_outlets
from samoloop.permissions import Permissions
from samoloop.project import user_file as user_file

if TYPE_CHECKING:
    from samoloop.prices import Price

FILE_NAME = ".samoloop.yaml"
LEGACY_NAME = ".samocode"
BUILT_IN = ("claude", "codex", "gemini", "opencode", "mini", "demo")
EFFORTS = ("low", "standard", "high", "max")
_DEFAULT_LIMITS = {"iteration": 1800, "silence": 600, "first_byte": 120, "grace": 60, "terminate": 10}
_CEILING_KEYS = {"iterations", "wall", "cost"}
_PERSONAL = ("telegram", "prices")  # only in the person's own file
_SECRETS = ("TELEGRAM_*",)


@dataclass(frozen=True)
class PhaseSettings:
    """What the configuration says of one phase; None is: as the session."""

    provider: str | None = None
    model: str | None = None
    effort: str | None = None
    profile: str | None = None
    permissions: Permissions | None = None
    iteration_seconds: int | None = None
    fallback: tuple[str, ...] | None = None
    ceilings: Ceilings | None = None


@dataclass(frozen=True)
class Config:
    """All settings of one project."""

    root: Path  # the main checkout, or the folder itself with --in-place
    provider: str = "claude"
    model: str | None = None
    effort: str | None = None
    profile: str | None = None
    workflow: str = "feature"
    permissions: Permissions = Permissions.FULL
    sessions: Path = Path("_sessions")
    worktrees: Path = Path(".samoloop/worktrees")
    branch_prefix: str = "samoloop/"
    setup: str | None = None
    commit: bool = True
    fallback: tuple[str, ...] = ()
    phases: Mapping[str, PhaseSettings] = field(default_factory=dict)
    limits: Limits = field(default_factory=lambda: _limits({}))
    ceilings: Ceilings = field(default_factory=Ceilings)
    providers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)  # per provider, from the environment
    scrub: tuple[str, ...] = _SECRETS  # patterns of environment names that no child gets
    outlets: Outlets = field(default_factory=Outlets)
    telegram: Mapping[str, Any] = field(default_factory=dict)  # the person's section, as it stands
    prices: "Mapping[str, Price]" = field(default_factory=dict)  # by model, over the built-in ones
    keep_awake: bool = True
    sources: tuple[Path, ...] = ()  # the files that were read

    @property
    def sessions_dir(self) -> Path:
        return self.root / self.sessions.expanduser()

    @property
    def worktrees_dir(self) -> Path:
        return self.root / self.worktrees.expanduser()

    def phase(self, name: str) -> PhaseSettings:
        return self.phases.get(name, PhaseSettings())

    def provider_for(self, phase: str) -> str:
        return self.phase(phase).provider or self.provider

    def candidates(self, phase: str) -> tuple[str, ...]:
        """The provider of a phase and those that may stand in for it while it is limited."""
        settings = self.phase(phase)
        spare = self.fallback if settings.fallback is None else settings.fallback
        return tuple(dict.fromkeys((self.provider_for(phase), *spare)))

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
        return {key: value for key, value in self.providers[name].items() if key not in ("model", "iteration")}

    def limits_for(self, phase: str, phase_seconds: int | None) -> Limits:
        """The limits of one child: the configuration of the phase, else the phase's own, else the general ones."""
        total = self.phase(phase).iteration_seconds or phase_seconds
        return replace(self.limits, total=float(total)) if total else self.limits

    def phase_ceilings(self) -> dict[str, Ceilings]:
        return {name: settings.ceilings for name, settings in self.phases.items() if settings.ceilings}


def state_folder(environ: Mapping[str, str]) -> Path:
    """Where samoloop keeps what belongs to the person and no project: registered projects, shared limits."""
    base = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME") or "~").expanduser() / ".local" / "state")
    return Path(base) / "samoloop"


def load(root: Path, environ: Mapping[str, str], flags: Mapping[str, Any] | None = None) -> Config:
    """The settings for the project at `root`. Raises ConfigError that lists every problem with its file.

    `flags` are top-level keys as the command line gave them; None values are not given.
    """
    problems: list[str] = []
    merged: dict[str, Any] = {}
    sources: list[Path] = []
    for path, personal in ((user_file(environ), True), (root / FILE_NAME, False)):
        value = _read(path, problems)
        if value is not None:
            sources.append(path)
            merged = _merge(merged, _checked(value, path, personal, problems))
    if not (root / FILE_NAME).is_file():
        merged = _merge(merged, _legacy(root / LEGACY_NAME, sources))
    merged = _merge(merged, _environment(environ, problems))
    merged = _merge(merged, {key: value for key, value in (flags or {}).items() if value is not None})
    config = _build(root, merged, environ, problems)
    if problems:
        raise ConfigError("the configuration cannot be used:\n" + "\n".join(f"  - {problem}" for problem in problems))
    return replace(config, sources=tuple(sources))


def _read(path: Path, problems: list[str]) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    import yaml

    try:
        value = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        problems.append(f"{path}: {' '.join(str(error).split())}")
        return None
    if value is None:
        return {}
    if not isinstance(value, dict):
        problems.append(f"{path}: it must hold keys and values, it holds {type(value).__name__}")
        return None
    return {str(key): item for key, item in value.items()}


def _checked(value: dict[str, Any], path: Path, personal: bool, problems: list[str]) -> dict[str, Any]:
    """Only known keys that belong in this file."""
    good = {}
    for key, item in value.items():
        if key not in _PARSERS:
            problems.append(f"{path}: unknown key {key!r}; known: {', '.join(sorted(_PARSERS))}")
        elif key in _PERSONAL and not personal:
            problems.append(f"{path}: {key} belongs in {user_file({})}, never in a project's file")
        else:
            good[key] = item
    return good


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` on top; sections are merged key by key, to any depth."""
    merged = dict(base)
    for key, value in over.items():
        before = merged.get(key)
        merged[key] = _merge(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged


def _legacy(path: Path, sources: list[Path]) -> dict[str, Any]:
    """An old `.samocode` file: KEY=VALUE lines for the two folders."""
    if not path.is_file():
        return {}
    sources.append(path)
    found = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        key, separator, value = line.partition("=")
        name = {"SESSIONS": "sessions", "WORKTREES": "worktrees"}.get(key.strip())
        if separator and name and value.strip():
            found[name] = value.strip().strip("\"'")
    return found


def _environment(environ: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if environ.get("SAMOLOOP_PROVIDER"):
        found["provider"] = environ["SAMOLOOP_PROVIDER"]
    for name in ("claude", "codex"):
        settings: dict[str, Any] = {}
        if environ.get(f"{name.upper()}_PATH"):
            settings["path"] = environ[f"{name.upper()}_PATH"]
        if environ.get(f"{name.upper()}_TIMEOUT"):
            settings["iteration"] = environ[f"{name.upper()}_TIMEOUT"]
        if settings:
            found.setdefault("providers", {})[name] = settings
    return found


def _build(root: Path, merged: Mapping[str, Any], environ: Mapping[str, str], problems: list[str]) -> Config:
    values: dict[str, Any] = {}
    for key, item in merged.items():
        try:
            values[key] = _PARSERS[key](item) if item is not None else None
        except ValueError as error:
            problems += [f"{key}: {line}" for line in str(error).splitlines()]
    values = {key: value for key, value in values.items() if value is not None}
    if "announce" in values or "telegram" in values or environ.get("TELEGRAM_BOT_TOKEN"):
        telegram = bool(values.get("telegram")) or bool(environ.get("TELEGRAM_BOT_TOKEN"))
        values["outlets"], more = parse_outlets(values.pop("announce", {}), telegram=telegram)
        problems += more
    values["models"] = {
        n: environ[f"{n.upper()}_MODEL"] for n in ("claude", "codex") if environ.get(f"{n.upper()}_MODEL")
    }
    config = Config(root=root, **values)
    if config.models.get(config.provider):
        config = replace(config, model=config.models[config.provider] if "model" not in merged else config.model)
    problems += _check_providers(config)
    return _with_provider_timeouts(config, problems)


def _check_providers(config: Config) -> list[str]:
    known = [*BUILT_IN, *(name for name in config.providers if name not in BUILT_IN)]
    named = {config.provider, *config.fallback}
    for settings in config.phases.values():
        named |= {settings.provider or config.provider, *(settings.fallback or ())}
    return [
        f"there is no provider {name!r}; there are: {', '.join(known)}" for name in sorted(named) if name not in known
    ]


def _with_provider_timeouts(config: Config, problems: list[str]) -> Config:
    """CLAUDE_TIMEOUT and its like: the iteration limit where that provider is the session's."""
    seconds = config.providers.get(config.provider, {}).get("iteration")
    if seconds is None:
        return config
    try:
        return replace(config, limits=replace(config.limits, total=float(parse_seconds(seconds))))
    except ValueError as error:
        problems.append(f"{config.provider.upper()}_TIMEOUT: {error}")
        return config


# --- one parser a key; each raises ValueError with a sentence ---------------------------------------------------------


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"it must be text, got {value!r}")
    return value.strip()


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"it must be true or false, got {value!r}")
    return value


def _path(value: object) -> Path:
    return Path(_text(value))


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f"it must be a list, got {value!r}")
    return tuple(_text(item) for item in value)


def _one_of(*allowed: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        if value not in allowed:
            raise ValueError(f"it must be one of {', '.join(allowed)}, got {value!r}")
        return str(value)

    return parse


def _section(value: object, known: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"it must hold keys and values, got {value!r}")
    unknown = [f"unknown key {key!r}; known: {', '.join(sorted(known))}" for key in value if known and key not in known]
    if unknown:
        raise ValueError("\n".join(unknown))
    return {str(key): item for key, item in value.items()}


def _limits(value: object) -> Limits:
    section = _section(value, set(_DEFAULT_LIMITS))
    seconds: dict[str, float | None] = {}
    for key, default in _DEFAULT_LIMITS.items():
        given = section.get(key, default)
        off = given in (None, False, "off") and key not in ("iteration", "terminate")
        seconds[key] = None if off else float(parse_seconds(given))
    return Limits(
        total=seconds["iteration"] or 0.0,
        silence=seconds["silence"],
        first_byte=seconds["first_byte"],
        grace=seconds["grace"],
        terminate=seconds["terminate"] or 0.0,
    )


def _ceilings(value: object) -> Ceilings:
    section = _section(value, _CEILING_KEYS)
    default = Ceilings()
    return Ceilings(
        iterations=_whole(section.get("iterations", default.iterations)),
        wall_seconds=_optional(section.get("wall", default.wall_seconds), _seconds),
        cost_usd=_optional(section.get("cost", default.cost_usd), _amount),
    )


def _phase_ceilings(value: object) -> Ceilings:
    section = _section(value, _CEILING_KEYS)
    return Ceilings(
        iterations=_whole(section.get("iterations")),
        wall_seconds=_optional(section.get("wall"), _seconds),
        cost_usd=_optional(section.get("cost"), _amount),
    )


def _optional(value: object, parse: Callable[[object], float]) -> float | None:
    return None if value in (None, False, "off") else parse(value)


def _seconds(value: object) -> float:
    return value if isinstance(value, float) else float(parse_seconds(value))


def _whole(value: object) -> int | None:
    if value in (None, False, "off"):
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"iterations must be a whole number from 1, or off, got {value!r}")
    return value


def _amount(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ValueError(f"cost must be an amount in USD above 0, or off, got {value!r}")
    return float(value)


def _phases(value: object) -> dict[str, PhaseSettings]:
    section = _section(value, set())
    problems: list[str] = []
    found = {}
    for name, item in section.items():
        try:
            found[name] = _phase(item)
        except ValueError as error:
            problems += [f"{name}: {line}" for line in str(error).splitlines()]
    if problems:
        raise ValueError("\n".join(problems))
    return found


def _phase(value: object) -> PhaseSettings:
    section = _section(value, set(_PHASE_PARSERS))
    values = {key: _PHASE_PARSERS[key](item) for key, item in section.items()}
    if "iteration" in values:
        values["iteration_seconds"] = values.pop("iteration")
    return PhaseSettings(**values)


def _providers(value: object) -> dict[str, dict[str, Any]]:
    section = _section(value, set())
    for name, item in section.items():
        if not isinstance(item, dict):
            raise ValueError(f"{name} must hold keys and values, got {item!r}")
        if name not in BUILT_IN and "command" not in item:
            raise ValueError(f"{name} needs command: [program, argument, ...]")
    return section


def _prices(value: object) -> "dict[str, Price]":
    from samoloop import prices

    return prices.parse(_section(value, set()))


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "provider": _text,
    "model": _text,
    "effort": _one_of(*EFFORTS),
    "profile": _text,
    "workflow": _text,
    "permissions": lambda value: Permissions(_one_of(*Permissions)(value)),
    "sessions": _path,
    "worktrees": _path,
    "branch_prefix": _text,
    "setup": _text,
    "commit": _flag,
    "fallback": _names,
    "phases": _phases,
    "limits": _limits,
    "ceilings": _ceilings,
    "providers": _providers,
    "scrub": lambda value: (*_SECRETS, *_names(value)),
    "announce": lambda value: _section(value, set()),
    "telegram": lambda value: _section(value, set()),
    "prices": _prices,
    "keep_awake": _flag,
}
_PHASE_PARSERS: dict[str, Callable[[Any], Any]] = {
    "provider": _text,
    "model": _text,
    "effort": _one_of(*EFFORTS),
    "profile": _text,
    "permissions": lambda value: Permissions(_one_of(*Permissions)(value)),
    "iteration": parse_seconds,
    "fallback": _names,
    "ceilings": _phase_ceilings,
}
