"""Whom a message is meant for."""

from dataclasses import replace

import pytest

from samoloop.ui.telegram.address import meant
from samoloop.ui.telegram.updates import Said

BOT = "samoloop_bot"
ALONE = Said(1, 4711, 4711, "Ann", 7, "", 0.0)
IN_GROUP = replace(ALONE, chat=-500)


@pytest.mark.parametrize(
    "text, heard",
    [
        ("hello all", None),
        ("/status", None),  # it may be for any of the bots there
        ("/status@samoloop_bot", "/status"),
        ("/Status@Samoloop_Bot jwt-auth", "/Status jwt-auth"),
        ("/stop@other_bot", None),
        ("/stop@samoloop_bot2", None),
        ("/stop@other_bot and tell @samoloop_bot", None),
        ("@samoloop_bot use the small library", "use the small library"),
        ("@Samoloop_Bot, use it", "use it"),
        ("please ask @samoloop_bot", "please ask @samoloop_bot"),
        ("ask @samoloop_bot_2", None),
        ("mail ann@samoloop_bot", None),
        ("", None),
    ],
)
def test_in_a_group_only_what_names_the_bot(text: str, heard: str | None) -> None:
    found = meant(replace(IN_GROUP, text=text), BOT, in_topic=False)
    assert (found.text if found else None) == heard


@pytest.mark.parametrize("text", ["hello", "/status", ""])
def test_in_a_group_all_of_a_topic_and_every_reply_to_it(text: str) -> None:
    said = replace(IN_GROUP, text=text)
    assert meant(said, BOT, in_topic=True) == said
    reply = replace(said, answers_bot=True, reply_to=5)
    assert meant(reply, BOT, in_topic=False) == reply
    assert meant(replace(said, reply_to=5), BOT, in_topic=False) is None  # to another person


@pytest.mark.parametrize("chat", [4711, -500])
def test_a_command_for_another_bot_is_never_ours(chat: int) -> None:
    said = replace(ALONE, chat=chat, text="/stop@other_bot now", answers_bot=True)
    assert meant(said, BOT, in_topic=True) is None
    assert meant(said, "", in_topic=True) is None


def test_alone_all_is_ours() -> None:
    for text in ("hello", "/status", "", "/usr/bin/x is wrong", "write to a@b.example"):
        assert meant(replace(ALONE, text=text), BOT, in_topic=False) == replace(ALONE, text=text)


def test_without_a_name_a_group_is_silent() -> None:
    assert meant(replace(IN_GROUP, text="@samoloop_bot hello"), "", in_topic=False) is None
