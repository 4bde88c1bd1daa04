"""Whatever the server answers, whatever the disk refuses, whatever one session is: the phone is heard again."""

import logging
import threading
import time
from pathlib import Path

import pytest
from phone import ANN, PACE, Phone, Still

from samoloop.base.locks import Lock, gain
from samoloop.config import bot_folder
from samoloop.core.hearing import tell
from samoloop.core.words import News
from samoloop.ui.telegram import ledger as ledger_module
from samoloop.ui.telegram import listening
from samoloop.ui.telegram.listening import Listening
from samoloop.ui.telegram.updates import SIGNED
from samoloop.worker import outbox

pytestmark = pytest.mark.slow  # seconds in all
ODD = {
    "a 400": {"act": "refuse", "code": 400, "description": "Bad Request: invalid offset"},
    "a 401": {"act": "refuse", "code": 401, "description": "Unauthorized"},
    "a 403": {"act": "refuse", "code": 403, "description": "Forbidden: bot is not what it was"},
    "null": {"act": "result", "content": None},
    "a number": {"act": "result", "content": 7},
    "an update without an id": {"act": "result", "content": [{"message": {"text": "hello"}}]},
    "an update that is none": {"act": "result", "content": ["hello", None, 5]},
    "an id that is no number": {"act": "result", "content": [{"update_id": "5"}]},
    "an id from the future": {"act": "result", "content": [{"update_id": 2**70}]},
    "a page": {"act": "page", "code": 200, "content": "<html>Sign in to the network</html>"},
    "a lost page": {"act": "page", "code": 404, "content": "<html>Not here</html>"},
    "a list": {"act": "page", "code": 200, "content": "[1, 2]"},
    "no result": {"act": "page", "code": 200, "content": '{"ok": true}'},
    "half an answer": {"act": "tear"},
    "odd parameters": {"act": "page", "code": 400, "content": '{"ok": false, "parameters": [1]}'},
}


@pytest.mark.parametrize("odd", ODD)
def test_no_answer_of_the_server_ends_listening(phone: Phone, odd: str) -> None:
    work = phone.work()
    work.ask()
    with phone.relay():
        message = phone.bot("Which library?")
        phone.standin.fault("getUpdates", times=2, **ODD[odd])  # type: ignore[arg-type]
        phone.ann.say("/help")  # ends the poll that waits
        phone.standin.wait(lambda: not phone.standin.faults)
        phone.ann.toast(phone.ann.tap(message, "Q2 B"))
    assert "**Answer:** B" in work.read("_qa.md")


@pytest.mark.parametrize("odd", ["null", "a page", "a list", "no result", "a 401"])
def test_no_answer_of_the_server_ends_sending(phone: Phone, odd: str) -> None:
    work = phone.work()
    with phone.relay():
        phone.bot("iteration 0")
        phone.standin.fault("sendMessage", **ODD[odd])  # type: ignore[arg-type]
        work.announce(News.BUDGET, text="80% of it")
        work.announce(News.STOPPED, text="for the night")
        phone.bot("for the night")
    assert len(phone.standin.messages(ANN, "80% of it")) == (0 if odd == "null" else 1)  # then it seemed to be sent


def test_a_token_that_is_refused_for_a_while_is_not_given_up(phone: Phone) -> None:
    work = phone.work()
    work.ask()
    with phone.relay():
        message = phone.bot("Which library?")
        for method in ("getUpdates", "sendMessage", "editMessageText"):
            phone.standin.fault(method, "refuse", code=401, description="Unauthorized", times=3)
        phone.ann.toast(phone.ann.tap(message, "Q2 B"))
        phone.ann.toast(phone.ann.tap(message, "Q1 A"))
        phone.standin.wait(lambda: "✅ B" in phone.shown(message))


def full(monkeypatch: pytest.MonkeyPatch, *modules: object) -> None:
    """From now on what these modules write is refused."""

    for module in modules:
        for name in ("write_atomic", "open_log"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, _refuse)


