"""Slash commands, topics, reminders: what a person sends beside taps and replies."""

import json
import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kit import make_repo, script
from phone import ANN, GROUP, Phone
from session_work import Work

from samoloop.base.errors import SessionError
from samoloop.base.locks import Lock, is_held
from samoloop.config.bot_folder import phone_lock
from samoloop.core import gates
from samoloop.core.control import LOCK
from samoloop.core.decision import Condition
from samoloop.core.records import Halted, Started
from samoloop.core.session import all_sessions
from samoloop.core.words import News
from samoloop.fleet import mark as marks
from samoloop.fleet.mark import Mark
from samoloop.ui.telegram.commands import COMMANDS
from samoloop.ui.telegram.drafts import Drafts
from samoloop.ui.telegram.machine import Machine, attempt


@dataclass
class Recorder(Machine):
    """A machine that writes down what it was asked for."""

    ran: list[tuple[object, ...]] = field(default_factory=list)
    output: str = ""
    fault: str = ""

    def _note(self, *words: object) -> None:
        self.ran.append(words)
        if self.fault:
            raise SessionError(self.fault)

    def start(self, root: Path, name: str, task: str) -> None:
        self._note("start", root, name, task)

    def resume(self, session_dir: Path, by: str) -> None:
        self._note("resume", session_dir.name, by)

    def stop(self, session_dir: Path, now: bool) -> bool:
        self._note("stop", session_dir.name, now)
        return True

    def diff(self, session_dir: Path) -> str:
        self._note("diff", session_dir.name)
        return self.output


def test_the_commands_are_registered_with_the_bot(phone: Phone) -> None:
    with phone.relay():
        phone.standin.wait(lambda: phone.standin.menu_button)
    names = [command["command"] for command in phone.standin.commands]
    assert names == list(COMMANDS) and {"status", "plan", "diff", "answer", "tell", "new", "help"} <= set(names)


@pytest.mark.parametrize(
    "said, shown",
    [
        ("/status", "waits for approval of 11-21-0930-plan-jwt.md"),
        ("/sessions", "jwt-auth: waiting"),
        ("/help", "a reply to a question is its answer"),
        ("/questions", "jwt-auth asks nothing now: it is waiting."),
        ("/status@samoloop_test_bot jwt-auth", "No worker runs for it."),
        ("/tell", "Tell it what?"),
        ("/dance", "There is no command /dance"),
        ("/tell jwt-auth use the small library", "Told jwt-auth"),
    ],
)
def test_a_command_is_answered(phone: Phone, said: str, shown: str) -> None:
    work = phone.work()
    work.show_plan()
    with phone.relay():
        phone.ann.say(said)
        phone.bot(shown)


def test_log_tells_what_the_journal_knows(phone: Phone) -> None:
    work = phone.work()
    gate = work.ask()
    gates.answer(work.dir, gate, {"Q1": "A", "Q2": "only <this> & that"}, "Ann (Telegram 7)")
    work.close()
    work.session.record(Started(iteration=1, attempt=1, phase="planning", provider="claude"))
    with phone.relay():
        phone.ann.say("/log")
        shown = phone.bot("what was done last")["shown"]
    assert "✅ Answered by Ann: Q1=A, Q2=only <this> & that" in shown
    assert shown.endswith("001 planning runs, by claude")


def test_plan_shows_the_waiting_plan_again_with_buttons_that_work(phone: Phone) -> None:
    work = phone.work()
    work.show_plan()
    with phone.relay():
        first = phone.bot("the plan is ready")
        phone.ann.say("/plan")
        phone.standin.wait(lambda: len(phone.standin.messages(ANN, "the plan is ready")) == 2)
        second = phone.bot("the plan is ready")
        phone.ann.tap(second, "✅ Approve")
        phone.standin.wait(lambda: all("Approved by Ann" in phone.shown(message) for message in (first, second)))


def test_tell_goes_to_the_session_that_is_named_and_asks_where_none_is(phone: Phone) -> None:
    one, two = phone.work("26-11-21-one"), phone.work("26-11-21-two")
    with phone.relay():
        phone.ann.say("/tell mind\nthe cache")
        asking = phone.bot("For which session?")
        assert one.read("_inbox.md") == ""
        phone.ann.tap(asking, "one")
        phone.bot("Told one")
        phone.standin.wait(lambda: phone.shown(asking) == "→ one: /tell mind the cache")
        phone.ann.say("/tell two and the disk")
        phone.bot("Told two")
    assert one.read("_inbox.md").endswith("mind\nthe cache\n\n")
    assert two.read("_inbox.md").endswith("and the disk\n\n")


