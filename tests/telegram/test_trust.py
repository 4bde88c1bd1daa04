"""Who may act, and what never leaks."""

import asyncio
import logging
import traceback
from dataclasses import replace

import pytest
from bot_api import TOKEN
from phone import ANN, Phone

from samoloop.config.telegram_bot import parse
from samoloop.ui.telegram.api import TokenRefused
from samoloop.ui.telegram.relay import Relay


def test_a_stranger_gets_no_answer_and_is_logged_once(phone: Phone, caplog: pytest.LogCaptureFixture) -> None:
    work = phone.work()
    work.ask()
    eve = phone.another(666, "Eve")  # in the same chat, as in a group
    with phone.relay():
        message = phone.bot("Which token lifetime?")
        taps = [eve.tap(message, "Q1 A"), eve.tap(message, "Q1 B")]
        eve.reply(message, "B")
        eve.say("/stop")
        phone.ann.toast(phone.ann.tap(message, "Q1 A"))  # everything before it was handled
        assert not set(taps) & phone.standin.toasts.keys()
    assert "**Answer:** A <!-- by Ann" in work.read("_qa.md")
    assert work.read("_qa.md").count("_waiting_") == 1
    assert caplog.text.count("not on the allow list") == 1
    assert not [m for m in phone.standin.messages(ANN) if "jwt-auth stops" in m["shown"]]


def test_the_right_person_in_another_chat_is_a_stranger(phone: Phone) -> None:
    work = phone.work()
    work.ask()
    other = phone.standin.chat(-500, type="group")
    with phone.relay():
        message = phone.bot("Which token lifetime?")
        elsewhere = phone.another(ANN, "Ann", chat=other)
        tap = elsewhere.tap_data({**message, "chat": other.described()}, _data(message))
        elsewhere.say("/status")
        phone.ann.toast(phone.ann.tap(phone.bot("Which library?"), "Q2 B"))
        assert tap not in phone.standin.toasts
    assert phone.standin.messages(-500) == []
    assert work.read("_qa.md").count("_waiting_") == 1


def _data(message: dict) -> str:  # type: ignore[type-arg]
    return str(message["reply_markup"]["inline_keyboard"][0][0]["callback_data"])


def test_an_empty_allow_list_is_refused() -> None:
    found, problems = parse({"token": TOKEN, "chat": -500, "users": []}, {})
    assert found is None
    assert problems == ["telegram.users: it is empty: name the numbers of the people who may answer and approve"]


def test_a_group_must_name_its_people_and_a_private_chat_is_its_person() -> None:
    assert parse({"token": TOKEN, "chat": -500}, {})[0] is None
    found, problems = parse({}, {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_CHAT_ID": str(ANN)})
    assert problems == []
    assert found is not None
    assert found.users == {ANN}


def test_the_command_for_voices_is_a_list_and_may_be_below_a_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    found, problems = parse({"token": TOKEN, "chat": ANN, "transcribe": ["~/bin/hear", "~"]}, {})
    assert problems == []
    assert found is not None
    assert found.transcribe == ("/home/ann/bin/hear", "~")
    for wrong in ("hear", [], [1], ["a\0"]):
        assert parse({"token": TOKEN, "chat": ANN, "transcribe": wrong}, {})[0] is None


def test_nothing_configured_is_off_and_everything_wrong_is_named() -> None:
    assert parse({}, {}) == (None, [])
    assert parse({}, {"TELEGRAM_BOT_TOKEN": TOKEN}) == (None, [])
    wrong = {
        "token": "x",
        "chat": "me",
        "users": "ann",
        "remind": "soon",
        "quiet": "night",
        "topics": 1,
        "base_url": "x",
        "y": 1,
    }
    _, problems = parse(wrong, {})
    assert len(problems) == 8
    assert TOKEN not in "".join(problems)


@pytest.mark.parametrize("remind, seconds", [("off", 0), (False, 0), ("30m", 1800), (90, 90), ("2h", 7200)])
def test_reminders_are_off_or_a_duration(remind: object, seconds: float) -> None:
    found, _ = parse({"token": TOKEN, "chat": ANN, "remind": remind}, {})
    assert found is not None
    assert found.remind_seconds == seconds


def test_the_token_is_in_no_log_line_no_repr_and_no_file(phone: Phone, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    work = phone.work()
    work.ask()
    for act in ("cut", "refuse", "lose"):
        phone.standin.fault("*", act, times=2)
    with phone.relay():
        phone.ann.reply(phone.bot("Which library?"), "Q2=pyjwt")
        phone.standin.wait(lambda: "pyjwt <!--" in work.read("_qa.md"))
    assert TOKEN not in repr(phone.settings)
    assert TOKEN not in caplog.text
    written = [path for path in phone.tmp_path.rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if TOKEN.encode() in path.read_bytes()]


def test_a_wrong_token_ends_the_relay_without_naming_it(phone: Phone) -> None:
    settings = replace(phone.settings, token="123456:AAE-some-other-token-that-nobody-knows")

    async def run() -> None:
        await asyncio.wait_for(Relay(settings, phone.folder, phone.machine).run(), 10)

    with pytest.raises(TokenRefused, match="does not know the bot token") as refused:
        asyncio.run(run())
    assert "AAE-some" not in "".join(traceback.format_exception(refused.value))


def test_a_name_cannot_break_out_of_the_file(phone: Phone) -> None:
    work = phone.work()
    work.ask()
    phone.ann.user["first_name"] = "Ann --> \n### Q9: <!-- x"
    with phone.relay():
        phone.ann.toast(phone.ann.tap(phone.bot("Which token lifetime?"), "Q1 A"))
    assert "### Q9" not in [line[:6] for line in work.read("_qa.md").splitlines()]
    assert work.decision() is None  # Q2 still waits
