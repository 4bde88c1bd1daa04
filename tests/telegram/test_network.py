"""Dead, slow and jealous networks: nothing lost, nothing twice, said once."""

import logging
from dataclasses import replace

import pytest
from phone import ANN, PACE, Phone

from samoloop.core.words import News
from samoloop.worker.relay_starter import RelayStarter


def test_what_was_said_while_the_network_was_down_comes_later_in_order(
    phone: Phone, caplog: pytest.LogCaptureFixture
) -> None:
    work = phone.work()
    phone.standin.down = True
    with phone.relay():
        work.announce(News.STARTED)
        work.announce(News.LIMITED, text="the weekly limit")
        work.announce(News.BUDGET, text="80% of the budget")
        phone.standin.wait(lambda: "trying again until it works" in caplog.text)
        phone.standin.down = False
        phone.bot("80% of the budget")
    shown = [text for message in phone.standin.messages(ANN) if "iteration" not in (text := message["shown"])]
    assert [text.split(" · ")[1].splitlines()[0] for text in shown] == [
        "started", "usage limit reached", "most of its budget is spent",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "fault",
    [
        {"act": "refuse", "code": 500},
        {"act": "refuse", "code": 502, "description": "Bad Gateway"},
        {"act": "refuse", "code": 409, "description": "Conflict: terminated by other getUpdates request"},
        {"act": "cut"},
    ],
)
def test_trouble_is_waited_out_and_said_once(
    phone: Phone, caplog: pytest.LogCaptureFixture, fault: dict[str, object]
) -> None:
    work = phone.work()
    work.ask()
    phone.standin.fault("getUpdates", times=4, **fault)  # type: ignore[arg-type]
    with phone.relay():
        phone.ann.toast(phone.ann.tap(phone.bot("Which library?"), "Q2 B"))
    assert "**Answer:** B" in work.read("_qa.md")
    assert caplog.text.count("Telegram, listening") == 1


def test_too_many_messages_are_held_back_as_long_as_asked(phone: Phone) -> None:
    work = phone.work()
    phone.standin.fault("sendMessage", "refuse", code=429, description="Too Many Requests", retry_after=1)
    with phone.relay():
        work.announce(News.STARTED)
        phone.bot("started")
    assert "started" in phone.standin.messages(ANN)[0]["shown"]


def test_a_lost_answer_may_double_a_message_but_never_an_effect(phone: Phone) -> None:
    work = phone.work()
    work.block()
    with phone.relay():
        message = phone.bot("blocked in testing")
        phone.bot("iteration 0")  # the status, the last thing to be said by itself
        phone.standin.fault("sendMessage", "lose", times=1)
        phone.ann.reply(message, "use sqlite")
        phone.standin.wait(lambda: len(phone.standin.messages(ANN, "its next iteration reads it")) == 2)
    assert work.read("_inbox.md").count("use sqlite") == 1


def test_an_answer_sent_while_nothing_ran_is_handled_at_the_next_start(phone: Phone) -> None:
    work = phone.work()
    work.ask()
    with phone.relay():
        message = phone.bot("Which token lifetime?")
    phone.ann.tap(message, "Q1 B")
    assert "**Answer:** B" not in work.read("_qa.md")
    with phone.relay():
        phone.standin.wait(lambda: "**Answer:** B" in work.read("_qa.md"))
        phone.standin.wait(lambda: "✅ B · 24 hours" in phone.shown(message))


def test_a_message_that_a_crash_kept_from_the_ledger_works_and_is_closed_too(phone: Phone) -> None:
    work = phone.work()
    work.ask()
    with phone.relay():
        message = phone.bot("Which token lifetime?")
        phone.bot("iteration 0")
    ledger = work.session.control / "_outbox" / "telegram.jsonl"
    ledger.write_text("\n".join(line for line in ledger.read_text().splitlines() if '"summary"' not in line))
    with phone.relay():
        phone.ann.tap(message, "Q1 B")
        phone.standin.wait(lambda: "✅ B · 24 hours" in phone.shown(message))


def test_an_update_that_the_library_cannot_read_does_not_hide_the_next(phone: Phone) -> None:
    work = phone.work()
    work.ask()
    with phone.relay():
        message = phone.bot("Which token lifetime?")
        phone.standin.push({"message": {"message_id": "not a number"}})
        phone.standin.push({"edited_channel_post": {}})
        phone.ann.toast(phone.ann.tap(message, "Q1 A"))


def test_a_message_that_cannot_be_parsed_is_sent_as_plain_words(phone: Phone, caplog: pytest.LogCaptureFixture) -> None:
    work = phone.work()
    phone.standin.fault("sendMessage", "refuse", code=400, description="Bad Request: can't parse entities: odd")
    with phone.relay():
        work.announce(News.STOPPED, text="a < b & c")
        assert "<b>" not in phone.bot("a < b & c")["shown"]
    assert "without its formatting" in caplog.text


def test_a_message_that_is_refused_does_not_silence_the_rest(phone: Phone) -> None:
    work = phone.work()
    phone.standin.fault("sendMessage", "refuse", code=400, description="Bad Request: no reason at all")
    with phone.relay():
        work.announce(News.STOPPED, text="first")
        work.announce(News.STOPPED, text="second")
        phone.bot("second")
        phone.bot("a message could not be shown here")


def test_a_damaged_session_does_not_silence_the_others(phone: Phone) -> None:
    broken, healthy = phone.work("26-11-21-broken"), phone.work("26-11-21-healthy")
    (broken.dir / "_history.jsonl").write_text('{"event": "from the future"}\n')
    healthy.ask()
    with phone.relay():
        phone.bot("healthy")


def test_ids_in_the_log_are_quiet_by_default(phone: Phone, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    phone.work().ask()
    with phone.relay():
        phone.bot("Which library?")
    assert not [record for record in caplog.records if record.name.startswith(("httpx", "httpcore"))]


@pytest.mark.slow
def test_what_a_worker_announces_is_sent_when_it_rings(phone: Phone) -> None:
    """All other tests announce without a bell, and their relay looks often."""
    work = phone.work()
    starter = RelayStarter(phone.section, phone.environ)
    with phone.relay(replace(PACE, tick=600.0)):
        phone.standin.wait(lambda: phone.standin.called("setChatMenuButton"))
        starter.serve(work.dir, work.root)
        phone.bot("iteration 0")  # the status: from here on nothing happens by itself
        for text in ("for the night", "for a week", "for good"):
            work.announce(News.STOPPED, text=text)
            starter.look()
            phone.bot(text)
