"""In a group the bot is silent, but where a session's topic, a reply to it, or its name calls it."""

from collections.abc import Callable
from typing import Any

import pytest
from bot_api import Message
from phone import GROUP, Phone
from session_work import ONE_QUESTION, Work

from samoloop.ui.telegram.drafts import Drafts

pytestmark = pytest.mark.slow
NAME = "@samoloop_test_bot"


def in_group(phone: Phone, **what: Any) -> Work:
    phone.in_group(**what)
    return phone.work()


def answers_to(phone: Phone, talk: Callable[[], object]) -> list[Message]:
    """What the bot says to `talk`, with all of which it is through when it tells of its commands
    and has asked about every text."""
    phone.bot("iteration 0")
    before = phone.standin.messages(GROUP)
    talk()
    phone.ann.say(f"/help{NAME}")

    def said() -> list[Message]:
        return phone.standin.messages(GROUP)[len(before) :]

    phone.standin.wait(lambda: [m for m in said() if "/help: " in m["shown"]])
    phone.standin.wait(lambda: not Drafts(phone.folder).not_asked())
    return [m for m in said() if "/help: " not in m["shown"]]


def test_it_says_nothing_to_what_is_not_meant_for_it(phone: Phone) -> None:
    work = in_group(phone)
    bob = phone.another(99, "Bob")

    def talk() -> None:
        for words in ("hello all", "/status", "/nonsense", "/stop@other_bot", "/tell@other_bot hello", f"me{NAME}"):
            phone.ann.say(words)
        phone.ann.forward("use the small library")
        phone.ann.send("photo", b"picture", "look at this")
        phone.ann.send("voice", b"voice")
        bob.say("who is there?")
        phone.ann.reply(bob.said[-1], "/resume")

    with phone.relay():
        assert answers_to(phone, talk) == []
    assert work.read("_inbox.md") == ""


def test_its_name_calls_it(phone: Phone) -> None:
    work = in_group(phone)
    with phone.relay():
        answers = answers_to(phone, lambda: phone.ann.say(f"/tell{NAME.upper()} jwt-auth mind the cache"))
        assert "Told jwt-auth" in answers[0]["shown"]
        (asked,) = answers_to(phone, lambda: phone.ann.say(f"{NAME} use the small library"))
        assert "What is this for?" in asked["shown"]
        assert "use the small library" in asked["shown"]
        assert NAME not in asked["shown"]
    assert "mind the cache" in work.read("_inbox.md")


def test_a_reply_to_it_is_heard_and_one_to_another_is_not(phone: Phone) -> None:
    work = in_group(phone)
    work.ask(ONE_QUESTION)
    with phone.relay():
        asked = phone.bot("Which library?")
        bob = phone.another(99, "Bob")
        bob.say("pyjwt or our own?")
        answers = answers_to(phone, lambda: (phone.ann.reply(bob.said[-1], "pyjwt"), phone.ann.reply(asked, "our own")))
        assert ["Q2 answered" in answer["shown"] for answer in answers] == [True]
    assert "**Answer:** our own" in work.read("_qa.md")


def test_all_of_a_session_s_topic_is_heard_and_of_another_nothing(phone: Phone) -> None:
    work = in_group(phone, is_forum=True)
    work.ask()
    with phone.relay():
        thread = phone.bot("Which library?")["message_thread_id"]
        with phone.standin.changed:
            made = {"from": phone.ann.user, "forum_topic_created": {"name": "pub"}}
            pub = phone.standin.store(phone.chat, made, "")
        phone.chat.topics[pub["message_id"]] = "pub"

        def talk() -> None:
            phone.ann.say("who comes?", thread=pub["message_id"])
            phone.ann.say("/tell hello", thread=pub["message_id"])
            phone.ann.say("/tell mind the cache", thread=thread)

        answers = answers_to(phone, talk)
        assert ["Told jwt-auth" in answer["shown"] for answer in answers] == [True]
    assert "hello" not in work.read("_inbox.md")


def test_alone_a_command_for_another_bot_does_nothing(phone: Phone) -> None:
    work = phone.work()
    with phone.relay():
        phone.ann.say("/tell@other_bot hello")
        phone.ann.say(f"/tell{NAME} mind the cache")
        phone.bot("Told jwt-auth")
    assert "hello" not in work.read("_inbox.md")
    assert "mind the cache" in work.read("_inbox.md")
