"""Durations as people write them and as they read them."""

import pytest

from samoloop.base.durations import format_seconds, parse_seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30m", 1800),
        ("90s", 90),
        ("2h", 7200),
        ("2h30m", 9000),
        ("1h1m1s", 3661),
        ("45", 45),
        (" 10m ", 600),
        (0, 0),
        ("0", 0),
        (3600, 3600),
    ],
)
def test_a_duration_is_read(value: object, seconds: int) -> None:
    assert parse_seconds(value) == seconds


@pytest.mark.parametrize(
    "value",
    ["", "soon", "30 m", "1.5h", "-5", -5, 1.5, True, None, [], "m", "30M", "1d", "1:30", "9" * 5000, 10**12, "9" * 39],
)
def test_what_is_no_duration_is_named(value: object) -> None:
    with pytest.raises(ValueError, match="a duration is 30m, 90s, 2h or whole seconds, got "):
        parse_seconds(value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0s"),
        (0, "0.0s"),
        (0.44, "0.4s"),
        (9.94, "9.9s"),
        (10, "10s"),
        (59.4, "59s"),
        (59.6, "1m 00s"),
        (185, "3m 05s"),
        (3599.7, "1h 00m"),
        (7800, "2h 10m"),
        (360000, "100h 00m"),
    ],
)
def test_a_duration_is_shown(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
