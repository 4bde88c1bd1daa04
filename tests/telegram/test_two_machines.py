"""Two machines with one bot: it is said, and no answer is lost or reaches the wrong session."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from phone import ANN, PACE, Phone

from samoloop.ui.telegram.buttons import About, Press

pytestmark = pytest.mark.slow  # they take turns
HURRIED = replace(PACE, poll=1, left=30.0)  # as long as in life: a machine that is busy takes its turn late


@pytest.fixture
def other(phone: Phone, tmp_path: Path) -> Phone:
    """Another machine, with the same bot and a state folder of its own."""
    other = Phone(phone.standin, tmp_path / "other")
    other.chat, other.ann = phone.chat, phone.ann
    return other


def test_answers_reach_their_machine_and_the_chat_says_that_there_are_two(phone: Phone, other: Phone) -> None:
    seed = random.randrange(10**6)
    works = [side.work(f"26-11-21-{name}") for side, name in ((phone, "here"), (other, "there"))]
    for work in works:
        work.ask()
    with phone.relay(HURRIED), other.relay(HURRIED):
        messages = [
            (question, phone.bot(f"{name} · 2 questions")) for name in ("here", "there") for question in ("Q1", "Q2")
        ]
        phone.bot("another program polls this bot, perhaps on another machine")  # before that, it refuses the other's
        random.Random(seed).shuffle(messages)
        for question, message in messages:
            assert phone.ann.toast(phone.ann.tap(message, f"{question} B")).startswith("Q"), f"seed {seed}"
    for work in works:
        assert work.read("_qa.md").count("**Answer:** B <!-- by Ann (Telegram ") == 2


def test_what_no_machine_knows_is_passed_over_and_holds_up_the_others_for_a_moment_only(
    phone: Phone, other: Phone
) -> None:
    work = phone.work()
    work.ask()
    hurried = replace(HURRIED, left=5.0)
    with phone.relay(hurried), other.relay(hurried):
        message = phone.bot("Which library?")
        phone.bot("another program polls this bot")
        lost = phone.ann.tap_data(message, Press(About.ANSWER, "nobodys", "x", "y", "A").pack())
        assert phone.ann.toast(phone.ann.tap(message, "Q2 B")).startswith("Q2 answered")
        assert "Not a session of this machine" in phone.ann.toast(lost)


def test_one_machine_alone_does_not_wait_for_another(phone: Phone) -> None:
    phone.work().ask()
    with phone.relay():
        message = phone.bot("Which library?")
        lost = phone.ann.tap_data(message, Press(About.ANSWER, "nobodys", "x", "y", "A").pack())
        assert "Not a session of this machine" in phone.ann.toast(lost)
    assert not phone.standin.messages(ANN, "another program")


def test_who_listens_alone_again_says_so(phone: Phone, other: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samoloop.ui.telegram.api.RIVAL_SECONDS", 1.5)
    phone.work()
    with phone.relay(HURRIED):
        with other.relay(HURRIED):
            said = phone.bot("another program polls this bot")
        phone.standin.wait(lambda: "I hear you again" in phone.shown(said))
