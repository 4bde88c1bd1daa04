"""Settings: flags, then environment, then the project's `.samoloop.yaml`, then the person's file, then defaults.

Everything has a default, so `samoloop run "..."` works in any git repository with no file at all. Unknown keys are
refused and all problems are shown at once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from samoloop.base.errors import ConfigError
from samoloop.config.keys import BUILT_IN as BUILT_IN
from samoloop.config.keys import KEYS, SECRETS, PhaseSettings, parse_each, parse_limits, positive_seconds
from samoloop.config.outlets import Outlets, parse_outlets
from samoloop.config.project import user_file
from samoloop.core.ceilings import Ceilings
from samoloop.core.limits import Limits
from samoloop.core.permissions import Permissions

if TYPE_CHECKING:
    from samoloop.config.prices import Price

FILE_NAME = ".samoloop.yaml"
LEGACY_NAME = ".samocode"
_PERSONAL = ("telegram", "prices")  # only in the person's own file
NOTHING: Mapping[str, Any] = MappingProxyType({})


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
    limits: Limits = field(default_factory=lambda: parse_limits({}))
    ceilings: Ceilings = field(default_factory=Ceilings)
    providers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)  # per provider, from the environment
    scrub: tuple[str, ...] = SECRETS  # patterns of environment names that no child gets
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


def load(root: Path, environ: Mapping[str, str], said: Mapping[str, Any] | None = None) -> Config:
    """The settings for the project at `root`, without a session; `said` are keys as the command line gave them.

    Raises ConfigError that lists every problem with its place.
    """
    return settings_of(root, environ, said=said or {})


def settings_of(
    root: Path,
    environ: Mapping[str, str],
    *,
    said: Mapping[str, Any] = NOTHING,
    remembered: Mapping[str, Any] = NOTHING,
    environment: Mapping[str, Any] = NOTHING,
) -> Config:
    """The settings for a session of the project at `root`, joined key by key. From weak to strong:

    defaults, the person's file, the project's file, `environment` (what `from_environment` told at the hand-off), the
    environment now, `remembered` (what was said at the hand-off and since), `said` by this call. None says nothing.
    Raises ConfigError that lists every problem with its place.
    """
    problems: list[str] = []
    sources: list[Path] = []
    now = merged(environment, _environment(environ, problems))
    models = _texts(now.pop("models", {}))
    settings: dict[str, Any] = {}
    for layer in (*_files(root, environ, sources, problems), now):
        settings = _on_top(settings, layer)
    settings |= {"model": models.get(str(settings.get("provider", Config.provider)), settings.get("model"))}
    settings = _on_top(_on_top(settings, remembered), said)
    config = replace(_build(root, settings, environ, problems), models=models)
    if problems:
        raise ConfigError("the configuration cannot be used:\n" + "\n".join(f"  - {problem}" for problem in problems))
    return replace(config, sources=tuple(sources))


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """All layers in one, key by key to any depth. A later one wins; what it does not say, or says as None, stays."""
    found: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            if isinstance(value, Mapping):
                before = found.get(key)
                found[key] = merged(before if isinstance(before, Mapping) else NOTHING, value)
            elif value is not None:
                found[key] = value
    return found


def from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """What the environment says of the settings, as JSON, for the hand-off to remember. It holds no secrets."""
    return _environment(environ, [])


def _on_top(below: Mapping[str, Any], layer: Mapping[str, Any]) -> dict[str, Any]:
    """`layer` over `below`. Where it names another provider, the model goes: one CLI's is unknown to another."""
    found = merged(below, layer)
    if layer.get("provider") not in (None, below.get("provider", Config.provider)) and layer.get("model") is None:
        found.pop("model", None)
    return found


def _files(
    root: Path, environ: Mapping[str, str], sources: list[Path], problems: list[str]
) -> Iterator[dict[str, Any]]:
    """What the files say, the weaker first."""
    for path, personal in ((user_file(environ), True), (root / FILE_NAME, False)):
        value = _read(path, problems)
        if value is not None:
            sources.append(path)
            problems += [] if personal else _unknown_phases(value.get("phases"), root, path)
            yield _checked(value, path, personal, problems)
    if not (root / FILE_NAME).is_file():
        yield _legacy(root / LEGACY_NAME, sources)


