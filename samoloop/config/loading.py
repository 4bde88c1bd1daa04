"""Settings: flags, then environment, then the project's `.samoloop.yaml`, then the person's file, then defaults.

Everything has a default, so `samoloop run "..."` works in any git repository with no file at all. Unknown keys are
refused and all problems are shown at once. The keys themselves are in `keys`.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from samoloop.base.errors import ConfigError, listed
from samoloop.base.nearest import named
from samoloop.config import mcp, samocode, yaml_text
from samoloop.config.keys import BUILT_IN as BUILT_IN
from samoloop.config.keys import CONFIG, KNOWN, SECRET_VARIABLES, VARIABLES
from samoloop.config.keys import Config as Config
from samoloop.config.project import FILE_NAME as FILE_NAME
from samoloop.config.project import user_file
from samoloop.config.schema import At, Fault, field_names, read_keys

NOTHING: Mapping[str, Any] = MappingProxyType({})
_SYSTEM = {"bin", "boot", "dev", "etc", "lib", "lib64", "proc", "sbin", "sys", "usr"}  # folders below /
_FIELDS = field_names(Config)
_VARIABLES = {at: variable for row, _ in VARIABLES for variable, at in row.items()}
_SECRET_VARIABLES = {at: variable for variable, at in SECRET_VARIABLES.items()}
_OPTIONS: dict[At, str] = {
    **{
        (name,): f"--{name}" for name in ("provider", "model", "effort", "profile", "permissions", "workflow", "finish")
    },
    ("ceilings", "iterations"): "--max-iterations",
    ("ceilings", "wall"): "--max-time",
    ("ceilings", "cost"): "--max-cost",
    ("sandbox", "mode"): "--sandbox",
}


class _Layer(NamedTuple):
    """What one place says of the settings."""

    values: Mapping[str, Any]
    name: str = ""
    text: str = ""  # YAML, of a file
    path: Path | None = None
    variables: Mapping[At, str] = MappingProxyType({})  # or options, by the place that they set; before the name

    def depth(self, at: At) -> int:
        """How many names of a place, from the outside in, are in this layer."""
        value: Any = self.values
        for depth, name in enumerate(at):
            value = value.get(name) if isinstance(value, Mapping) else None
            if value is None:
                return depth
        return len(at)

    def told(self, fault: Fault) -> str:
        """The fault with its place."""
        if fault.at in self.variables:
            return f"{self.variables[fault.at]}: {fault.sentence}"
        if self.variables and not self.name:
            return f"the environment: {fault.sentence}"
        return f"{yaml_text.place(self.name, self.text, fault.at)}: {fault}"


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
    models = merged(environment.get("models") or NOTHING, from_environment(environ).get("models", NOTHING))
    layers = [
        *_files(root, environ, problems),
        _Layer(
            _without_models(environment), variables={at: f"{name} at the hand-off" for at, name in _VARIABLES.items()}
        ),
        _Layer(_without_models(from_environment(environ)), variables=_VARIABLES),
        _Layer(_said_by(_SECRET_VARIABLES, environ), variables=_SECRET_VARIABLES),
    ]
    provider = str(_joined(layers).get("provider", Config.provider))
    named_model: dict[At, str] = {("model",): f"{provider.upper()}_MODEL"}
    layers += [
        _Layer({"model": models.get(provider)}, variables=named_model),
        _Layer(remembered, "what the session remembers"),
        _Layer(said, "this command", variables=_OPTIONS),
    ]
    values = _joined(layers)
    faults: list[Fault] = []
    found = {_FIELDS[name]: value for name, value in read_keys(CONFIG, values, faults).items()}
    config = Config(root, models=models, sources=tuple(layer.path for layer in layers if layer.path), **found)
    faults += [*_check_providers(config, values), *_check_folders(config)]
    faults += mcp.unknown(values, config.mcp_servers)
    config = _with_telegram(config, environ, faults)
    problems += [_place(layers, fault) for fault in faults]
    if problems:
        raise ConfigError(listed("the configuration cannot be used:", problems))
    return _with_provider_timeout(config)


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
    return _said_by(_VARIABLES, environ)


def _said_by(variables: Mapping[At, str], environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for at, variable in variables.items():
        layer: Any = environ.get(variable) or None
        for name in reversed(at) if layer else ():
            layer = {name: layer}
        found = merged(found, layer or NOTHING)
    return found


def _without_models(environment: Mapping[str, Any]) -> Mapping[str, Any]:
    """The models of the environment are by provider, which no file can say: see `Config.models`."""
    return {name: value for name, value in environment.items() if name != "models"}


def _joined(layers: Sequence[_Layer]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for layer in layers:
        found = _on_top(found, layer.values)
    return found


def _on_top(below: Mapping[str, Any], layer: Mapping[str, Any]) -> dict[str, Any]:
    """`layer` over `below`. Where it names another provider, the model goes: one CLI's is unknown to another."""
    found = merged(below, layer)
    if layer.get("provider") not in (None, below.get("provider", Config.provider)) and layer.get("model") is None:
        found.pop("model", None)
    return found