def test_stop_and_diff(phone: Phone) -> None:
    phone.machine = Recorder(output="diff --git a/x b/x\n" + "+line <b>\n" * 1000)
    phone.work()
    with phone.relay():
        phone.ann.say("/stop now")
        phone.bot("jwt-auth stops now.")
        phone.ann.say("/diff")
        sent = phone.bot("changes so far")
    assert sent["document"]["file_name"] == "jwt-auth.diff"
    assert sent["content"].count(b"+line <b>") == 1000
    assert phone.machine.ran == [("stop", "26-11-21-jwt-auth", True), ("diff", "26-11-21-jwt-auth")]


def test_a_relay_starts_a_worker_for_an_answer_to_a_session_that_has_none(phone: Phone) -> None:
    phone.machine = machine = Recorder()
    work = phone.work()
    work.ask()
    with phone.relay():
        phone.ann.toast(phone.ann.tap(phone.bot("Which library?"), "Q2 B"))
        assert machine.ran == []
        phone.ann.tap(phone.bot("Which token lifetime?"), "Q1 B")
        phone.standin.wait(lambda: machine.ran)
    assert machine.ran[0][:2] == ("resume", work.dir.name)
    assert machine.ran[0][2] in re.findall(r"by (Ann \(Telegram \d+/\d+\))", work.read("_qa.md"))


def test_a_reply_while_the_blocked_worker_ends_starts_the_next(phone: Phone) -> None:
    phone.machine = machine = Recorder()
    work = phone.work()
    work.live()
    work.block()
    with phone.relay():
        phone.ann.reply(phone.bot("blocked in testing"), "use sqlite")
        phone.bot("Told jwt-auth")
        assert machine.ran == []
        work.die()
        phone.standin.wait(lambda: machine.ran)
    assert machine.ran[0][:2] == ("resume", work.dir.name)
    assert re.fullmatch(r"Ann \(Telegram \d+/\d+\)", machine.ran[0][2])


def test_a_relay_that_was_killed_after_an_answer_starts_its_worker_when_it_comes_back(phone: Phone) -> None:
    phone.machine = machine = Recorder()
    work = phone.work()
    gate = work.ask("# Questions\n\n### Q1: Which?\nA) one\nB) two\n**Answer:** _waiting_\n")
    gates.answer(work.dir, gate, {"Q1": "A"}, "Ann (Telegram 7)")
    with phone.relay():
        phone.standin.wait(lambda: machine.ran == [("resume", work.dir.name, "Ann (Telegram 7)")])
        phone.bot("requirements, iteration 0")
    assert len(machine.ran) == 1


def test_what_is_done_on_the_machine_starts_no_worker(phone: Phone) -> None:
    phone.machine = machine = Recorder()
    asking, blocked = phone.work("26-11-21-asking"), phone.work("26-11-21-blocked")
    gate = asking.show_plan()
    gates.decide_plan(asking.dir, gate, gates.Verdict.APPROVE, "ann (command)")
    blocked.block()
    gates.tell(blocked.dir, "use sqlite", "ann (command)")
    with phone.relay():
        phone.bot("blocked in testing")
        phone.ann.say("/sessions")
        phone.bot("asking: waiting")
    assert machine.ran == []


def test_a_worker_that_cannot_be_started_is_told_once(phone: Phone) -> None:
    phone.machine = machine = Recorder(fault="there is no disk any more")
    phone.work().block()
    with phone.relay():
        phone.ann.reply(phone.bot("blocked in testing"), "go on")
        phone.bot("could not go on: there is no disk any more")
        phone.ann.say("/sessions")
        phone.bot("jwt-auth: blocked")
    assert len(machine.ran) == 1


def test_a_live_worker_is_left_to_act_by_itself(phone: Phone) -> None:
    phone.machine = machine = Recorder()
    work = phone.work()
    work.live()
    work.show_plan()
    with phone.relay():
        message = phone.bot("the plan is ready")
        phone.ann.tap(message, "✅ Approve")
        phone.standin.wait(lambda: "Approved by Ann" in phone.shown(message))
    assert machine.ran == []