def _read(path: Path, problems: list[str]) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    import yaml

    try:
        value = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_loader(yaml))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:  # ValueError: no UTF-8, no such date
        problems.append(f"{path}: {' '.join(str(error).split())}")
        return None
    if value is None:
        return {}
    if not isinstance(value, dict):
        problems.append(f"{path}: it must hold keys and values, it holds {type(value).__name__}")
        return None
    return {str(key): item for key, item in value.items()}


def _loader(yaml: Any) -> Any:
    """A safe loader that refuses a key given twice, instead of forgetting the first."""

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [key.value for key, _ in node.value if isinstance(key.value, str)]
            twice = next((key for key in keys if keys.count(key) > 1), None)
            if twice is not None:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {twice!r} is there twice", node.start_mark
                )
            return super().construct_mapping(node, deep)

    return Loader


def _checked(value: dict[str, Any], path: Path, personal: bool, problems: list[str]) -> dict[str, Any]:
    """Only known keys that belong in this file."""
    good = {}
    for key, item in value.items():
        if key not in KEYS:
            problems.append(f"{path}: unknown key {key!r}; known: {', '.join(sorted(KEYS))}")
        elif key in _PERSONAL and not personal:
            problems.append(f"{path}: {key} belongs in {user_file({})}, never in a project's file")
        else:
            good[key] = item
    return good


def _unknown_phases(value: object, root: Path, path: Path) -> list[str]:
    """A person's own file may name phases of another project; a project's names its own."""
    from samoloop.config.workflow_files import phase_names

    if not isinstance(value, dict):
        return []
    known = phase_names(root)
    return [
        f"{path}: phases: there is no phase {name!r}; there are: {', '.join(known)}"
        for name in map(str, value)
        if name not in known
    ]


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
    """The settings among the variables; `models` holds the model of each provider."""
    found: dict[str, Any] = {"provider": environ.get("SAMOLOOP_PROVIDER") or None}
    for name in ("claude", "codex"):
        variables = {key: environ.get(f"{name.upper()}_{key}") or None for key in ("PATH", "MODEL", "TIMEOUT")}
        timeout = variables["TIMEOUT"]
        try:
            seconds = timeout and positive_seconds(timeout)
        except ValueError as error:
            problems.append(f"{name.upper()}_TIMEOUT: {error}")
            seconds = None
        settings = {name: {"path": variables["PATH"], "iteration": seconds}}
        found = merged(found, {"providers": settings if any(settings[name].values()) else None})
        found = merged(found, {"models": {name: variables["MODEL"]} if variables["MODEL"] else None})
    return merged(found)


def _texts(value: object) -> dict[str, str]:
    """What is text in a mapping that was remembered."""
    found = value if isinstance(value, Mapping) else NOTHING
    return {key: item for key, item in found.items() if isinstance(key, str) and isinstance(item, str)}


def _build(root: Path, merged: Mapping[str, Any], environ: Mapping[str, str], problems: list[str]) -> Config:
    values: dict[str, Any] = {}
    for key, item in merged.items():
        try:
            values |= parse_each({key: item}, KEYS)
        except ValueError as error:
            problems += str(error).splitlines()
    if "announce" in values or "telegram" in values or environ.get("TELEGRAM_BOT_TOKEN"):
        from samoloop.config import telegram_bot

        bot, more = telegram_bot.parse(values.get("telegram", {}), environ)
        problems += more
        values["outlets"], more = parse_outlets(values.pop("announce", {}), telegram=bot is not None)
        problems += more
    config = Config(root=root, **values)
    problems += _check_providers(config)
    return _with_provider_timeout(config)


def _check_providers(config: Config) -> list[str]:
    known = [*BUILT_IN, *(name for name in config.providers if name not in BUILT_IN)]
    named = {config.provider, *config.fallback}
    for settings in config.phases.values():
        named |= {settings.provider or config.provider, *(settings.fallback or ())}
    return [
        f"there is no provider {name!r}; there are: {', '.join(known)}" for name in sorted(named) if name not in known
    ]


def _with_provider_timeout(config: Config) -> Config:
    """CLAUDE_TIMEOUT and its like: the iteration limit where that provider is the session's."""
    seconds = config.providers.get(config.provider, {}).get("iteration")
    return replace(config, limits=replace(config.limits, total=float(seconds))) if seconds else config