def _place(layers: Sequence[_Layer], fault: Fault) -> str:
    """The fault, with the place of the strongest layer that says what is wrong."""
    strongest: _Layer = max(reversed(layers), key=lambda layer: layer.depth(fault.at))
    return strongest.told(fault)


# --- the layers of files ----------------------------------------------------------------------------------------------


def _files(root: Path, environ: Mapping[str, str], problems: list[str]) -> Iterator[_Layer]:
    """What the files say, the weaker first."""
    person = _read(user_file(environ), problems)
    if person is not None:
        yield person
    project = _read(root / FILE_NAME, problems)
    if project is not None:
        yield _of_project(project, root, person.values if person else NOTHING, problems)
    if not (root / FILE_NAME).is_file() and (old := samocode.find(root)):
        problems += samocode.problems(old, root)
        yield _Layer(samocode.folders(old, root), str(old), path=old)


def _read(path: Path, problems: list[str]) -> _Layer | None:
    if not path.is_file():
        return None
    try:
        text = yaml_text.read_file(path)
        return _Layer(_spelled_out(yaml_text.read_mapping(text)), str(path), text, path)
    except (OSError, ValueError) as error:
        problems.append(f"{path}: {error}")
        return None


def _spelled_out(values: Mapping[str, Any]) -> dict[str, Any]:
    """`sandbox: off` and `announce: desktop` as the sections that they are short for, here and in each phase."""
    found = dict(values)
    if found.get("sandbox") is not None and not isinstance(found["sandbox"], Mapping):
        found["sandbox"] = {"mode": found["sandbox"]}
    if found.get("announce") == "desktop":
        found["announce"] = {"desktop": True}
    if isinstance(phases := found.get("phases"), Mapping):
        found["phases"] = {
            name: _spelled_out(item) if isinstance(item, Mapping) else item for name, item in phases.items()
        }
    return found


def _only_narrowed(values: Mapping[str, Any], faults: list[Fault], at: At = ()) -> dict[str, Any]:
    """A project's words on the sandbox without what says nothing; what would widen it is a fault."""
    found = dict(values)
    if isinstance(said := found.get("sandbox"), Mapping):
        mode, network = said.get("mode"), said.get("network")
        widens = ["mode"] if mode in (False, "off") else []
        widens += [name for name in ("read", "write") if said.get(name)]
        faults += [
            Fault((*at, "sandbox", name), f"a project can only narrow the sandbox: this belongs in {user_file({})}")
            for name in widens
        ]
        idle = {"mode"} if mode in (False, "off", "auto") else set()
        idle |= {"network"} if network in (True, "on") else set()
        found["sandbox"] = {name: item for name, item in said.items() if name not in {*idle, *widens}}
    if isinstance(phases := found.get("phases"), Mapping):
        found["phases"] = {
            name: _only_narrowed(item, faults, ("phases", str(name))) if isinstance(item, Mapping) else item
            for name, item in phases.items()
        }
    return found


