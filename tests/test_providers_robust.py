"""No line, whatever it holds, makes a reader fail: a child writes what it likes."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from provider_runs import RUNS

from samoloop.core.events import Denied, Failure, Result, Started, Text, Tool, Usage
from samoloop.providers.base import Reader
from samoloop.providers.claude import ClaudeReader
from samoloop.providers.codex import CodexReader
from samoloop.providers.custom import CustomReader
from samoloop.providers.gemini import GeminiReader
from samoloop.providers.mini import MiniReader
from samoloop.providers.opencode import OpencodeReader

UNREAD = {"uuid", "session_id", "sessionID", "timestamp", "skills", "slash_commands", "tools", "time"}
EVENTS = (Denied, Failure, Result, Started, Text, Tool, Usage)
READERS = {
    "claude": ClaudeReader,
    "codex": lambda: CodexReader("m"),
    "gemini": GeminiReader,
    "opencode": lambda: OpencodeReader("m"),
    "mini": lambda: MiniReader(Path("/nowhere/t.json"), "m"),
    "custom": lambda: CustomReader("mine", jsonl=True),
}
RECORDED = {
    cli: [line for run in sorted((RUNS / cli).glob("*.jsonl")) for line in run.read_bytes().splitlines()]
    for cli in ("claude", "codex", "gemini", "opencode")
}


def words(value: object) -> Iterator[str]:
    """Keys and short strings of a recorded event: what the readers look for."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from words(item)
    elif isinstance(value, list):
        for item in value:
            yield from words(item)
    elif isinstance(value, str) and len(value) < 40:
        yield value


VOCABULARY = {
    cli: sorted({word for line in lines for word in words(json.loads(line))}) for cli, lines in RECORDED.items()
}
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def look_alike(cli: str) -> st.SearchStrategy[Any]:
    """Events made of the CLI's own words in shapes that it never writes."""
    word = st.sampled_from(VOCABULARY[cli])
    value = st.recursive(
        SCALARS | word,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(word, inner, max_size=6),
        max_leaves=15,
    )
    kinds = sorted({json.loads(line)["type"] for line in RECORDED[cli]})
    return st.builds(lambda kind, rest: {**rest, "type": kind}, st.sampled_from(kinds), st.dictionaries(word, value))


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every part of a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], new: object) -> Any:
    """`value` with the part at `path` made `new`."""
    if not path:
        return new
    key, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = replaced(value[key], tuple(rest), new)
    return copy


@st.composite
def mutated(draw: st.DrawFn, cli: str) -> Any:
    """A recorded event with one part made something else."""
    event = json.loads(draw(st.sampled_from(RECORDED[cli])))
    depth = draw(st.integers(1, 5))  # first of all: most parts lie deep, where readers look least
    ways = [path for path in places(event) if len(path) <= depth and not UNREAD & set(path)]
    return replaced(event, draw(st.sampled_from(ways)), draw(ANYTHING))


def check(reader: Reader, lines: list[bytes], stderr: str = "") -> None:
    """Every event has the promised types and can be written as UTF-8 JSON."""
    events = [event for line in lines for event in reader.feed(line)] + reader.finish(1, stderr)
    for event in events:
        assert isinstance(event, EVENTS)
        json.dumps(asdict(event), allow_nan=False, ensure_ascii=False).encode()
        if isinstance(event, Tool):
            assert len(event.detail) <= 200 and "\n" not in event.detail
        if isinstance(event, Usage):
            assert all(count is None or count >= 0 for count in (event.input_tokens, event.output_tokens))


@pytest.mark.parametrize("cli", RECORDED)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_events_of_the_wrong_shape_are_no_error(cli, data):
    events = data.draw(st.lists(mutated(cli) | look_alike(cli) | ANYTHING, min_size=1, max_size=4))
    check(READERS[cli](), [json.dumps(event).encode() for event in events])


@pytest.mark.parametrize("cli", READERS)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lines=st.lists(st.binary(max_size=60), max_size=4), stderr=st.text(max_size=200))
def test_bytes_that_are_no_event_are_no_error(cli, lines, stderr):
    check(READERS[cli](), lines, stderr)


@pytest.mark.parametrize("cli", RECORDED)
@pytest.mark.parametrize("damage", [b"\xff\xfe", b"\x00", b"{", b'"'])
def test_a_recorded_run_with_damaged_lines_is_read_on(cli, damage):
    lines = [line[: len(line) // 2] + damage + line[len(line) // 2 :] for line in RECORDED[cli]]
    check(READERS[cli](), lines)


@pytest.mark.parametrize("cli", READERS)
@pytest.mark.parametrize(
    "line",
    [
        b'{"type":' * 50_000,
        b"[" * 200_000,
        b'{"type":"result","result":"' + b"x" * 3_000_000 + b'"}',
        b'{"type":"error","message":"' + b"\xf0" * 1_000_000 + b'"}',
        b'{"type":"item.completed","item":{"type":"agent_message","text":"\\ud800"}}',
        b'{"type":"result","total_cost_usd":1e999,"stats":{"input_tokens":-5}}',
        b"x" * 3_000_000,
        b"",
    ],
    ids=["deep object", "deep list", "long result", "long bad bytes", "surrogate", "infinite", "long words", "empty"],
)
def test_a_monstrous_line_is_no_error(cli, line):
    check(READERS[cli](), [line, line])
