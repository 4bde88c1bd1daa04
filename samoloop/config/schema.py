"""How a key is declared, read and checked. No key of samoloop stands here: see `keys`.

A shape says what a value may be. It is a function that reads the value and raises ValueError with a sentence, or a
`Table` of known keys, or `Named`: names that a person chooses, each with a shape.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from samoloop.base.durations import parse_seconds
from samoloop.base.errors import shown
from samoloop.base.nearest import near

At = tuple[str, ...]  # a place in nested mappings, from the outside in


class Key(NamedTuple):
    """One key: what is read and checked, what `init` writes and the documents say."""

    name: str
    shape: "Shape"
    says: str = ""  # a clause, without a full stop
    default: object = None  # None: not set
    example: str = ""  # YAML, where there is no default that shows how it is written
    heading: str = ""  # words above it in the file that `init` writes
    needed: bool = False
    personal: bool = False  # only in the person's own file

    @property
    def is_section(self) -> bool:
        """Whether keys stand below it."""
        return isinstance(self.shape, Table | Named)


class Table(NamedTuple):
    """A mapping of known keys."""

    keys: tuple[Key, ...]
    make: Callable[[dict[str, Any]], Any] = dict  # what the keys that were given become; raises ValueError

    @property
    def names(self) -> list[str]:
        return [key.name for key in self.keys]

    def key(self, name: str) -> Key | None:
        return next((key for key in self.keys if key.name == name), None)


class Named(NamedTuple):
    """A mapping whose keys are names that a person chooses."""

    shape: Callable[[str], "Shape"]  # of a name
    tables: tuple[tuple[str, Table], ...] = ()  # what there is, each with words that introduce it
    may_be_off: bool = False  # `off` says that there shall be none, which is None


Shape = Callable[[Any], Any] | Table | Named


class Fault(NamedTuple):
    """Something that cannot be used."""

    at: At
    sentence: str

    def __str__(self) -> str:
        where = ".".join(name if name.isprintable() and len(name) < 80 else shown(name) for name in self.at)
        return f"{where}: {self.sentence}" if where else self.sentence


def key(shape: Shape, default: object, says: str = "", *, name: str = "", **rest: Any) -> Any:
    """A field of a dataclass that is a key too. The default `dict` is an empty one, MISSING is none."""
    declared = Key(name, shape, says, None if default in (dict, MISSING) else default, **rest)
    if default is dict:
        return field(default_factory=dict, metadata={"key": declared})
    return field(default=default, metadata={"key": declared})


def field_names(values: type) -> dict[str, str]:
    """The fields of a dataclass that are keys, by the key's name."""
    declared = {item.name: item.metadata["key"] for item in fields(values) if "key" in item.metadata}
    return {key.name or name: name for name, key in declared.items()}


def table_of(values: type) -> Table:
    """The keys that are declared as fields of a dataclass; they become one of it."""
    names = field_names(values)
    declared = {item.name: item.metadata["key"] for item in fields(values) if "key" in item.metadata}
    keys = tuple(declared[field]._replace(name=name) for name, field in names.items())
    return Table(keys, lambda found: values(**{names[name]: value for name, value in found.items()}))


# --- reading ----------------------------------------------------------------------------------------------------------


def read(shape: Shape, value: object, faults: list[Fault], at: At = ()) -> Any:
    """What `value` says; MISSING where it has a fault, which is added to `faults`."""
    try:
        if isinstance(shape, Table):
            found = read_keys(shape, value, faults, at)
            return shape.make(found) if all(key.name in found for key in shape.keys if key.needed) else MISSING
        if isinstance(shape, Named):
            if shape.may_be_off and (value is False or value == "off"):
                return None
            given = mapping(value)
            read_each = {name: read(shape.shape(name), item, faults, (*at, name)) for name, item in given.items()}
            return {name: item for name, item in read_each.items() if item is not MISSING}
        return shape(value)
    except ValueError as error:
        faults += [Fault(at, line) for line in str(error).splitlines()]
        return MISSING


