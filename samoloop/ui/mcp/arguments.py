"""The arguments of a tool: what a program is told of them, and how what it sends is checked."""

from collections.abc import Mapping, Sequence
from typing import Any

from samoloop.base.errors import UsageError, shown
from samoloop.base.nearest import near
from samoloop.base.values import frozen

_KINDS: Mapping[str, type] = {"string": str, "integer": int, "boolean": bool, "array": list}
_MOST_NAMES, _LONGEST_NAME = 50, 200


@frozen
class Argument:
    """One argument of a tool."""

    name: str
    what: str  # what it means, for the program
    kind: str = "string"  # or integer, boolean, array (of names)
    needed: bool = False
    choices: Sequence[str] = ()
    most: int = 1000  # characters of a string; the highest number
    least: int = 0  # the lowest number

    @property
    def schema(self) -> dict[str, Any]:
        """As JSON Schema has it."""
        found: dict[str, Any] = {"type": self.kind, "description": self.what}
        if self.choices:
            found["enum"] = list(self.choices)
        elif self.kind == "string":
            found["maxLength"] = self.most
        elif self.kind == "integer":
            found |= {"minimum": self.least, "maximum": self.most}
        elif self.kind == "array":
            found |= {"items": {"type": "string", "maxLength": _LONGEST_NAME}, "maxItems": _MOST_NAMES}
        return found

    def check(self, value: object) -> None:
        """Raises UsageError with a sentence."""
        if not isinstance(value, _KINDS[self.kind]) or (self.kind == "integer" and isinstance(value, bool)):
            raise UsageError(f"{self.name} must be of the type {self.kind}, got {shown(value)}")
        if isinstance(value, list) and not _are_names(value):
            raise UsageError(f"{self.name} must be a list of at most {_MOST_NAMES} names, got {shown(value)}")
        if self.choices and value not in self.choices:
            raise UsageError(f"{self.name} is {shown(value)}; it can be: {', '.join(self.choices)}")
        if isinstance(value, str) and len(value) > self.most:
            raise UsageError(f"{self.name} has {len(value):,} characters, and {self.most:,} are the most")
        if self.kind == "integer" and isinstance(value, int) and not self.least <= value <= self.most:
            raise UsageError(f"{self.name} is {shown(value)}; it must be {self.least:,} to {self.most:,}")


def _are_names(value: list[object]) -> bool:
    return len(value) <= _MOST_NAMES and all(isinstance(one, str) and len(one) <= _LONGEST_NAME for one in value)


def schema(arguments: Sequence[Argument]) -> dict[str, Any]:
    """All arguments of a tool, as JSON Schema."""
    return {
        "type": "object",
        "properties": {argument.name: argument.schema for argument in arguments},
        "required": [argument.name for argument in arguments if argument.needed],
        "additionalProperties": False,
    }


def checked(tool: str, arguments: Sequence[Argument], given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, null left out. Raises UsageError with a sentence for what the tool cannot take."""
    known = {argument.name: argument for argument in arguments}
    for name in given:
        if name not in known:
            there = ", ".join(known) or "none"
            raise UsageError(f"{tool} has no argument {shown(name)}{near(name, known)}; there are: {there}")
    found = {name: value for name, value in given.items() if value is not None}
    for argument in arguments:
        if argument.name in found:
            argument.check(found[argument.name])
        elif argument.needed:
            raise UsageError(f"{tool} needs {argument.name}: {argument.what}")
    return found
