"""What a person types, read: answers in one message, and the parts of a text that was too long for the phone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samoloop.ui.telegram.updates import PART_UNITS, Other, Said, Update, answers_in, joined, may_go_on

LONG = "long " * 820  # 4,100 units, of which a phone sends 4,096


def said(number: int, text: str, *, user: int = 7, at: float = 0.0, reply_to: int | None = None) -> Said:
    return Said(number, 7, user, "Ann", 100 + number, text, at, reply_to)


@pytest.mark.parametrize(
    "text, found",
    [
        ("Q1=B Q2=A", {"Q1": "B", "Q2": "A"}),
        ("q1 = b, q12=only for admins; Q3='with = sign'", {"Q1": "b", "Q12": "only for admins", "Q3": "with = sign"}),
        ("Q1=B\nQ2=two\nlines", {"Q1": "B", "Q2": "two\nlines"}),
        ("Q1=“quoted”", {"Q1": "quoted"}),
        ("Q1=", {"Q1": ""}),
        ("Q1: what is that?", {}),
        ("as in Q1=B", {}),
        ("xQ1=B", {}),
        ("B", {}),
    ],
)
def test_several_answers_are_read_from_one_message(text: str, found: dict[str, str]) -> None:
    assert answers_in(text) == found


@given(st.lists(st.sampled_from("ABCDEFGH"), min_size=1, max_size=9), st.sampled_from([" ", ", ", "\n", ";"]))
def test_every_answer_is_found_in_its_place(letters: list[str], between: str) -> None:
    pairs = {f"Q{number}": letter for number, letter in enumerate(letters, 1)}
    assert answers_in(between.join(f"{id}={letter}" for id, letter in pairs.items())) == pairs


def test_the_parts_of_a_long_text_are_one_message_with_the_number_of_the_last() -> None:
    parts = [said(1, LONG[:4096], reply_to=50), said(2, LONG[4096:], reply_to=50), said(3, "and that")]
    whole, other = joined(parts)
    assert isinstance(whole, Said) and whole.text == LONG
    assert (whole.update_id, whole.parts, whole.message_id, whole.reply_to) == (2, (1,), 101, 50)
    assert other == parts[2]


def test_a_text_that_was_cut_at_the_end_of_a_line_keeps_its_lines() -> None:
    whole = joined([said(1, "x" * 3000), said(2, "y" * 3000), said(3, "z")])[0]
    assert isinstance(whole, Said) and whole.text == f"{'x' * 3000}\n{'y' * 3000}\nz"
    assert (whole.update_id, whole.parts) == (3, (1, 2))


@pytest.mark.parametrize(
    "second",
    [
        said(2, "of another person", user=8),
        said(2, "much later", at=9.0),
        said(2, "to something else", reply_to=51),
        said(2, "/status"),
        Other(2),
    ],
)
def test_what_does_not_go_on_stands_apart(second: Update) -> None:
    updates = [said(1, "x" * 3000, reply_to=50), second]
    assert joined(updates) == updates


def test_only_a_long_text_may_go_on() -> None:
    assert may_go_on(said(1, "x" * PART_UNITS)) and not may_go_on(said(1, "x" * (PART_UNITS - 1)))
    assert not may_go_on(Other(1))
