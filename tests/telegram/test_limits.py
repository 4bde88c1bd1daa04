"""The limits of the medium: 4,096 characters, 64 bytes, HTML, any script."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from message_rules import CALLBACK_LIMIT_BYTES, Refused, plain_text, units
from phone import ANN, Phone
from session_work import QUESTIONS, WORKFLOW

from samoloop.core.gates.questions import Question
from samoloop.core.records import Created, GateClosed, Halted, Resumed
from samoloop.core.signals import GateKind
from samoloop.core.state import Condition, State
from samoloop.core.words import News
from samoloop.ui.telegram import buttons, render, text
from samoloop.ui.telegram.buttons import Press
from samoloop.ui.telegram.ledger import Ledger, Sent
from samoloop.ui.telegram.render import Gated, Outgoing
from samoloop.worker.outbox import Announcement

NASTY = "a <b> & `x<y` **bold** _under_ 👩‍👩‍👧 שלום \u202eevil </pre> ]]> &amp; \x00 ```"
ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=400) | st.just(NASTY)
GATED = Gated(Path("/somewhere/_sessions/26-11-21-x"), "g1")


def fits(message: Outgoing) -> None:
    """What the server would say to it."""
    shown = plain_text(message.html, "HTML")
    assert units(shown) <= (1024 if message.document else 4096)
    for row in message.rows:
        for button in row:
            assert 1 <= len(button.data.encode()) <= CALLBACK_LIMIT_BYTES
            assert button.label.strip()


@given(ANY_TEXT, ANY_TEXT, st.lists(ANY_TEXT, max_size=5), ANY_TEXT, st.integers(1, 30))
def test_any_question_can_be_sent(title: str, why: str, options: list[str], suggestion: str, times: int) -> None:
    letters = tuple(("ABCDE"[index], words) for index, words in enumerate(options))
    asked = Question("Q12", title, why * times, letters, suggestion)
    messages = render.question("26-11-21-" + "x" * 90, asked, "1 of 3", GATED)
    for message in messages:
        fits(message)
    assert len(messages[-1].rows) == len(options) + 1


@given(st.lists(st.tuples(ANY_TEXT, ANY_TEXT, st.lists(ANY_TEXT, max_size=7), ANY_TEXT, ANY_TEXT), min_size=2,
                max_size=9), st.integers(1, 20))  # fmt: skip
def test_any_summary_can_be_sent(given: list[tuple[str, str, list[str], str, str]], times: int) -> None:
    asked = [
        Question(f"Q{n}", title, why * times, tuple(zip("ABCDEFG", options, strict=False)), suggestion, answer, "Ann")
        for n, (title, why, options, suggestion, answer) in enumerate(given, 1)
    ]
    for change in ("", "Q1", "Q2"):
        shown = render.summary("project · " + "x" * 90, asked, GATED, change)
        fits(shown)
        assert max(map(len, shown.rows), default=0) <= 8 and sum(map(len, shown.rows)) <= 100


@given(
    ANY_TEXT,
    ANY_TEXT,
    st.integers(1, 60),
    st.sampled_from([k for k in News if k not in ("questions", "plan", "action")]),
)
def test_any_news_can_be_sent(words: str, other: str, times: int, kind: News) -> None:
    given = Announcement(
        kind, "26-11-21-jwt", words, "testing", 3, words * times, other, resumes_at=1e9, cost_usd=1.0, ceiling_usd=2.0,
        seconds=99.0, branch=other, commits=(words,) * 20, diff_stat=other * times, command=other, gaps=other * times,
    )  # fmt: skip
    for message in render.news(given):
        fits(message)


@given(ANY_TEXT, st.integers(0, 300))
def test_any_plan_can_be_sent(words: str, times: int) -> None:
    for message in render.plan("26-11-21-jwt", "plan.md", words * times, "f" * 64, GATED, words * times):
        fits(message)


@given(ANY_TEXT, ANY_TEXT)
def test_any_status_and_listing_can_be_sent(words: str, other: str) -> None:
    created = Created(session="26-11-21-jwt", title=words, workflow=WORKFLOW)
    fits(render.status("26-11-21-jwt", State(created, condition=Condition.WAITING, phase=words), 61.0, other))
    fits(render.listing(render.head("📜", words, other), words * 9, "log.txt"))
    fits(render.diff(words, other * 9, "x.diff"))
    done = GateClosed(
        gate="g1", kind=GateKind.QA_ANSWERS, verdict="answered", by=words, answers={"Q1": {"answer": other}}
    )
    fits(render.log(words, [Resumed(by=other), done, Halted(condition=Condition.BLOCKED, reason=other)] * 9, 0.0))


@given(st.lists(ANY_TEXT, max_size=40))
def test_packing_loses_no_line_and_keeps_the_order(lines: list[str]) -> None:
    escaped = [text.escape(line) for line in lines if "\n" not in line]
    assert [line for part in text.pack(escaped) for line in part.split("\n") if line.strip()] == [
        line for whole in escaped for line in whole.split("\n") if line.strip()
    ]


def test_the_longest_button_fits() -> None:
    gate, question = "g" * 200, "Q" * 200
    for target in (buttons.target_tag(gate), buttons.target_tag(gate, question), "9" * 12):
        press = Press(buttons.About.ANSWER, "a" * 8, target, "b" * 8, "answer:Q123")
        assert len(press.pack().encode()) <= CALLBACK_LIMIT_BYTES
        assert buttons.unpack(press.pack()) == press


@pytest.mark.parametrize("data", ["", "a|b", "z|1|2|3|4", "a|1|2|3|4|5", "💥"])
def test_a_button_that_is_not_ours_is_nothing(data: str) -> None:
    assert buttons.unpack(data) is None


def test_markdown_is_shown_for_people() -> None:
    source = "## Steps\n- [ ] add `a<b>`\n- [x] **done**\n- plain * star\n1. one"
    assert text.markdown(source) == [
        "<b>Steps</b>", "☐ add <code>a&lt;b&gt;</code>", "☑ <b>done</b>", "• plain * star", "1. one",
    ]  # fmt: skip


def test_characters_that_reorder_a_line_are_not_shown() -> None:
    assert text.escape("plan \u202egnp.exe") == "plan gnp.exe"


def test_a_very_long_question_comes_in_parts_with_the_buttons_at_the_end(phone: Phone) -> None:
    work = phone.work()
    long_why = "\n".join(f"reason {number}: " + "x" * 90 for number in range(80))
    work.ask(QUESTIONS.replace("A leak is as long as the lifetime.", long_why.replace("\n", " ")))
    with phone.relay():
        last = phone.standin.wait(lambda: [m for m in phone.standin.messages(ANN, "24 hours") if "reply_markup" in m])
        assert "Open: Q1, Q2" in phone.bot("2 questions, 2 open")["shown"]
        phone.ann.toast(phone.ann.tap(last[0], "A ·"))
        phone.standin.wait(lambda: phone.standin.messages(ANN, "2 questions, 1 open\nOpen: Q2"))
    assert any("reason 0:" in message["shown"] for message in phone.standin.messages(ANN))


def test_a_very_long_reason_travels_as_a_file(phone: Phone) -> None:
    work = phone.work()
    reason = "\n".join(f"line {number} <&>" for number in range(2000))
    work.block(reason)
    with phone.relay():
        document = phone.bot("The whole text")
        assert document["content"].decode() == reason
        phone.ann.reply(phone.bot("blocked in testing"), "go on")
        phone.bot("its next iteration reads it")


@pytest.mark.parametrize("wrong", ["<b>open", "a < b", "<b><i>x</b></i>", "<table>", "</b>"])
def test_the_stand_in_refuses_what_the_server_would(wrong: str) -> None:
    with pytest.raises(Refused, match="can't parse entities"):
        plain_text(wrong, "HTML")


def test_a_torn_or_forged_ledger_line_is_passed_over(tmp_path: Path) -> None:
    ledger = Ledger.load(tmp_path)
    ledger.look()
    ledger.sent(Sent(7, "question", 1.0, gate="g1", waits=True))
    with ledger.path.open("a") as file:
        file.write('\n{"event": "sent", "id"')
    ledger.closed(6)
    with ledger.path.open("a") as file:
        file.write('\n{"event": "sent"}\n{"event": "effect"}\n[1]\n"x"')
    again = Ledger.load(tmp_path)
    assert set(again.live) == {7}
