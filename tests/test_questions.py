"""Questions and answers in one Markdown file that children, people and editors write."""

import re
import time

import pytest
from arbitrary import PROPERTY, nasty_text
from hypothesis import given, settings
from hypothesis import strategies as st

from samoloop.api.findings import parse as findings
from samoloop.core.gates.fields import fields
from samoloop.core.gates.questions import Question, harmless, opened, parse, waiting, with_answers, words
from samoloop.core.overview import phase_line, with_worker_lines

TEXT = """\
# Questions

### Q1: Which token lifetime?
Why it matters, in a line or two.
And a second.
A) 15 minutes with refresh
B) 24 hours
**Suggestion:** A - limits the damage of a leak
**Answer:** _waiting_

### Q2: Who may log in?
**Answer:** _waiting_

## Notes

### Q3. And then?
- A) this
B. that
**Suggestion:** the usual way
**Answer:** _waiting_
"""


def answer_of(text: str, id: str = "Q1") -> str:
    return next(question.answer for question in parse(text) if question.id == id)


def file_with(answer: str) -> str:
    return (
        f"# Questions\n\n### Q1: Which?\nA) one\nB) two\n**Answer:** {answer}\n\n### Q2: Next?\n**Answer:** _waiting_\n"
    )


def test_a_question_is_read_with_all_its_parts() -> None:
    first, second, third = parse(TEXT)
    assert first == Question(
        "Q1",
        "Which token lifetime?",
        why="Why it matters, in a line or two. And a second.",
        options=(("A", "15 minutes with refresh"), ("B", "24 hours")),
        suggestion="A - limits the damage of a leak",
    )
    assert second == Question("Q2", "Who may log in?")
    assert third == Question("Q3", "And then?", options=(("A", "this"), ("B", "that")), suggestion="the usual way")


@pytest.mark.parametrize("line", ["A) one", "A. one", "- A) one", "* A. one", "**A)** one", "**A.** one", "  A) one"])
def test_options_may_be_written_in_many_ways(line: str) -> None:
    text = f"### Q1: Which?\n{line}\n**Answer:** _waiting_\n"
    assert parse(text)[0].options == (("A", "one"),)


@pytest.mark.parametrize(
    ("suggestion", "answer"),
    [
        ("A - limits the damage", "A"),
        ("**B**, because", "B"),
        ("A", "A"),
        ("D - there is no D", "D - there is no D"),
        ("As before", "As before"),
        ("", ""),
    ],
)
def test_a_suggestion_is_taken_by_its_letter_or_its_words(suggestion: str, answer: str) -> None:
    question = Question("Q1", "t", options=(("A", "one"), ("B", "two")), suggestion=suggestion)
    assert question.suggested_answer == answer


@pytest.mark.parametrize(
    "mark",
    [
        *("_waiting_", "", " ", "waiting", "*waiting*", "**_waiting_**", "...", "_", "_wait", "_waiting", "---"),
        *("<!-- hint -->", "_waiting_ <!-- hint -->", "<!-- cut", "<!"),
    ],
)
def test_what_is_no_answer_waits(mark: str) -> None:
    assert answer_of(file_with(mark)) == ""
    assert [question.id for question in waiting(file_with(mark))] == ["Q1", "Q2"]


@pytest.mark.parametrize(
    ("written", "answer"),
    [
        ("A", "A"),
        ("A - but only for admins", "A - but only for admins"),
        ("neither, use the session", "neither, use the session"),
        ("_waiting_ B", "B"),
        ("B _waiting_", "B"),
        ("**B**", "**B**"),
        ("B <!-- by ada -->", "B"),
        ("B <!-- a remark --> or so", "B  or so"),
        ("one\n\nand two\n\n---", "one\n\nand two"),
        ("- first\n- second", "- first\n- second"),
        ("wait", "wait"),
    ],
)
def test_an_answer_is_a_letter_a_letter_with_words_or_words(written: str, answer: str) -> None:
    assert answer_of(file_with(written)) == answer
    assert answer_of(file_with(written), "Q2") == ""


@pytest.mark.parametrize(
    "line",
    ["**Answer:** B", "**Answer**: B", "Answer: B", "answer: B", "- **Answer:** B", "__Answer:__ B", "*Answer*: B"],
)
def test_the_answer_line_may_be_decorated(line: str) -> None:
    assert answer_of(f"### Q1: Which?\n{line}\n") == "B"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_any_editor_s_line_ends_will_do(newline: str) -> None:
    text = with_answers(TEXT, {"Q1": "A"}).replace("\n", newline)
    assert answer_of(text) == "A"
    assert [question.id for question in waiting(text)] == ["Q2", "Q3"]


def test_an_answer_is_signed_and_the_signature_is_no_part_of_it() -> None:
    text = with_answers(TEXT, {"Q1": "A"}, by="ada (phone)")
    assert "**Answer:** A <!-- by ada (phone) -->\n" in text
    first = parse(text)[0]
    assert (first.answer, first.by) == ("A", "ada (phone)")


