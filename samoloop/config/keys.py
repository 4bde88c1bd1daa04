"""What each key of the configuration may hold: one parser a key. Each raises ValueError, a line for every problem."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samoloop.base.durations import parse_seconds
from samoloop.core.ceilings import Ceilings
from samoloop.core.limits import Limits
from samoloop.core.permissions import Permissions

if TYPE_CHECKING:
    from samoloop.config.prices import Price

BUILT_IN = ("claude", "codex", "gemini", "opencode", "mini", "demo")
EFFORTS = ("low", "standard", "high", "max")
SECRETS = ("TELEGRAM_*",)
_DEFAULT_LIMITS = {"iteration": 1800, "silence": 600, "first_byte": 120, "grace": 60, "terminate": 10}


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


def parse_each(value: object, parsers: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    """The keys that say something, parsed. A key without a value is as good as left out."""
    found: dict[str, Any] = {}
    problems: list[str] = []
    for key, item in _section(value).items():
        if key not in parsers:
            problems.append(f"unknown key {key!r}; known: {', '.join(sorted(parsers))}")
        elif item is not None:
            try:
                found[key] = parsers[key](item)
            except ValueError as error:
                problems += [f"{key}: {line}" for line in str(error).splitlines()]
    if problems:
        raise ValueError("\n".join(problems))
    return found


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


def _permissions(value: object) -> Permissions:
    return Permissions(_one_of(*Permissions)(value))


def _section(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"it must hold keys and values, got {value!r}")
    return {str(key): item for key, item in value.items()}


def positive_seconds(value: object) -> int:
    """A duration that is not 0. Raises ValueError."""
    seconds = parse_seconds(value)
    if not seconds:
        raise ValueError(f"it must be longer than 0 seconds, got {value!r}")
    return seconds


def _amount(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"it must be an amount in USD above 0, got {value!r}")
    return float(value)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"it must be a whole number from 1, got {value!r}")
    return value


def _or_off(parse: Callable[[object], float]) -> Callable[[object], float | None]:
    """`off`, which YAML reads as false, is no such limit. A zero is not: it would be the tightest one."""

    def parse_or_off(value: object) -> float | None:
        if value is False or value == "off":
            return None
        try:
            return parse(value)
        except ValueError as error:
            raise ValueError(f"{error}, or off") from None

    return parse_or_off


_LIMITS: dict[str, Callable[[Any], Any]] = {
    "iteration": positive_seconds,
    "silence": _or_off(positive_seconds),
    "first_byte": _or_off(positive_seconds),
    "grace": _or_off(parse_seconds),
    "terminate": parse_seconds,
}
_CEILINGS: dict[str, Callable[[Any], Any]] = {
    "iterations": _or_off(_count),
    "wall": _or_off(positive_seconds),
    "cost": _or_off(_amount),
}


def parse_limits(value: object) -> Limits:
    """Limits of one child, the default where nothing is said."""
    seconds = _DEFAULT_LIMITS | parse_each(value, _LIMITS)
    found = {key: None if given is None else float(given) for key, given in seconds.items()}
    return Limits(**{"total" if key == "iteration" else key: given for key, given in found.items()})  # type: ignore[arg-type]


def _session_ceilings(value: object) -> Ceilings:
    default = Ceilings()
    return _ceilings(
        {"iterations": default.iterations, "wall": default.wall_seconds, "cost": default.cost_usd}
        | parse_each(value, _CEILINGS)
    )


def _phase_ceilings(value: object) -> Ceilings:
    return _ceilings(parse_each(value, _CEILINGS))


def _ceilings(found: Mapping[str, Any]) -> Ceilings:
    wall = found.get("wall")
    return Ceilings(found.get("iterations"), None if wall is None else float(wall), found.get("cost"))


_PHASE: dict[str, Callable[[Any], Any]] = {
    "provider": _text,
    "model": _text,
    "effort": _one_of(*EFFORTS),
    "profile": _text,
    "permissions": _permissions,
    "iteration": positive_seconds,
    "fallback": _names,
    "ceilings": _phase_ceilings,
}


def _phase(value: object) -> PhaseSettings:
    found = parse_each(value, _PHASE)
    seconds = found.pop("iteration", None)
    return PhaseSettings(**found, iteration_seconds=seconds)


def _phases(value: object) -> dict[str, PhaseSettings]:
    section = _section(value)
    return parse_each(section, dict.fromkeys(section, _phase))


_PROVIDER: dict[str, Callable[[Any], Any]] = {"model": _text, "iteration": positive_seconds}  # the rest is its own


def _provider(name: str) -> Callable[[object], dict[str, Any]]:
    def parse(value: object) -> dict[str, Any]:
        section = _section(value)
        if name not in BUILT_IN and "command" not in section:
            raise ValueError("it needs command: [program, argument, ...]")
        own = {key: section[key] for key in _PROVIDER if key in section}
        return {key: item for key, item in section.items() if key not in own} | parse_each(own, _PROVIDER)

    return parse


def _providers(value: object) -> dict[str, dict[str, Any]]:
    section = _section(value)
    return parse_each(section, {name: _provider(name) for name in section})


def _prices(value: object) -> "dict[str, Price]":
    from samoloop.config import prices

    return prices.parse(_section(value))


KEYS: dict[str, Callable[[Any], Any]] = {
    "provider": _text,
    "model": _text,
    "effort": _one_of(*EFFORTS),
    "profile": _text,
    "workflow": _text,
    "permissions": _permissions,
    "sessions": _path,
    "worktrees": _path,
    "branch_prefix": _text,
    "setup": _text,
    "commit": _flag,
    "fallback": _names,
    "phases": _phases,
    "limits": parse_limits,
    "ceilings": _session_ceilings,
    "providers": _providers,
    "scrub": lambda value: (*SECRETS, *_names(value)),
    "announce": _section,
    "telegram": _section,
    "prices": _prices,
    "keep_awake": _flag,
}