def test_a_machine_of_the_fleet_is_left_to_act_and_what_is_blocked_is_sent_on(phone: Phone) -> None:
    phone.machine = machine = Recorder()
    works, blocked, asks = (phone.work(f"26-11-21-{name}") for name in ("works", "blocked", "asks"))
    asks.ask()
    for work in (works, blocked, asks):
        marks.write(work.dir, Mark("p", "origin", "here", paths="one"))
    lock = phone_lock(phone.environ)
    lock.parent.mkdir(parents=True, exist_ok=True)
    with Lock.take(lock, 0, ""), phone.relay():  # this machine's is the fleet's phone
        phone.ann.say("/tell works use sqlite")
        phone.bot("Told works")
        phone.ann.say("/resume asks")
        phone.bot("asks waits for answers to Q1, Q2; its machines go on then.")
        blocked.block(say=False)
        phone.ann.say("/tell blocked use sqlite")
        phone.standin.wait(lambda: machine.ran)
    assert [words[:2] for words in machine.ran] == [("resume", "26-11-21-blocked")]


def test_words_from_before_a_stop_do_not_undo_it_and_those_after_it_do(phone: Phone) -> None:
    phone.machine = machine = Recorder()
    work = phone.work()
    work.live()
    with phone.relay():
        phone.ann.say("/tell jwt-auth use sqlite")
        phone.bot("Told jwt-auth")
        work.session.record(Halted(condition=Condition.STOPPED, reason="stopped by a person"))
        work.die()
        phone.ann.say("/sessions")
        phone.bot("jwt-auth: stopped")
        assert machine.ran == []
        phone.ann.say("/tell jwt-auth and go on")
        phone.standin.wait(lambda: machine.ran)
    assert [words[0] for words in machine.ran] == ["resume"]


