"""Values: dataclasses that nobody changes, cheap to load and to make.

A frozen dataclass is six functions that are generated and compiled when its module is imported; of a value that is
`__init__` alone. mypy refuses an assignment, so nothing has to be asked when one is made.
"""

from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, dataclass_transform

Kind = TypeVar("Kind")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(kind: type[Kind]) -> type[Kind]:
    """The class as a frozen dataclass: equal, hashed and shown by its fields."""
    for name, method in (("__eq__", _equals), ("__hash__", _hashed), ("__repr__", _shown)):
        if name not in kind.__dict__:
            setattr(kind, name, method)
    return dataclass(eq=False, repr=False)(kind)


def _compared(value: Any) -> tuple[Any, ...]:
    return tuple(getattr(value, field.name) for field in fields(value) if field.compare)


def _equals(self: object, other: object) -> Any:
    return _compared(self) == _compared(other) if other.__class__ is self.__class__ else NotImplemented


def _hashed(self: object) -> int:
    return hash(_compared(self))


def _shown(self: Any) -> str:
    shown = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in fields(self) if field.repr)
    return f"{type(self).__qualname__}({shown})"
