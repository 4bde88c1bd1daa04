"""Following a log: whole lines, bounded memory, and the end in any case."""

import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from samoloop.children.tail import FAR_BEHIND_BYTES, KEPT_AT_THE_END_BYTES, KEPT_BYTES, LONGEST_LINE_BYTES, Tail


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "log").touch()
    return tmp_path / "log"


def add(log: Path, data: bytes) -> None:
    with log.open("ab") as file:
        file.write(data)


def test_lines_come_once_and_whole(log: Path):
    with Tail(log) as tail:
        assert list(tail.lines()) == []
        add(log, b"one\ntw")
        assert list(tail.lines()) == [b"one"]
        assert list(tail.lines()) == []
        add(log, b"o\n\nthree\n")
        assert list(tail.lines()) == [b"two", b"", b"three"]
        assert tail.complete


def test_the_rest_has_the_last_line_without_its_newline(log: Path):
    with Tail(log) as tail:
        add(log, b"one\ntwo")
        assert list(tail.rest()) == [b"one", b"two"]
        assert list(tail.rest()) == []


def test_a_missing_file_is_empty(tmp_path: Path):
    with Tail(tmp_path / "none") as tail:
        assert list(tail.rest()) == []
        assert (tail.size(), tail.end(10), tail.complete) == (0, "", True)


@pytest.mark.parametrize(("read", "kept_bytes"), [(Tail.lines, KEPT_BYTES), (Tail.rest, KEPT_AT_THE_END_BYTES)])
def test_far_behind_it_goes_on_near_the_end_at_a_line_start(
    log: Path, read: Callable[[Tail], Iterator[bytes]], kept_bytes: int
):
    line = b"x" * 99 + b"\n"
    with Tail(log) as tail:
        add(log, line * (FAR_BEHIND_BYTES // 100 + 2) + b"last\n")
        lines = list(read(tail))
        assert lines[-1] == b"last"
        assert set(lines[:-1]) == {line[:-1]}
        assert kept_bytes * 0.9 < sum(map(len, lines)) <= kept_bytes
        assert not tail.complete
        add(log, b"more\n")
        assert list(tail.lines()) == [b"more"]


def test_a_megabyte_of_news_is_still_read(log: Path):
    with Tail(log) as tail:
        add(log, (b"x" * 99 + b"\n") * (FAR_BEHIND_BYTES // 100))
        assert len(list(tail.lines())) == FAR_BEHIND_BYTES // 100
        assert tail.complete


def test_a_long_line_in_pieces_is_whole(log: Path):
    with Tail(log) as tail:
        for _ in range(10):
            add(log, b"x" * (LONGEST_LINE_BYTES // 10))
            assert list(tail.lines()) == []
        add(log, b"\n")
        assert list(map(len, tail.lines())) == [LONGEST_LINE_BYTES // 10 * 10]
        assert tail.complete


def test_a_line_that_is_too_long_is_left_out_alone(log: Path):
    with Tail(log) as tail:
        add(log, b"before\n")
        lines = list(tail.lines())
        for _ in range(30):
            add(log, b"x" * (LONGEST_LINE_BYTES // 10))
            lines += tail.lines()
        add(log, b"y\nafter\n")
        lines += tail.lines()
        assert lines == [b"before", b"after"]
        assert not tail.complete


def test_the_rest_of_a_line_that_is_too_long_is_no_line(log: Path):
    with Tail(log) as tail:
        add(log, b"x" * (2 * LONGEST_LINE_BYTES))
        assert list(tail.rest()) == []


def test_memory_is_bounded(log: Path):
    with log.open("wb") as file:
        file.truncate(1 << 30)  # one line of a gigabyte of zeros, which takes no room on disk
    tracemalloc.start()
    with Tail(log) as tail:
        assert list(tail.rest()) == []
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_truncated_file_does_no_harm(log: Path):
    with Tail(log) as tail:
        add(log, b"one\ntwo\n")
        assert list(tail.lines()) == [b"one", b"two"]
        log.write_bytes(b"")
        assert list(tail.lines()) == []


@pytest.mark.parametrize(("limit_bytes", "expected"), [(3, "two"), (100, "one\ufffdtwo")])
def test_the_end_as_text(log: Path, limit_bytes: int, expected: str):
    add(log, b"one\xfftwo")
    with Tail(log) as tail:
        assert tail.end(limit_bytes) == expected