def test_new_hands_off_a_task_after_a_confirming_button(phone: Phone) -> None:
    phone.machine = machine = Recorder()
    phone.work()
    with phone.relay():
        phone.ann.say("/new project Add a <dark> mode\nwith a switch")
        asking = phone.bot("Hand this off as a new session?")
        assert machine.ran == []
        data = asking["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
        phone.ann.tap(asking, "🚀 Start in project")
        phone.bot("Starting add-a-dark-mode in project")
        phone.standin.wait(lambda: not Drafts(phone.folder).get(_update(asking)))
        assert "used or forgotten" in phone.ann.toast(phone.ann.tap_data(asking, data))
    task = "Add a <dark> mode\nwith a switch"
    assert machine.ran == [("start", phone.tmp_path / "project", "add-a-dark-mode", task)]


def _update(asking: dict[str, Any]) -> int:
    return int(asking["reply_markup"]["inline_keyboard"][0][0]["callback_data"].split("|")[2])


def test_a_picture_is_answered_and_does_nothing(phone: Phone) -> None:
    work = phone.work()
    work.ask()
    with phone.relay():
        phone.ann.reply(phone.bot("Which library?"), "")
        phone.bot("I can read words, pictures, files and voice messages.")
    assert work.read("_qa.md").count("_waiting_") == 2


# --- topics -----------------------------------------------------------------------------------------------------------


def forum(phone: Phone, **what: Any) -> None:
    phone.in_group(is_forum=True, **what)


def test_each_session_has_its_own_topic_where_the_group_has_topics(phone: Phone) -> None:
    forum(phone)
    phone.work("26-11-21-one").ask()
    two = phone.work("26-11-21-two")
    two.ask()
    with phone.relay():
        message = phone.standin.wait(lambda: [m for m in phone.standin.messages(GROUP, "two · 2 questions")])[0]
        assert phone.chat.topics[message["message_thread_id"]] == "two"
        phone.ann.say("mind the cache", thread=message["message_thread_id"])  # answers the topic's first message
        asking = phone.bot("What is this for?")
        assert asking["message_thread_id"] == message["message_thread_id"]
        labels = [row[0]["text"] for row in asking["reply_markup"]["inline_keyboard"]]
        assert labels == ["💬 Answer to Q1 of two", "💬 Answer to Q2 of two", "🧭 Guidance for two", "🗑 Forget it"]
        phone.ann.say("/tell hello", thread=message["message_thread_id"])
        phone.bot("Told two")
    assert set(phone.chat.topics.values()) == {"one", "two"}
    assert two.read("_inbox.md").endswith("hello\n\n")


def test_without_the_right_to_make_topics_all_share_the_chat(phone: Phone, caplog: pytest.LogCaptureFixture) -> None:
    forum(phone, can_manage_topics=False)
    phone.work().ask()
    with phone.relay():
        assert "message_thread_id" not in phone.bot("Which library?")
    assert caplog.text.count("no topics in this chat") == 1


def test_a_topic_that_was_deleted_is_not_missed(phone: Phone) -> None:
    forum(phone)
    work = phone.work()
    work.ask()
    with phone.relay():
        phone.bot("Which library?")
        phone.bot("iteration 0")
        phone.chat.topics.clear()
        work.block()
        assert "message_thread_id" not in phone.bot("blocked in testing")


# --- reminders and the status message ---------------------------------------------------------------------------------


def test_an_open_gate_is_reminded_at_growing_intervals(phone: Phone) -> None:
    phone.settings = replace(phone.settings, remind_seconds=0.2)
    work = phone.work()
    work.show_plan()
    with phone.relay():
        message = phone.bot("the plan is ready")
        phone.standin.wait(lambda: len(phone.standin.messages(ANN, "still waits for you")) == 3)
        phone.ann.tap(message, "✅ Approve")
        phone.standin.wait(lambda: "Approved" in phone.shown(message))
    sent = [entry["at"] for entry in phone.standin.log if "still waits" in entry.get("text", "")]
    assert sent[2] - sent[1] > sent[1] - sent[0] > 0.3
    assert len(phone.standin.messages(ANN, "still waits for you")) == 3


def test_nothing_reminds_in_quiet_hours(phone: Phone) -> None:
    now = datetime.now().astimezone()
    around = ((now - timedelta(hours=1)).time(), (now + timedelta(hours=1)).time())
    phone.settings = replace(phone.settings, remind_seconds=0.05, quiet=around)
    work = phone.work()
    work.show_plan()
    with phone.relay():
        phone.bot("the plan is ready")
        work.announce(News.STARTED)
        phone.bot("started")
    assert phone.standin.messages(ANN, "still waits for you") == []


def test_in_quiet_hours_only_what_was_asked_for_makes_a_sound(phone: Phone) -> None:
    now = datetime.now().astimezone()
    around = ((now - timedelta(hours=1)).time(), (now + timedelta(hours=1)).time())
    phone.settings = replace(phone.settings, quiet=around)
    work = phone.work()
    work.show_plan()
    with phone.relay():
        assert phone.bot("the plan is ready")["silent"] is True
        phone.ann.say("/plan")
        phone.standin.wait(lambda: [m for m in phone.standin.messages(ANN, "the plan is ready") if not m["silent"]])


def test_a_gate_makes_one_sound_and_what_calls_for_nothing_none(phone: Phone) -> None:
    work = phone.work()
    work.show_plan()
    for kind in (News.STARTED, News.RESUMED, News.STAND_IN, News.LIMITED):
        work.announce(kind, text=f"codex stands in: {kind}")
    with phone.relay():
        phone.bot("usage limit reached")
        loud = [m["shown"].splitlines()[0] for m in phone.standin.messages(ANN) if not m["silent"]]
    assert loud == ["📋 jwt-auth · the plan is ready", "⏳ jwt-auth · usage limit reached"]


@pytest.mark.parametrize("started", [True, False])
def test_that_it_starts_goes_on_and_who_stands_in_is_told_as_the_settings_say(phone: Phone, started: bool) -> None:
    phone.settings = replace(phone.settings, announce_started=started)
    work = phone.work()
    work.announce(News.STARTED)
    work.announce(News.STAND_IN, text="codex stands in for claude: usage limit")
    work.announce(News.RESUMED, text="the limit of claude is over")
    work.announce(News.STOPPED, text="stopped by a person")
    with phone.relay():
        phone.bot("stopped by a person")
    told = [[text for m in phone.standin.messages(ANN, text)] for text in ("· started", "codex stands in", "is over")]
    assert [len(found) for found in told] == ([1, 1, 1] if started else [0, 0, 0])


def test_the_end_says_what_was_checked_and_what_is_open(phone: Phone) -> None:
    work = phone.work()
    text = "Done. pytest green at 3bef69b (212 passed), run by samoloop\n\nA discount of 15 % at 10 pieces."
    work.announce(News.DONE, text=text, gaps="- no test <for> the 10,000th piece", branch="samoloop/jwt-auth")
    with phone.relay():
        shown = phone.bot("· done")["shown"]
    assert "Done. pytest green at 3bef69b (212 passed), run by samoloop\n\nA discount of 15 %" in shown
    assert "⚠️ Open, in the child's words:\n• no test <for> the 10,000th piece\n\n🌿 samoloop/jwt-auth" in shown


def test_with_several_projects_each_is_named(phone: Phone) -> None:
    phone.work().block()
    other = Work(phone.tmp_path / "other", "26-11-21-jwt-auth")
    phone.folder.register(other.dir, other.root)
    other.block("no network")
    with phone.relay():
        assert "The tests need a database" in phone.bot("⛔ project · jwt-auth · blocked")["shown"]
        assert "no network" in phone.bot("⛔ other · jwt-auth · blocked")["shown"]
        phone.ann.say("/tell jwt-auth use a cable")  # the same name in both
        phone.ann.tap(phone.bot("For which session?"), "other")
        phone.bot("Told other · jwt-auth")
    assert "use a cable" in other.read("_inbox.md")


def test_a_beginning_of_a_name_is_enough_where_no_words_follow(phone: Phone) -> None:
    one, two = phone.work("26-11-21-add-jwt"), phone.work("26-11-21-use-cache")
    with phone.relay():
        phone.ann.say("/status Use")
        phone.bot("use-cache · requirements, iteration 0")
        phone.ann.say("/tell use the small library")
        asking = phone.bot("For which session?")
        assert [button for button in ("add-jwt", "use-cache") if button in str(asking["reply_markup"])]
        phone.ann.tap(asking, "add-jwt")
        phone.bot("Told add-jwt")
    assert one.read("_inbox.md").endswith("use the small library\n\n") and two.read("_inbox.md") == ""


def test_one_status_message_is_edited_in_place_and_never_buzzes(phone: Phone) -> None:
    work = phone.work()
    with phone.relay():
        message = phone.bot("requirements, iteration 0")
        assert message["silent"] is True
        work.session.record(Started(iteration=1, attempt=1, phase="requirements", provider="claude"))
        phone.standin.wait(lambda: "requirements, iteration 1\nAdd JWT auth\nrunning" in phone.shown(message))
        work.block("no database <here>", say=False)
        phone.standin.wait(lambda: "no database <here>" in phone.shown(message))
    assert len(phone.standin.messages(ANN)) == 1


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")  # meant so
def test_the_machine_hands_off_once_and_stops(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in phone.environ.items():
        monkeypatch.setenv(name, value)
    root = make_repo(phone.tmp_path / "repo")
    child = script(phone.tmp_path, "ask 'Which way?'")
    settings = {"provider": "scripted", "providers": {"scripted": {"command": [str(child)]}}}
    (root / ".samoloop.yaml").write_text(json.dumps(settings))
    Machine().start(root, "x", "Do it")
    session = all_sessions(root / "_sessions")[0]
    assert attempt(lambda: Machine().start(root, "x", "Do it")) == "there is a session x already"
    phone.standin.wait(lambda: Machine().stop(session.dir, True))
    phone.standin.wait(lambda: not is_held(session.control / LOCK))
    assert Machine().stop(session.dir, True) is False


def test_where_a_worker_was_killed_what_a_person_said_on_the_phone_is_taken_up_by_another(phone: Phone) -> None:
    phone.machine = machine = Recorder()
    answered, running = phone.work("26-11-21-answered"), phone.work("26-11-21-running")
    answered.ask()
    running.session.record(Started(iteration=1, attempt=1, phase="requirements", provider="claude"))
    answered.live()  # a worker
    running.live()
    with phone.relay():
        phone.ann.reply(phone.bot("2 questions"), "Q1=A Q2=B")
        phone.standin.wait(lambda: answered.decision() is not None)
        answered.close()
        phone.ann.say("/tell running mind the gap")
        phone.bot("Told running")
        assert machine.ran == []
        answered.die()
        running.die()
        phone.standin.wait(lambda: len(machine.ran) == 2)
    acts = sorted((str(name), str(by).partition(" (")[0]) for _, name, by in machine.ran)
    assert acts == [("26-11-21-answered", "Ann"), ("26-11-21-running", "Ann")]
