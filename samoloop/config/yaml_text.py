"""YAML that nobody has to trust: a mapping, within bounds, each key once."""

import errno
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from samoloop.base.errors import shown
from samoloop.base.files import read_plain

FILE_BYTES = 1_000_000
_VALUES = 10_000  # of one file, every use of an alias counted
_DEPTH = 50
_WORDS = 300  # characters of what the YAML reader says


def read_file(path: Path) -> str:
    """The text of a file. Raises ValueError with a sentence, OSError where it is not there."""
    data = read_plain(path, FILE_BYTES, follow=True)
    if data is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    if len(data) > FILE_BYTES:
        raise ValueError(f"it is larger than {FILE_BYTES // 1_000_000} MB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"it is not UTF-8 text: line {line} holds the byte 0x{data[error.start]:02x}") from None


def read_mapping(text: str) -> dict[str, Any]:
    """The keys and values; none where there is no text. Raises ValueError with a sentence."""
    import yaml

    try:
        value = _read(text, yaml)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).replace('"<unicode string>", ', "").split())[:_WORDS]) from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"it must hold keys and values, it holds {type(value).__name__}")
    return {str(key): item for key, item in value.items()}


def line_of(text: str, at: Sequence[str]) -> int | None:
    """The line, from 1, of the key at this place, or of the nearest key around it; None where none is found."""
    found, node = None, _tree(text)
    for name in at:
        pairs = node.value if node is not None and node.id == "mapping" else []
        pair = next((pair for pair in pairs if pair[0].value == name), None)
        if pair is None:
            break
        found, node = pair[0].start_mark.line + 1, pair[1]
    return found


def place(name: str, text: str, at: Sequence[str], above: int = 0) -> str:
    """`name:line` of a place in a text that begins `above` lines down in its file; the name alone without a line."""
    line = line_of(text, at)
    return f"{name}:{line + above}" if line else name


@lru_cache(maxsize=2)
def _tree(text: str) -> Any:
    import yaml

    return yaml.compose(text, Loader=_base(yaml)) if text else None


def _read(text: str, yaml: Any) -> Any:
    """The one value of a text. What is too deep or too large is refused before it is built."""
    _look_over(text, yaml)
    loader = _loader(yaml)(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _size(node, {})
        return _construct(loader, node, yaml)
    finally:
        loader.dispose()


def _construct(loader: Any, node: Any, yaml: Any) -> Any:
    try:
        return loader.construct_document(node)
    except yaml.YAMLError:
        raise
    except Exception as error:  # PyYAML answers 2026-99-99, !!bool maybe and their like with errors of any class
        raise ValueError(f"a value in it cannot be read: {str(error)[:_WORDS]}") from None


def _base(yaml: Any) -> Any:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _loader(yaml: Any) -> Any:
    """A safe loader that refuses a key given twice, instead of forgetting the first."""

    class Loader(_base(yaml)):  # type: ignore[misc]
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen = set()
            for key, _ in node.value:
                name = key.value if isinstance(key.value, str) else None
                if name is not None and name in seen:
                    problem = f"the key {shown(name)} is there twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(name)
            return super().construct_mapping(node, deep)

    return Loader


def _look_over(text: str, yaml: Any) -> None:
    """Refuse what would take long to build, and very deep nesting: that would end the whole process in the C code."""
    depth = values = 0
    for event in yaml.parse(text, Loader=_base(yaml)):
        values += isinstance(event, yaml.NodeEvent)
        if values > _VALUES:
            raise ValueError(f"it holds more than {_VALUES} values")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH:
            raise ValueError(f"it is nested more than {_DEPTH} deep in line {event.start_mark.line + 1}")


def _size(node: Any, known: dict[int, int]) -> int:
    """The values of a tree, every use of an alias counted: few bytes can be any number of them, or hold themselves."""
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = _VALUES  # until it is counted, for one that holds itself
    inner = node.value if node.id != "scalar" else []
    parts = (part for item in inner for part in (item if isinstance(item, tuple) else (item,)))
    known[id(node)] = size = 1 + sum(_size(part, known) for part in parts)
    if size > _VALUES:
        raise ValueError(f"it holds more than {_VALUES} values, aliases counted")
    return size