@pytest.mark.parametrize("by", ["x --> y", "x ---> y", "<!-- z", "a\nb", "----", "-->"])
def test_no_name_breaks_out_of_its_signature(by: str) -> None:
    first, second, third = parse(with_answers(TEXT, {"Q1": "A"}, by=by))
    assert (first.answer, second.answer, third.answer) == ("A", "", "")


def test_answering_changes_nothing_else_of_the_file() -> None:
    text = TEXT.replace("Why it matters", "Why\u2028 it\x0c matters").replace("## Notes", "## Notes\n\n| a | b |")
    changed = with_answers(text, {"Q2": "admins"})
    assert changed == text.replace("log in?\n**Answer:** _waiting_", "log in?\n**Answer:** admins")


def test_an_answer_can_be_taken_back() -> None:
    assert with_answers(with_answers(TEXT, {"Q1": "A", "Q3": "B"}), {"Q1": "", "Q3": " "}) == opened(TEXT, {})


def test_a_question_without_an_answer_line_gets_one() -> None:
    assert with_answers("### Q1: Which?\nA) one\n\n", {"Q1": "A"}) == "### Q1: Which?\nA) one\n**Answer:** A\n\n"


def test_an_example_in_a_fence_is_no_question() -> None:
    text = "```\n### Q1: shape\n**Answer:** B\n```\n### Q2: real\n```\n**Answer:** B\n```\n**Answer:** _waiting_\n"
    assert [(question.id, question.answer) for question in parse(text)] == [("Q2", "")]
    assert answer_of(with_answers(text, {"Q2": "yes"}), "Q2") == "yes"


def test_a_fence_may_be_indented() -> None:
    text = "### Q1: Which?\n  ```\n**Answer:** B\n  ```\n**Answer:** _waiting_\n"
    assert answer_of(text) == ""
    assert answer_of(with_answers(text, {"Q1": "A"})) == "A"


def test_a_fence_that_nobody_closed_does_not_make_a_question_unanswerable() -> None:
    text = opened("### Q1: Which?\n```\nsome code\n**Answer:** _waiting_\n", {})
    assert [question.id for question in waiting(text)] == ["Q1"]
    assert answer_of(with_answers(text, {"Q1": "A"})) == "A"


def test_a_repeated_question_stands_where_its_last_one_stands() -> None:
    text = "### Q1: a\n**Answer:** A\n### Q2: b\n**Answer:** B\n### Q1: c\n**Answer:** C\n"
    assert [(question.id, question.title, question.answer) for question in parse(text)] == [
        ("Q2", "b", "B"),
        ("Q1", "c", "C"),
    ]


def test_what_is_neither_option_nor_field_says_why_only_before_them() -> None:
    text = "### Q1: **Xerox, or X**\nwhy\nA) one\nnot why\n**Suggestion:** A\nnor this\n**Answer:** A\n"
    first = parse(text)[0]
    assert (first.title, first.why, first.options, first.suggestion) == ("Xerox, or X", "why", (("A", "one"),), "A")


def test_long_answers_are_replaced_all_at_once() -> None:
    long = with_answers(TEXT, {"Q1": "one\n\ntwo\nthree", "Q2": "four\nfive"})
    assert with_answers(long, {"Q1": "", "Q2": "x", "Q3": "y"}) == with_answers(TEXT, {"Q1": "", "Q2": "x", "Q3": "y"})


@pytest.mark.parametrize(
    "letter", [*"\u00a0\u2003\u00ad\u200b\u2060\x07\x7f\ufeff", *"\u034f\u115f\u1160\u17b4\u2800\u3164\uffa0"]
)
def test_what_nobody_can_see_says_nothing(letter: str) -> None:
    assert words(letter) == words(f" {letter}_waiting_{letter}. ") == ""
    assert words(f"A{letter}B") == f"A{letter}B"


@pytest.mark.parametrize("letter", [*"Aaé漢٣+€^-(", "\u0301"])
def test_any_letter_that_is_drawn_says_something(letter: str) -> None:
    assert words(letter) == letter


def test_a_name_keeps_its_words_in_its_signature() -> None:
    assert "**Answer:** A <!-- by a  b  c -->\n" in with_answers(TEXT, {"Q1": "A"}, by="a --> b <!-- c")


@pytest.mark.parametrize("line", ["X# heading", "X**Answer:** B", "X---", "X```", "# ", "\\# twice", "\\X#"])
def test_only_what_could_be_read_as_something_else_is_escaped(line: str) -> None:
    assert harmless(line) == (line if "X" in line else f"\\{line.strip()}")
    assert words(harmless(line)) == line.strip()


# --- opening ----------------------------------------------------------------------------------------------------------

GIVEN = {"Q1": {"title": "Which token lifetime?", "answer": "A\n### not a question"}}


