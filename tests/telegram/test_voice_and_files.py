"""A voice message becomes words, a picture or file a document of a session."""

import asyncio
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from bot_api import Message
from person import wire
from phone import ANN, Phone
from session_work import ONE_QUESTION, Work

from samoloop.ui.telegram.api import Api, Refused
from samoloop.worker.relay_starter import RelayStarter

pytestmark = pytest.mark.slow
VOICE = b"use the small library"
PICTURE = b"\xff\xd8 a picture"


def listening(phone: Phone, *command: str) -> Phone:
    phone.settings = replace(phone.settings, transcribe=command or ("cat",))
    return phone


def documents(work: Work) -> dict[str, bytes]:
    """What came from the phone, by its name without the time and the number."""
    found = {path.name: path.read_bytes() for path in work.dir.glob("*-phone-*")}
    return {name.partition("-phone-")[2].rpartition("_")[0]: content for name, content in found.items()}


# --- voice ------------------------------------------------------------------------------------------------------------


def test_a_voice_reply_is_an_answer_and_is_shown_back(phone: Phone) -> None:
    work = listening(phone).work()
    work.ask(ONE_QUESTION)
    with phone.relay():
        asked = phone.bot("Which library?")
        phone.ann.send("voice", VOICE, reply_to=asked)
        shown = phone.bot("🎙")["shown"]
        assert "“use the small library”" in shown
        assert "Q2 answered" in shown
    assert "**Answer:** use the small library <!--" in work.read("_qa.md")
    assert list((phone.folder.path / "attachments").iterdir()) == []
    assert documents(work) == {}


def test_a_voice_message_that_replies_to_nothing_is_asked_about(phone: Phone) -> None:
    work = listening(phone).work()
    with phone.relay():
        phone.ann.send("voice", b"/stop at once")
        asked = phone.bot("What is this for?")
        assert "/stop at once" in asked["shown"]
        phone.ann.toast(phone.ann.tap(asked, "🧭"))
    assert "/stop at once" in work.read("_inbox.md")


def test_without_a_command_it_says_that_it_cannot_hear(phone: Phone) -> None:
    phone.work().ask()
    with phone.relay():
        phone.ann.send("voice", VOICE, reply_to=phone.bot("Which library?"))
        assert "`transcribe`" in phone.bot("I cannot hear")["shown"]
    assert phone.standin.called("getFile") == []


@pytest.mark.parametrize("script, why", [("exit 4", "ended with 4"), ("true", "no words"), ("yes", "more than 16000")])
def test_what_it_does_not_understand_changes_nothing(phone: Phone, script: str, why: str) -> None:
    work = listening(phone, "sh", "-c", script).work()
    work.ask(ONE_QUESTION)
    with phone.relay():
        phone.ann.send("voice", VOICE, reply_to=phone.bot("Which library?"))
        phone.bot(why)
    assert work.read("_qa.md").count("_waiting_") == 1
    assert list((phone.folder.path / "attachments").iterdir()) == []


def test_what_was_heard_late_does_not_take_the_place_of_what_was_said_since(phone: Phone) -> None:
    work = listening(phone, "sh", "-c", f"while [ ! -e {phone.tmp_path}/go ]; do sleep 0.02; done; echo late").work()
    work.ask("# Questions\n\n### Q1: And?\n**Answer:** _waiting_\n\n" + ONE_QUESTION.partition("\n\n")[2])
    with phone.relay():
        asked = phone.bot("Which library?")
        phone.ann.tap(asked, "✍️")
        phone.ann.send("voice", VOICE, reply_to=phone.bot("your answer to Q1"))
        phone.ann.say("Q1=now")
        phone.bot("Q1 answered")
        (phone.tmp_path / "go").touch()
        assert "You have said something else since" in phone.bot("🎙")["shown"]
    assert "**Answer:** now <!--" in work.read("_qa.md")


def test_nothing_waits_for_one_that_takes_long(phone: Phone) -> None:
    work = listening(phone, "sh", "-c", f"while [ ! -e {phone.tmp_path}/go ]; do sleep 0.02; done; echo long").work()
    work.ask()
    with phone.relay():
        asked = phone.bot("Which library?")
        phone.ann.tap(asked, "✍️")
        phone.ann.send("voice", VOICE, reply_to=phone.bot("your answer to Q1"))
        phone.ann.toast(phone.ann.tap(asked, "Q2 B"))
        assert work.read("_qa.md").count("_waiting_") == 1
        (phone.tmp_path / "go").touch()
        phone.bot("that was all")
    assert "**Answer:** long <!--" in work.read("_qa.md")


