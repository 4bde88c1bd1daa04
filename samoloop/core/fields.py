"""Frozen values from JSON and back, by their annotations: one place where the shape of what is on disk is checked.

It works for dataclasses and for `Fields`. A class whose JSON is not an object of its fields has `from_json` and
`to_json` of its own; `KEYS` names the fields that are called otherwise in JSON, because Python has taken the word.
"""

import types
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import partial
from inspect import get_annotations
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self, TypeVar, Union, dataclass_transform, get_args, get_origin

Value = TypeVar("Value")
_REQUIRED = object()
_PLAIN: dict[Any, frozenset[type]] = {
    str: frozenset({str}),
    int: frozenset({int}),
    float: frozenset({float, int}),
    bool: frozenset({bool}),
    types.NoneType: frozenset({types.NoneType}),
}


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Fields:
    """A frozen value with named fields; many such classes load in the time that one dataclass takes."""

    KEYS: ClassVar[Mapping[str, str]] = {}

    def __init__(self, **values: Any):
        for field in _plan(type(self)):
            if field.name not in values and field.default is _REQUIRED:
                raise TypeError(f"{type(self).__name__} needs {field.name}")
        unknown = values.keys() - {field.name for field in _plan(type(self))}
        if unknown:
            raise TypeError(f"{type(self).__name__} has no {', '.join(sorted(unknown))}")
        self.__dict__.update(values)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} does not change")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and all(
            getattr(self, field.name) == getattr(other, field.name) for field in _plan(type(self))
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        fields = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in _plan(type(self)))
        return f"{type(self).__name__}({fields})"

    def but(self, **changes: Any) -> Self:
        """The same with these changes."""
        return type(self)(**{field.name: getattr(self, field.name) for field in _plan(type(self))} | changes)


def read(kind: type[Value], value: Mapping[str, Any]) -> Value:
    """The value that a JSON object spells; what it does not know is ignored.

    Null is None, or the default of a field that cannot be None. Raises KeyError, TypeError or ValueError.
    """
    made = object.__new__(kind)
    found = made.__dict__  # filled as `__init__` would do it, at a third of the time
    by_key, required = _reads.get(kind) or _make_reads(kind)
    for key, item in value.items():
        if key in by_key:
            name, plain, convert = by_key[key]
            if type(item) in plain:
                found[name] = item
            elif item is not None:
                found[name] = convert(item)
    for name, key in required:
        if name not in found:
            raise KeyError(key)
    return made


_JSON = (str, int, float)


def plain(value: Any) -> Any:
    """A value as JSON."""
    if value is None or isinstance(value, _JSON):
        return value
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, Path):
        return str(value)
    return value.to_json() if hasattr(value, "to_json") else to_json(value)


def to_json(value: Any) -> dict[str, Any]:
    """The inverse of `read`."""
    return {field.key: plain(getattr(value, field.name)) for field in _plan(type(value))}


class _Field(NamedTuple):
    name: str
    key: str  # in JSON
    plain: frozenset[type]  # taken as they are
    convert: Callable[[Any], Any]  # the others
    default: Any


_plans: dict[type, tuple[_Field, ...]] = {}


# What `read` goes by: of each key that it knows the name, the types that it takes as they are and the conversion of
# others; and name and key of what must be there. Most of what a class knows is in few of its objects.
_Reads = tuple[dict[str, tuple[str, frozenset[type], Callable[[Any], Any]]], tuple[tuple[str, str], ...]]
_reads: dict[type, _Reads] = {}


def _make_reads(kind: type) -> _Reads:
    plan = _plan(kind)
    by_key = {field.key: (field.name, field.plain, field.convert) for field in plan}
    _reads[kind] = by_key, tuple((field.name, field.key) for field in plan if field.default is _REQUIRED)
    return _reads[kind]


def _plan(kind: type) -> tuple[_Field, ...]:
    """The fields of a class, worked out once."""
    if kind not in _plans:
        _plans[kind] = _make_plan(kind)
    return _plans[kind]


def _make_plan(kind: type) -> tuple[_Field, ...]:
    keys = getattr(kind, "KEYS", {})
    return tuple(
        _Field(name, keys.get(name, name), *_reader(annotated), getattr(kind, name, _REQUIRED))
        for name, annotated in _annotations(kind)
    )


def _annotations(kind: type) -> Iterator[tuple[str, Any]]:
    for ancestor in reversed(kind.__mro__):
        for name, annotated in get_annotations(ancestor).items():
            if ClassVar not in (annotated, get_origin(annotated)):
                yield name, annotated


def _reader(kind: Any) -> tuple[frozenset[type], Callable[[Any], Any]]:
    """The types that need no conversion, and the conversion of the others."""
    if kind is Any:
        return frozenset(), _same
    if kind in _PLAIN:
        return _PLAIN[kind], _refuse
    if get_origin(kind) in (Union, types.UnionType):
        members = [_reader(member) for member in get_args(kind)]
        converts = [convert for _, convert in members if convert is not _refuse]
        return frozenset().union(*(known for known, _ in members)), converts[0] if converts else _refuse
    return frozenset(), _conversion(kind)


def _conversion(kind: Any) -> Callable[[Any], Any]:
    origin, words = get_origin(kind), get_args(kind)
    if origin is tuple:
        return partial(_sequence, *_reader(words[0]), None if words[-1] is ... else len(words))
    if origin is not None:  # a mapping, whose keys JSON makes text
        return partial(_mapping, *_reader(words[1]))
    if issubclass(kind, Enum):
        return {member.value: member for member in kind}.__getitem__
    if issubclass(kind, Path):
        return _path
    own: Callable[[Any], Any] | None = getattr(kind, "from_json", None)
    return own or partial(_object, kind)


def _same(item: Any) -> Any:
    return item


def _refuse(item: Any) -> Any:
    raise TypeError(f"{item!r} is of another type")


def _sequence(plain: frozenset[type], convert: Callable[[Any], Any], length: int | None, items: Any) -> Any:
    if not isinstance(items, list) or length not in (None, len(items)):
        _refuse(items)
    return tuple([item if type(item) in plain else convert(item) for item in items])


def _mapping(plain: frozenset[type], convert: Callable[[Any], Any], items: Any) -> Any:
    if not isinstance(items, dict):
        _refuse(items)
    return {key: item if type(item) in plain else convert(item) for key, item in items.items()}


def _path(item: Any) -> Path:
    return Path(item) if isinstance(item, str) else _refuse(item)


def _object(kind: type[Any], item: Any) -> Any:
    return read(kind, item) if isinstance(item, dict) else _refuse(item)