def read_keys(table: Table, value: object, faults: list[Fault], at: At = ()) -> dict[str, Any]:
    """The keys that say something and have no fault. A key without a value is as good as left out."""
    found: dict[str, Any] = {}
    given = mapping(value)
    there_are = f"; known: {', '.join(sorted(table.names))}"  # said once
    for name, item in given.items():
        known = table.key(name)
        if known is None:
            faults.append(Fault((*at, name), f"unknown key{near(name, table.names)}{there_are}"))
            there_are = ""
        elif item is not None and (what := read(known.shape, item, faults, (*at, name))) is not MISSING:
            found[name] = what
    for key in table.keys:
        if key.needed and given.get(key.name) is None:
            faults.append(Fault(at, f"it needs {key.name}: {key.example or key.says}"))
    return found


def defaults(keys: Iterable[Key]) -> dict[str, Any]:
    """What the keys say where nothing is said."""
    return {key.name: read(key.shape, key.default, []) for key in keys if key.default is not None}


def written(default: object) -> str:
    """A default as it is written in a file."""
    if isinstance(default, bool):
        return str(default).lower()
    return f"[{', '.join(map(str, default))}]" if isinstance(default, tuple) else str(default)


def mapping(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"it must hold keys and values, got {shown(value)}")
    return {str(name): item for name, item in value.items()}


# --- shapes -----------------------------------------------------------------------------------------------------------


def text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"it must be text, got {shown(value)}")
    if "\0" in value:
        raise ValueError(f"it must not hold a zero byte, got {shown(value)}")
    return value.strip()


def flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"it must be true or false, got {shown(value)}")
    return value


def path(value: object) -> Path:
    found = Path(text(value))
    try:
        found.expanduser()
    except RuntimeError:
        raise ValueError(f"there is no such home folder, got {shown(value)}") from None
    return found


def paths(value: object) -> tuple[Path, ...]:
    """Absolute ones, or below a home folder."""
    found = tuple(map(path, texts(value)))
    for item in found:
        if not item.expanduser().is_absolute():
            raise ValueError(f"a path must be absolute or begin with ~, got {shown(str(item))}")
    return found


def texts(value: object) -> tuple[str, ...]:
    """Texts in a list; blanks at their ends are theirs."""
    if not isinstance(value, list | tuple):
        raise ValueError(f"it must be a list, got {shown(value)}")
    for item in value:
        text(item)
    return tuple(value)


def command(value: object) -> tuple[str, ...]:
    if not texts(value):
        raise ValueError("it must be a list of texts, the program first, got []")
    return texts(value)


def texts_by_name(value: object) -> dict[str, str]:
    found = mapping(value)
    if not all(isinstance(item, str) and "\0" not in name + item for name, item in found.items()):
        raise ValueError(f"it must map names to texts (put numbers in quotes), got {shown(value)}")
    return found


def on_or_off(value: object) -> bool:
    if value not in (True, False, "on", "off"):
        raise ValueError(f"it must be on or off, got {shown(value)}")
    return value in (True, "on")


def one_of(allowed: Iterable[Any]) -> Callable[[object], Any]:
    """One of these words, or of an enumeration's."""
    words = {str(word): word for word in allowed}

    def parse(value: object) -> Any:
        if not isinstance(value, str) or value not in words:
            raise ValueError(f"it must be one of {', '.join(words)}, got {shown(value)}")
        return words[value]

    return parse


def some_of(allowed: Iterable[Any]) -> Callable[[object], Any]:
    """A list of such words, as a set."""
    parse = one_of(allowed)
    return lambda value: frozenset(parse(item) for item in texts(value))


def positive_seconds(value: object) -> int:
    """A duration that is not 0. Raises ValueError."""
    seconds = parse_seconds(value)
    if not seconds:
        raise ValueError(f"it must be longer than 0 seconds, got {shown(value)}")
    return seconds


def amount(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"it must be an amount in USD above 0, got {shown(value)}")
    return float(value)


def count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"it must be a whole number from 1, got {shown(value)}")
    return value


def address(value: object) -> str:
    if not text(value).startswith(("http://", "https://")):
        raise ValueError(f"it must be an address that begins with http:// or https://, got {shown(value)}")
    return text(value)


def or_off(parse: Callable[[object], Any]) -> Callable[[object], Any]:
    """`off`, which YAML reads as false, is no such limit. A zero is not: it would be the tightest one."""

    def parse_or_off(value: object) -> Any:
        if value is False or value == "off":
            return None
        try:
            return parse(value)
        except ValueError as error:
            raise ValueError(f"{error}, or off") from None

    return parse_or_off