# --- pictures and files -----------------------------------------------------------------------------------------------


def test_a_picture_with_words_that_answers_a_question_is_named_in_the_answer(phone: Phone) -> None:
    work = phone.work()
    work.ask(ONE_QUESTION)
    with phone.relay():
        phone.ann.send("photo", PICTURE, "as in this one", reply_to=phone.bot("Which library?"))
        phone.bot("Q2 answered")
    ((name, content),) = documents(work).items()
    assert (name, content) == ("photo", PICTURE)
    (path,) = work.dir.glob("*-phone-photo_*.jpg")
    assert f"**Answer:** as in this one [file from the phone: {path.name}, in the session folder] <!--" in work.read(
        "_qa.md"
    )


def test_one_without_words_answers_nothing_and_is_named_to_the_next_child(phone: Phone) -> None:
    work = phone.work()
    work.ask()
    with phone.relay():
        for picture in (PICTURE + b"1", PICTURE + b"2"):  # an album
            phone.ann.send("photo", picture, reply_to=phone.bot("Which library?"))
        phone.standin.wait(lambda: len(phone.standin.messages(ANN, "Told jwt-auth")) == 2)
    assert work.read("_qa.md").count("_waiting_") == 2
    names = sorted(path.name for path in work.dir.glob("*-phone-photo_*.jpg"))
    assert len(names) == 2
    assert all(f"[file from the phone: {name}, in the session folder]" in work.read("_inbox.md") for name in names)


def test_where_one_session_is_open_and_asks_nothing_it_is_meant(phone: Phone) -> None:
    work = phone.work()
    with phone.relay():
        phone.ann.send("document", b"a,b", "the figures", "figures 2026.csv")
        phone.bot("Told jwt-auth")
    assert documents(work) == {"figures_2026": b"a,b"}
    assert "the figures [file from the phone: " in work.read("_inbox.md")


def test_where_there_is_doubt_it_asks_first_and_what_is_forgotten_leaves_nothing(phone: Phone) -> None:
    one, two = phone.work("26-11-21-one"), phone.work("26-11-21-two")
    with phone.relay():
        phone.ann.send("document", b"first", "", "a.txt")
        asked = phone.bot("What is this for?")
        assert "file from the phone" in asked["shown"]
        assert documents(one) == documents(two) == {}
        phone.ann.toast(phone.ann.tap(asked, "🧭 Guidance for two"))
        phone.ann.send("document", b"second", "this, too", "b.txt")
        asked = phone.standin.wait(lambda: phone.standin.messages(ANN, "this, too"))[-1]
        phone.ann.toast(phone.ann.tap(asked, "🗑"))
        phone.standin.wait(lambda: "Forgotten" in phone.shown(asked))
    assert (documents(one), documents(two)) == ({}, {"a": b"first"})
    assert list((phone.folder.path / "attachments").iterdir()) == []


def test_a_forwarded_file_is_asked_about_and_a_caption_is_no_command(phone: Phone) -> None:
    work = phone.work()
    with phone.relay():
        _forward(phone, b"theirs")
        phone.bot("What is this for?")
        assert documents(work) == {}
        work.ask()
        phone.ann.send("document", b"mine", "/tell jwt-auth look", "mine.txt")
        asked = phone.bot("/tell jwt-auth look")
        phone.ann.toast(phone.ann.tap(asked, "🧭"))
    assert documents(work) == {"mine": b"mine"}


def _forward(phone: Phone, content: bytes) -> None:
    with phone.standin.changed:
        file = phone.standin.keep_file("document", content, "theirs.txt")
        message: Message = {"from": phone.ann.user, "document": {**file, "file_name": "theirs.txt"}}
        message["forward_origin"] = {"type": "hidden_user", "sender_user_name": "Eve", "date": 1}
        phone.standin.push({"message": wire(phone.standin.store(phone.chat, message, ""))})


