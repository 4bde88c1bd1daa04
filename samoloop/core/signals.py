"""The only way a child speaks to the worker: `_signal.json`.

This module knows the shape of a signal. Whether a well-formed signal is allowed here and now is for `rules`.
"""

import json
from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from samoloop.base.files import read_plain
from samoloop.base.values import frozen

FILE_NAME = "_signal.json"
LIMIT_BYTES = 64 * 1024
LIMIT_LEVELS = 50  # of nesting; what a reader can follow, a writer of the journal can too

Choice = TypeVar("Choice", bound=StrEnum)


class Status(StrEnum):
    CONTINUE = "continue"
    WAITING = "waiting"
    BLOCKED = "blocked"
    DONE = "done"


class GateKind(StrEnum):
    """What a waiting session waits for; the values of `for`. What each does is in the module of its name in `gates`."""

    field: str  # that the signal needs beside `for`; empty where it needs none
    passes: bool  # a phase can have it as its gate; any phase may wait for the others
    found: bool  # what the field would say can be found where the folder leaves no doubt

    def __new__(cls, name: str, field: str = "", passes: bool = False, found: bool = False) -> "GateKind":
        made = str.__new__(cls, name)
        made._value_, made.field, made.passes, made.found = name, field, passes, found
        return made

    QA_ANSWERS = "qa_answers", "", True
    PLAN_APPROVAL = "plan_approval", "file", True, True
    FILE_UPDATE = "file_update", "file"
    HUMAN_ACTION = "human_action", "reason"


PASSING = tuple(kind for kind in GateKind if kind.passes)
ALWAYS = frozenset(kind for kind in GateKind if not kind.passes)


class Needs(StrEnum):
    HUMAN_DECISION = "human_decision"
    CLARIFICATION = "clarification"
    ERROR_RESOLUTION = "error_resolution"


@frozen
class Signal:
    """A well-formed signal."""

    status: Status
    phase: str | None = None
    wait_for: GateKind | None = None
    file: str | None = None
    reason: str | None = None
    needs: Needs | None = None
    summary: str | None = None
    iteration: int | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False)  # as the child wrote it, unknown fields too

    def to_json(self) -> Mapping[str, Any]:
        """As the child wrote it."""
        return self.raw

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Signal":
        """The inverse. Raises ValueError with a sentence for the child."""
        signal = cls(
            status=_status(value),
            phase=(_text(value, "phase") or "").lower() or None,
            wait_for=_choice(value, "for", GateKind),
            file=_text(value, "file"),
            reason=_text(value, "reason"),
            needs=_choice(value, "needs", Needs),
            summary=_text(value, "summary"),
            iteration=_number(value, "iteration"),
            raw=value,
        )
        _require(signal)
        return signal


@frozen
class BadSignal:
    """No signal, or one that cannot be used; `reason` is a sentence that the next child is told."""

    reason: str


def schema() -> dict[str, Any]:
    """The JSON schema of a signal, for others: what the file beside this module says, with the kinds of gates."""
    value: dict[str, Any] = json.loads(Path(__file__).with_name("signal.schema.json").read_text(encoding="utf-8"))
    value["properties"]["for"] |= {"pattern": rf"^\s*({'|'.join(GateKind)})?\s*$", "examples": list(GateKind)}
    for needed in sorted({kind.field for kind in GateKind if kind.field}):
        named = "|".join(kind for kind in GateKind if kind.field == needed)
        value["allOf"].append(
            {
                "if": {
                    "properties": {"status": {"pattern": "waiting"}, "for": {"pattern": named}},
                    "required": ["for"],
                },
                "then": {"required": [needed], "properties": {needed: {"$ref": "#/$defs/said"}}},
            }
        )
    return value


def read(path: Path) -> Signal | BadSignal:
    """The signal in `path`. Never raises: everything unreadable is a BadSignal."""
    try:
        data = read_plain(path, LIMIT_BYTES)
    except ValueError as error:
        return BadSignal(f"{error}; write {FILE_NAME} as a regular file")
    if data is None:
        return BadSignal(f"no {FILE_NAME} was written")
    if len(data) > LIMIT_BYTES:
        return BadSignal(f"{FILE_NAME} is larger than {LIMIT_BYTES} bytes")
    return parse(data)


def parse(data: bytes) -> Signal | BadSignal:
    """The signal that these bytes spell. A byte order mark, white space around words and capital letters in the words
    of the protocol are forgiven."""
    try:
        value = json.loads(data.decode("utf-8-sig"), parse_constant=_no_json)
    except UnicodeDecodeError:
        return BadSignal(f"{FILE_NAME} is not UTF-8 text")
    except (ValueError, RecursionError) as error:
        return BadSignal(f"{FILE_NAME} is not valid JSON: {str(error)[:200]}")
    if not isinstance(value, dict):
        return BadSignal(f"{FILE_NAME} must hold a JSON object, it holds {_kind(value)}")
    if _is_deep(value):
        return BadSignal(f"{FILE_NAME} is nested deeper than {LIMIT_LEVELS} levels")
    try:
        return Signal.from_json(value)
    except ValueError as error:
        return BadSignal(str(error))


def _status(value: Mapping[str, Any]) -> Status:
    status = _choice(value, "status", Status)
    if status is None:
        raise ValueError(f'"status" is missing; allowed: {_names(Status)}')
    return status


def _require(signal: Signal) -> None:
    """The fields that each status cannot do without."""
    if signal.status is Status.CONTINUE and not signal.phase:
        raise ValueError('"continue" needs "phase": the phase to run next')
    if signal.status is Status.WAITING:
        if signal.wait_for is None:
            raise ValueError(f'"waiting" needs "for"; allowed: {_names(GateKind)}')
        if not signal.wait_for.found and lacks(signal):
            raise ValueError(needs(signal.wait_for))
    if signal.status is Status.BLOCKED and not signal.reason:
        raise ValueError('"blocked" needs "reason"')


def lacks(signal: Signal) -> bool:
    """Whether it does not say what its gate is about."""
    return signal.wait_for is not None and bool(signal.wait_for.field) and not getattr(signal, signal.wait_for.field)


def needs(kind: GateKind) -> str:
    return f'waiting for "{kind}" needs "{kind.field}"'


def _text(value: Mapping[str, Any], key: str) -> str | None:
    found = value.get(key)
    if found is None:
        return None
    if not isinstance(found, str):
        raise ValueError(f'"{key}" must be text, it is {_kind(found)}')
    whole = found.encode("utf-8", "replace").decode()  # half a surrogate pair could not be written to any file
    return whole.strip() or None


def _number(value: Mapping[str, Any], key: str) -> int | None:
    found = value.get(key)
    if isinstance(found, float) and found.is_integer():  # 7.0 is a whole number in JSON
        return int(found)
    if found is not None and (isinstance(found, bool) or not isinstance(found, int)):
        raise ValueError(f'"{key}" must be a whole number, it is {_kind(found)}')
    return found


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(LIMIT_LEVELS):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return bool(level)


def _no_json(word: str) -> None:
    """Python would read these; no other reader of the journal does."""
    raise ValueError(f"{word} is not a JSON value")


def _choice(value: Mapping[str, Any], key: str, kind: type[Choice]) -> Choice | None:
    found = _text(value, key)
    if found is None:
        return None
    try:
        return kind(found.lower())
    except ValueError:
        raise ValueError(f'"{key}" is "{found[:60]}"; allowed: {_names(kind)}') from None


def _names(kind: type[StrEnum]) -> str:
    return ", ".join(kind)


def _kind(value: object) -> str:
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return "null" if value is None else kinds[type(value)]
