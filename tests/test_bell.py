"""A bell is heard at once, rings into nothing without harm, and is hung anew where it was taken away."""

import os
import select
from pathlib import Path

import pytest

from samoloop.base.bell import Bell, ring


@pytest.fixture
def listening() -> list[int]:
    return []


@pytest.fixture
def bell(tmp_path: Path, listening: list[int]) -> Bell:
    bell = Bell(tmp_path / "bell", listening.append, listening.remove)
    bell.hang()
    return bell


def rang(listening: list[int]) -> bool:
    return bool(select.select(listening, [], [], 0)[0])


def test_it_is_heard_until_it_is_hushed(bell: Bell, listening: list[int], tmp_path: Path) -> None:
    assert not rang(listening)
    ring(tmp_path / "bell")
    ring(tmp_path / "bell")
    assert rang(listening)
    bell.hush()
    assert not rang(listening)
    bell.close()
    assert listening == []


def test_it_rings_into_nothing_without_harm(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("mine")
    (tmp_path / "link").symlink_to(other)
    os.mkfifo(tmp_path / "nobody")
    for name in ("missing", "other", "link", "nobody", "missing/bell"):
        ring(tmp_path / name)
    assert other.read_text() == "mine"


def test_one_that_rings_too_often_waits_for_nobody(bell: Bell, listening: list[int], tmp_path: Path) -> None:
    for _ in range(100_000):  # more than a pipe holds
        ring(tmp_path / "bell")
    bell.hush()
    assert not rang(listening)
    bell.close()


@pytest.mark.parametrize("put", [Path.unlink, lambda path: path.unlink() or path.mkdir()])
def test_it_is_hung_anew_where_something_else_is(bell: Bell, listening: list[int], tmp_path: Path, put) -> None:  # type: ignore[no-untyped-def]
    put(tmp_path / "bell")
    bell.hang()
    bell.hang()
    assert len(listening) == 1
    ring(tmp_path / "bell")
    assert rang(listening)
    bell.close()