def test_what_is_too_large_or_of_no_use_is_said_and_not_fetched(phone: Phone) -> None:
    phone.work()
    with phone.relay():
        phone.ann.send("document", b"x" * 20_000_001, "", "huge.bin")
        phone.bot("larger than 20 MB")
        with phone.standin.changed:
            message: Message = {"from": phone.ann.user, "location": {"longitude": 1.0, "latitude": 2.0}}
            phone.standin.push({"message": wire(phone.standin.store(phone.chat, message, ""))})
        phone.bot("I can read words, pictures, files and voice messages.")
    assert phone.standin.called("getFile") == []


def test_a_file_that_is_larger_than_was_said_is_not_read_to_its_end(phone: Phone) -> None:
    with phone.standin.changed:
        sent = phone.standin.keep_file("document", b"x" * 3_000_000, "a.bin")

    async def fetch(most_bytes: int) -> int:
        api = Api(phone.settings)
        try:
            return len(await api.download(sent["file_id"], most_bytes))
        finally:
            await api.close()

    assert asyncio.run(fetch(3_000_000)) == 3_000_000
    with pytest.raises(Refused, match="larger than 2 MB"):
        asyncio.run(fetch(2_999_999))


@pytest.mark.parametrize("path", ["/etc/passwd", "documents/../../etc/passwd", None, 5])
def test_a_server_that_names_an_odd_place_is_not_believed(phone: Phone, path: object) -> None:
    work = phone.work()
    phone.standin.fault("getFile", "result", content={"file_id": "x", "file_unique_id": "x", "file_path": path})
    with phone.relay():
        phone.ann.send("document", b"theirs", "", "a.txt")
        phone.bot("please type it, or send it again")
    assert documents(work) == {}


def test_a_child_s_link_in_its_place_is_replaced_and_not_followed(phone: Phone) -> None:
    work = phone.work()
    secret = phone.tmp_path / "authorized_keys"
    secret.write_text("mine")
    now = datetime.now().astimezone()
    for minutes in (0, 1):
        for number in range(phone.standin.next_id(), phone.standin.next_id() + 30):
            when = (now + timedelta(minutes=minutes)).strftime("%m-%d-%H%M")
            (work.dir / f"{when}-phone-key_{number}.pub").symlink_to(secret)
    with phone.relay():
        phone.ann.send("document", b"theirs", "", "../../.ssh/key.pub")
        phone.bot("Told jwt-auth")
    (landed,) = (path for path in work.dir.glob("*-phone-*") if not path.is_symlink())
    assert landed.read_bytes() == b"theirs"
    assert secret.read_text() == "mine"


def test_a_stranger_s_voice_and_files_are_not_even_fetched(phone: Phone) -> None:
    listening(phone).work()
    eve = phone.another(666, "Eve")
    with phone.relay():
        eve.send("voice", VOICE)
        eve.send("document", b"x", "look", "x.txt")
        phone.ann.say("/help")
        phone.bot("/help: ")
    assert phone.standin.called("getFile") == []
    assert list((phone.folder.path / "attachments").iterdir()) == []


def test_what_could_not_be_fetched_yet_is_after_a_new_start_and_once(phone: Phone) -> None:
    work = phone.work()
    phone.standin.fault("getFile", "cut", times=1000)
    with phone.relay():
        phone.ann.send("document", b"a,b", "the figures", "figures.csv")
        phone.standin.wait(lambda: not phone.standin.updates and len(phone.standin.faults) == 1)
        assert documents(work) == {}
    phone.standin.faults.clear()
    with phone.relay():
        phone.bot("Told jwt-auth")
    assert work.read("_inbox.md").count("the figures") == 1
    assert documents(work) == {"figures": b"a,b"}


def test_the_relay_of_a_worker_hears_by_the_person_s_own_command(phone: Phone) -> None:
    heard = phone.tmp_path / "hear.py"
    heard.write_text("import os, sys; print(open(sys.argv[2]).read(), 'TELEGRAM_BOT_TOKEN' in os.environ)")
    command = [sys.executable, str(heard), "-f"]
    environ = phone.remember(telegram={**phone.section, "transcribe": command})
    work = phone.work()
    work.ask(ONE_QUESTION)
    work.live()  # no other is started, which would start a relay of its own when this one ends
    RelayStarter(phone.section, environ).serve(Path(work.dir), work.root)
    phone.ann.send("voice", VOICE, reply_to=phone.bot("Which library?"))
    phone.bot("Q2 answered")
    assert "**Answer:** use the small library False <!--" in work.read("_qa.md")
