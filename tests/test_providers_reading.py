import pytest

from samoloop.core.events import Trouble
from samoloop.providers.reading import (
    amount,
    count,
    ended_by_signal,
    mapping,
    objects,
    one_line,
    parse_object,
    status_trouble,
    text,
    tool_detail,
)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b'  {"a": 1}\r', {"a": 1}),
        (b"[1]", None),
        (b"null", None),
        (b"plain words {", None),
        (b'{"a": ', None),
        (b'{"a": "\xff"}', {"a": "\ufffd"}),
        (b"", None),
        (b'{"a":' * 100_000, None),
        (b'{"a": ' + b"9" * 5_000 + b"}", None),
    ],
)
def test_only_a_json_object_is_an_event(line, found):
    assert parse_object(line) == found


def test_a_lone_surrogate_does_not_reach_a_file():
    event = parse_object(b'{"text": "a\\ud800b"}')
    assert text(event, "text") == "a?b"


@pytest.mark.parametrize("value", [True, -1, 1.5, "3", None, [], 10**400, float("nan"), float("inf")])
def test_a_count_is_a_whole_number_or_nothing(value):
    assert count({"n": value}, "n") is None


@pytest.mark.parametrize("value", [True, -0.5, "3", None, 10**400, float("nan"), float("inf")])
def test_an_amount_is_a_finite_number_or_nothing(value):
    assert amount({"n": value}, "n") is None


def test_what_has_another_shape_is_empty():
    assert mapping({"a": {"b": [1]}}, "a", "b") == {}
    assert mapping([1], "a") == {}
    assert list(objects({"a": {"b": 1}}, "a")) == []
    assert list(objects({"a": [1, {"b": 1}, None]}, "a")) == [{"b": 1}]
    assert text({"a": 1}, "a") == ""


def test_a_detail_is_one_short_line():
    assert tool_detail({"description": "run it", "command": "\n  make test\nrm x"}) == "make test"
    assert len(one_line("x" * 1_000_000)) == 200
    assert tool_detail({"n": 1}) == ""


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        (401, Trouble.LOGIN),
        (403, Trouble.LOGIN),
        (402, Trouble.BILLING),
        (404, Trouble.MODEL),
        (413, Trouble.CONTEXT),
        (429, Trouble.RATE),
        (500, Trouble.OVERLOAD),
        (529, Trouble.OVERLOAD),
        (400, Trouble.OTHER),
        (None, Trouble.OTHER),
    ],
)
def test_a_status_names_a_trouble(status, trouble):
    assert status_trouble(status) is trouble


@pytest.mark.parametrize(
    ("code", "by_signal"), [(None, True), (-15, True), (143, True), (130, True), (1, False), (0, False)]
)
def test_a_signal_is_known_by_the_exit_code(code, by_signal):
    assert ended_by_signal(code) is by_signal