def test_opening_keeps_what_a_person_answered_and_blanks_the_rest() -> None:
    text = opened(with_answers(TEXT, {"Q1": "B, said the child", "Q2": "everybody"}), GIVEN)
    assert [(q.id, q.answer) for q in parse(text)] == [("Q1", "A\n### not a question"), ("Q2", ""), ("Q3", "")]
    assert "<!--" not in text


def test_an_answer_counts_for_the_same_question_only() -> None:
    text = opened(TEXT.replace("Which token lifetime?", "Delete everything?"), GIVEN)
    assert [question.id for question in waiting(text)] == ["Q1", "Q2", "Q3"]


def test_of_a_repeated_question_only_the_last_stays() -> None:
    text = opened("### Q1: First?\n**Answer:** B\n\n### Q1: Second?\n**Answer:** _waiting_\n", {})
    assert text == "### Q1: Second?\n**Answer:** _waiting_\n\n"


def test_opening_twice_is_opening_once() -> None:
    once = opened(TEXT, GIVEN)
    assert opened(once, GIVEN) == once


# --- whatever is written ----------------------------------------------------------------------------------------------


def as_text(answer: str) -> str:
    """An answer as it can be read back: line ends and outer white space do not count, saying nothing is no answer."""
    return re.sub(r"\r\n|\r", "\n", answer.strip()) if words(answer) else ""


@PROPERTY
@given(nasty_text(), nasty_text(), st.text(max_size=20))
def test_any_answer_reads_back_and_touches_no_other_question(one: str, two: str, by: str) -> None:
    before = parse(TEXT)
    after = parse(with_answers(TEXT, {"Q1": one, "Q3": two}, by))
    assert [question.answer for question in after] == [as_text(one), "", as_text(two)]
    for old, new in zip(before, after, strict=True):
        assert (new.id, new.title, new.why, new.options) == (old.id, old.title, old.why, old.options)
        assert new.suggestion == old.suggestion


@PROPERTY
@given(nasty_text(), nasty_text())
def test_an_answer_that_is_changed_is_replaced_as_a_whole(one: str, two: str) -> None:
    text = with_answers(with_answers(TEXT, {"Q2": one}), {"Q2": two})
    assert text == with_answers(TEXT, {"Q2": two})


@settings(PROPERTY, max_examples=80)
@given(st.lists(st.one_of(nasty_text(), st.just(TEXT)), max_size=2).map("\n".join))
def test_whatever_the_child_wrote_nothing_is_answered_at_opening_nor_in_any_part_of_it(text: str) -> None:
    text = opened(text, {})
    assert all(not question.answer for question in parse(text))
    for cut in range(len(text)):
        assert all(not question.answer for question in parse(text[:cut]))


@PROPERTY
@given(nasty_text())
def test_what_a_person_answered_before_survives_another_opening(answer: str) -> None:
    given = {"Q2": {"title": "Who may log in?", "answer": as_text(answer)}}
    assert answer_of(opened(TEXT, given), "Q2") == as_text(answer)


# --- however much is written ------------------------------------------------------------------------------------------

RUNS = [
    *(
        " ",
        "\t",
        "_",
        "*",
        "-",
        "`",
        "\\",
        "#",
        ":",
        ".",
        "\n",
        "\r",
        " \n",
        "a b\n\n",
        "---\n",
        "```\n",
        "# \n",
        "A) x\n",
    ),
    *("<!--", "-->", "<!-- by x ", "<!-- by", "\\<!--", "_waiting_", "### Q1:a\n", "### Q1\n", "### F1: a\n", "- "),
    *("**Answer:** _waiting_\n", "**Suggestion:** A\n", "## Status\n", "\u200b"),
]
PLACES = [
    "{}",
    "### Q1: a{}x\n**Answer:** _waiting_\n",
    "### Q1: a\n**Answer:** {}x\n### Q2: b\n",
    "### Q1: a\n**Answer:** x{}\n",
    "### Q1: a\nA) x{}y\n**Suggestion:** {}y\n",
    "### Q1: a\n{}Answer{}x\n",
    "###{}Q",
    "## Status\nPhase: a{}b\n",
    "## Status\n{}b\nPhase: x\n",
    "### F1: x\nStatus{}\n",
    "### F1: x\n{}y\n",
]


def readings(text: str) -> list[object]:
    """All that is read out of what a child wrote by patterns, and what is written back."""
    return [
        opened(text, {}),
        with_answers(text, {"Q1": text}, by=text),
        fields(text),
        phase_line(text),
        with_worker_lines(text, phase="a", iteration=1, blocked="no"),
        list(findings("a-testing-x.md", text)),
    ]


def seconds(text: str) -> float:
    """How long reading takes this process; what else runs here does not count."""
    start = time.process_time()
    readings(text)
    return time.process_time() - start


@pytest.mark.parametrize("place", PLACES)
def test_reading_takes_time_that_grows_with_the_text_and_no_faster(place: str) -> None:
    for run in RUNS:
        short, long = (place.replace("{}", run * (length // len(run))) for length in (2_500, 10_000))
        assert any(seconds(long) < 8 * max(seconds(short), 0.002) for _ in range(3)), run