def _of_project(layer: _Layer, root: Path, person: Mapping[str, Any], problems: list[str]) -> _Layer:
    """Without what a clone must not say; a person's own file may also name phases of another project."""
    from samoloop.config.workflow_files import phase_names

    faults = []
    personal = {key.name for key in CONFIG.keys if key.personal} & layer.values.keys()
    faults += [Fault((name,), f"it belongs in {user_file({})}, never in a project's file") for name in sorted(personal)]
    phases = layer.values.get("phases")
    if isinstance(phases, Mapping):
        known = phase_names(root)
        faults += [
            Fault(("phases", name), f"there is no phase {named(name, known)}; there are: {', '.join(known)}")
            for name in map(str, phases)
            if name not in known
        ]
    values = _only_narrowed(layer.values, faults)
    faults += mcp.let_in_by_project(layer.values, person, root)
    faults += _unknown_phases_of_checks(layer.values.get("checks"), root)
    problems += [layer.told(fault) for fault in faults]
    return layer._replace(values={name: value for name, value in values.items() if name not in personal})


def _unknown_phases_of_checks(checks: object, root: Path) -> Iterator[Fault]:
    """A check of a phase that is not there would never run, and nobody would know."""
    from samoloop.config.workflow_files import phase_names

    for name, check in checks.items() if isinstance(checks, Mapping) else ():
        phases = check.get("phases") if isinstance(check, Mapping) else None
        known = phase_names(root) if phases else []
        for phase in phases if isinstance(phases, list) else ():
            if phase not in known:
                at = ("checks", str(name), "phases")
                yield Fault(at, f"there is no phase {named(str(phase), known)}; there are: {', '.join(known)}")


# --- what one key alone cannot tell -----------------------------------------------------------------------------------


def _check_providers(config: Config, values: Mapping[str, Any]) -> Iterator[Fault]:
    own = values.get("providers")
    known = list(dict.fromkeys([*KNOWN, *(map(str, own) if isinstance(own, Mapping) else ())]))
    used: dict[At, tuple[str, ...]] = {("provider",): (config.provider,), ("fallback",): config.fallback}
    for name, phase in config.phases.items():
        used[("phases", name, "provider")] = (phase.provider,) if phase.provider else ()
        used[("phases", name, "fallback")] = phase.fallback or ()
    for at, names in used.items():
        for name in names:
            if name not in known:
                yield Fault(at, f"there is no provider {named(name, known)}; there are: {', '.join(known)}")


def _check_folders(config: Config) -> list[Fault]:
    """Sessions and worktrees are made, excluded from git and removed: each needs a folder that is nothing else."""
    root = Path(os.path.normpath(config.root))
    sessions, worktrees = (Path(os.path.normpath(path)) for path in (config.sessions_dir, config.worktrees_dir))
    faults = [
        Fault((name,), f"it must be a folder of its own, and {folder} {what}")
        for name, folder in (("sessions", sessions), ("worktrees", worktrees))
        if (what := _taken(folder, root))
    ]
    if not faults and (sessions.is_relative_to(worktrees) or worktrees.is_relative_to(sessions)):
        faults.append(Fault(("worktrees",), f"it must be apart from sessions, got {worktrees} and {sessions}"))
    return faults


def _taken(folder: Path, root: Path) -> str:
    """Who has the folder already; empty where it is free."""
    if root.is_relative_to(folder):
        return "is the project or holds it"
    if ".git" in folder.parts:
        return "is git's"
    return "is the system's" if not folder.is_relative_to(root) and folder.parts[1] in _SYSTEM else ""


def _with_telegram(config: Config, environ: Mapping[str, str], faults: list[Fault]) -> Config:
    if not config.telegram and not environ.get("TELEGRAM_BOT_TOKEN"):
        return config
    from samoloop.config import telegram_bot

    bot = telegram_bot.read(config.telegram, environ, faults)
    return replace(config, outlets=replace(config.outlets, telegram=bot is not None))


def _with_provider_timeout(config: Config) -> Config:
    """CLAUDE_TIMEOUT and its like: the iteration limit where that provider is the session's."""
    seconds = config.providers.get(config.provider, {}).get("iteration")
    return replace(config, limits=replace(config.limits, total=float(seconds))) if seconds else config