def test_with_a_full_state_folder_it_goes_on_and_says_nothing_twice(
    phone: Phone, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    work = phone.work()
    full(monkeypatch, bot_folder, ledger_module)  # the worker's disk is another one
    monkeypatch.setattr(outbox, "acknowledge", _refuse)
    with phone.relay():
        phone.bot("jwt-auth")  # the status, of which no record could be written
        work.ask()
        message = phone.bot("Which library?")
        phone.ann.toast(phone.ann.tap(message, "Q2 B"))
        phone.ann.toast(phone.ann.tap(message, "Q1 A"))
        time.sleep(20 * PACE.tick)
        assert len(phone.standin.messages(ANN, "Which library?")) == 1
        assert caplog.text.count("cannot be written") == 1
        assert caplog.text.count("noting what was used") == 1
    assert work.read("_qa.md").count("(Telegram ") == 2


def _refuse(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_an_answer_that_one_session_cannot_take_is_said_and_holds_up_nobody(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, well = phone.work("26-11-21-stuck"), phone.work("26-11-21-well")
    stuck.ask()
    well.ask()
    with phone.relay():
        theirs, ours = phone.bot("stuck · 2 q"), phone.bot("well · 2 q")
        (stuck.session.control / "_wake").unlink()
        with monkeypatch.context() as broken:
            broken.setattr("samoloop.core.gates.folder.files.make_way", _refuse_for("stuck"))
            first, second = phone.ann.tap(theirs, "Q1 A"), phone.ann.tap(ours, "Q1 B")
            assert phone.ann.toast(first).startswith("Nothing was changed: it could not be written (Read-only")
            assert phone.ann.toast(second) == "Q1 answered. Still open: Q2."
        assert phone.ann.toast(phone.ann.tap(theirs, "Q1 A")) == "Q1 answered. Still open: Q2."


def _refuse_for(name: str):  # type: ignore[no-untyped-def]
    from samoloop.base.files import make_way

    def way(path: Path) -> None:
        if name in str(path):
            raise OSError(30, "Read-only file system")
        make_way(path)

    return way


def test_while_nothing_can_be_kept_answers_wait_and_the_chat_says_so(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = phone.work()
    work.ask()
    monkeypatch.setattr(Listening, "_disk_refuses", lambda listening: True)
    pace = PACE.__class__(poll=5, tick=0.03, first_wait=0.02, longest_wait=0.1, status=0.1, told=0.2)
    with phone.relay(pace):
        message = phone.bot("Which library?")
        with monkeypatch.context() as broken:
            broken.setattr("samoloop.core.gates.folder.files.make_way", _refuse_for(""))
            tap = phone.ann.tap(message, "Q2 B")
            said = phone.bot("I may not hear you: ")
            assert tap not in phone.standin.toasts
        assert phone.ann.toast(tap) == "Q2 answered. Still open: Q1."
        phone.standin.wait(lambda: "I hear you again" in phone.shown(said))


@pytest.mark.parametrize("place", ["_outbox", "_outbox/telegram.jsonl", "_outbox/telegram.cursor", "_history.jsonl"])
@pytest.mark.parametrize("what", ["link", "folder", "dangling link", "nothing"])
def test_what_a_child_puts_in_the_place_of_a_file_of_ours_breaks_nothing(
    phone: Phone, caplog: pytest.LogCaptureFixture, place: str, what: str
) -> None:
    broken, well = phone.work("26-11-21-broken"), phone.work("26-11-21-well")
    well.ask()
    broken.announce(News.STARTED)
    with phone.relay():
        message = phone.bot("well · 2 q")
        phone.bot("broken · started")
        phone.standin.wait(lambda: len(phone.standin.messages(ANN, "iteration 0")) == 2)
        before = len(phone.standin.messages(ANN))
        put(what, broken.session.control / place, phone.tmp_path / "elsewhere")
        time.sleep(10 * PACE.tick)
        phone.ann.toast(phone.ann.tap(message, "Q1 A"))
        if place != "_history.jsonl":
            broken.announce(News.BUDGET, text="80% of it")
            broken.announce(News.STOPPED, text="for the night")
            phone.bot("for the night")
            time.sleep(10 * PACE.tick)
            assert len(phone.standin.messages(ANN, "80% of it")) == 1
        else:
            phone.bot("broken is left out here") if what != "nothing" else None
        more = [m["shown"] for m in phone.standin.messages(ANN)[before:]]
        assert len(more) == len(set(more)) <= 3, more
    assert not list((phone.tmp_path / "elsewhere").glob("*.jsonl"))
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) < 8


def put(what: str, place: Path, elsewhere: Path) -> None:
    """As a child would that has the rights of its person."""
    place.rename(place.with_name(f"{place.name}.was"))
    if what == "folder":
        place.mkdir()
        (place / "x").write_text("x")
    elif what != "nothing":
        if what == "link":
            elsewhere.mkdir()
        place.symlink_to(elsewhere)


@pytest.mark.parametrize(
    "why",
    ["Bad Request: BUTTON_URL_INVALID", "Bad Request: can't parse entities: odd", "Request Entity Too Large"],
)
def test_what_the_server_refuses_for_ever_is_set_aside_and_said_once(
    phone: Phone, caplog: pytest.LogCaptureFixture, why: str
) -> None:
    work = phone.work()
    times = 3 if "parse" in why else 2  # it is tried as plain words, too
    phone.standin.fault("sendMessage", "refuse", code=413 if "Large" in why else 400, description=why, times=times)
    work.announce(News.BUDGET, text="80% of it")
    work.announce(News.STOPPED, text="for the night")
    with phone.relay():  # so that the fault meets the first of them, and not the status
        phone.bot("for the night")
        phone.bot("iteration 0")
        time.sleep(20 * PACE.tick)
    assert len(phone.standin.called("sendMessage")) <= 4
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) <= 4


def test_a_status_that_is_refused_for_ever_is_not_tried_without_end(phone: Phone) -> None:
    phone.work()
    phone.standin.fault("sendMessage", "refuse", code=400, description="Bad Request: nothing of that", times=10_000)
    with phone.relay():
        phone.standin.wait(lambda: len(phone.standin.faults) and phone.standin.faults[0].times < 10_000)
        time.sleep(30 * PACE.tick)
    assert 10_000 - phone.standin.faults[0].times <= 3


def test_a_chat_that_shuts_the_bot_out_loses_nothing_and_its_words_are_still_heard(phone: Phone) -> None:
    work = phone.work()
    work.ask()
    with phone.relay():
        message = phone.bot("Which library?")
        phone.chat.forbidden = "bot was blocked by the user"
        work.announce(News.BUDGET, text="80% of it")
        phone.ann.toast(phone.ann.tap(message, "Q2 B"))
        phone.chat.forbidden = ""
        phone.bot("80% of it")
    assert len(phone.standin.messages(ANN, "80% of it")) == 1


def test_a_group_that_becomes_a_supergroup_is_followed_and_shown_what_is_open(phone: Phone) -> None:
    phone.in_group(type="group")
    old = phone.chat
    work = phone.work()
    work.ask()
    with phone.relay():
        phone.standin.wait_message(-500, "Which library?")
        phone.standin.wait_message(-500, "iteration 0")
        new = phone.standin.migrate(old, -100_500)
        ann = phone.another(ANN, "Ann", chat=new)
        work.announce(News.BUDGET, text="80% of it")
        assert phone.standin.wait_message(-100_500, "80% of it")
        ann.toast(ann.tap(phone.standin.wait_message(-100_500, "Which library?"), "Q2 B"))
    assert "**Answer:** B" in work.read("_qa.md")
    with phone.relay():  # another one knows it too
        ann.toast(ann.tap(phone.standin.wait_message(-100_500, "Which token"), "Q1 A"))
    assert len(phone.standin.messages(-100_500, "Which token")) == 1


def test_what_was_said_in_a_group_just_before_it_became_a_supergroup_counts(phone: Phone) -> None:
    phone.in_group(type="group")
    old = phone.chat
    work = phone.work()
    work.ask()
    with phone.relay():
        message = phone.standin.wait_message(-500, "Which library?")
        phone.standin.wait_message(-500, "iteration 0")
    tap = phone.ann.tap(message, "Q2 B")
    phone.ann.say("/tell@samoloop_test_bot jwt-auth mind the cache")
    phone.standin.migrate(old, -100_500)
    phone.folder.move_chat(phone.settings, -100_500)  # sending was quicker to know
    with phone.relay():
        phone.ann.toast(tap)
        phone.standin.wait_message(-100_500, "Told jwt-auth")
    assert "**Answer:** B" in work.read("_qa.md") and "mind the cache" in work.read("_inbox.md")


def test_a_supergroup_is_found_again_where_its_number_was_removed(phone: Phone) -> None:
    phone.in_group(type="group")
    old = phone.chat
    work = phone.work()
    work.ask()
    with phone.relay():
        phone.standin.wait_message(-500, "iteration 0")
        new = phone.standin.migrate(old, -100_500)
        message = phone.standin.wait_message(-100_500, "Which library?")
    ann = phone.another(ANN, "Ann", chat=new)
    (phone.folder.path / "chat").unlink()
    tap = ann.tap(message, "Q2 B")  # before anything is sent
    with phone.relay():
        ann.toast(tap)
    assert "**Answer:** B" in work.read("_qa.md")
    assert len(phone.standin.messages(-100_500, "Which library?")) == 1


def test_a_person_who_speaks_first_in_the_supergroup_is_heard(phone: Phone) -> None:
    phone.in_group(type="group")
    old = phone.chat
    phone.work()
    with phone.relay():
        phone.standin.wait_message(-500, "iteration 0")
        new = phone.standin.migrate(old, -100_500)
        phone.another(ANN, "Ann", chat=new).say("/sessions@samoloop_test_bot")
        phone.standin.wait_message(-100_500, "jwt-auth")


def test_a_stranger_s_replies_delay_nobody(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "OVERTAKEN_SECONDS", 600.0)  # that they would be waited with
    work = phone.work()
    work.ask()
    eve = phone.another(666, "Eve")
    with phone.relay():
        message = phone.bot("Which library?")
        for _ in range(20):
            eve.reply({**message, "message_id": 10**6}, "me first")
        phone.ann.toast(phone.ann.tap(message, "Q2 B"))


PATIENT = PACE.__class__(poll=5, tick=0.03, first_wait=60, longest_wait=60)  # what broke is not tried again meanwhile


def test_a_broken_session_does_not_silence_one_of_the_same_name_in_another_project(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, well = phone.work(project="shop"), phone.work(project="blog")
    pending = outbox.pending

    def refuse(session_dir: Path, reader: str) -> object:
        if session_dir == broken.dir:
            raise OSError(5, "Input/output error")
        return pending(session_dir, reader)

    monkeypatch.setattr(outbox, "pending", refuse)
    with phone.relay(PATIENT):
        phone.bot("blog · jwt-auth")
        well.announce(News.STOPPED, text="for the night")
        phone.bot("for the night")


def test_a_worker_that_cannot_be_started_keeps_none_from_a_session_of_the_same_name(phone: Phone) -> None:
    broken, well = phone.work(project="shop"), phone.work(project="blog")
    started: list[Path] = []

    class Odd(Still):
        def resume(self, session_dir: Path, by: str) -> None:
            started.append(session_dir)
            if session_dir == broken.dir:
                raise RuntimeError("a mistake")

    phone.machine = Odd()
    for work in (broken, well):
        tell(work.session, "mind the cache", f"Ann{SIGNED}5)")
    with phone.relay(PATIENT):
        phone.standin.wait(lambda: set(started) == {broken.dir, well.dir})


def test_a_child_that_holds_a_lock_of_its_session_blocks_nobody_else(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = threading.Event()

    def tried(descriptor: int, seconds: float) -> bool:
        tries.set()
        return gain(descriptor, 60)  # longer than anybody waits below

    monkeypatch.setattr("samoloop.core.gates.folder.gain", tried)
    stuck, well = phone.work("26-11-21-stuck"), phone.work("26-11-21-well")
    stuck.ask()
    with phone.relay():
        message = phone.bot("stuck · 2 q")
        with Lock.take(stuck.session.control / "_wake", 1, ""):
            tap = phone.ann.tap(message, "Q1 A")
            assert tries.wait(10)
            well.announce(News.STOPPED, text="for the night")
            phone.bot("for the night")
        assert phone.ann.toast(tap) == "Q1 answered. Still open: Q2."
