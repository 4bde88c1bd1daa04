"""One relay for a bot: real processes, started by workers and by hand, killed at random."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from bot_api import TOKEN
from kit import make_repo
from phone import ANN, Phone
from session_work import Work

from samoloop.core.decision import Condition
from samoloop.core.records import Halted
from samoloop.core.words import News
from samoloop.ui.telegram import buttons
from samoloop.ui.telegram.buttons import Press
from samoloop.worker import relay_starter
from samoloop.worker.relay_starter import RelayStarter

pytestmark = pytest.mark.slow  # whole commands
RELAY = ("-m", "samoloop", "relay")
DETACHED = (*RELAY, "--detached", "--idle=0.4")
# A worker's part in it, as far as a session is concerned: begin, have it served, end.
WORKER = """
import json, os, sys, threading
from pathlib import Path
from samoloop.children.processes import become_subreaper, children
from samoloop.config.outlets import Outlets
from samoloop.worker.delivery import Delivery
become_subreaper()
delivery = Delivery(Path(sys.argv[1]), Path(sys.argv[2]), Outlets(telegram=True), json.loads(sys.argv[3]), os.environ)
delivery.start()
delivery.look()
print("telegram" in sys.modules, threading.active_count(), len(children()), delivery.close(), flush=True)
"""


@contextmanager
def process(phone: Phone, *words: str) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, *words],
        env=phone.remember(), cwd=phone.tmp_path, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as running:  # fmt: skip
        try:
            yield running
        finally:
            if running.poll() is None:
                running.kill()
            running.communicate()


def listens(phone: Phone, times: int = 1) -> None:
    """Wait until that many relays have begun, one after the other."""
    phone.standin.wait(lambda: len(phone.standin.called("setMyCommands")) == times)


def many_questions(count: int) -> str:
    blocks = [f"### Q{n}: Number {n}?\nA) yes\nB) no\n**Answer:** _waiting_\n" for n in range(1, count + 1)]
    return "# Questions\n\n" + "\n".join(blocks)


def test_a_worker_starts_a_relay_and_carries_nothing_for_it(phone: Phone) -> None:
    work = phone.work()
    work.ask()
    with process(phone, "-c", WORKER, str(work.dir), str(work.root), json.dumps(phone.section)) as worker:
        out, _ = worker.communicate(timeout=40)
    assert out == "False 1 0 []\n"  # no library, one thread, and the relay is not among its processes
    phone.ann.toast(phone.ann.tap(phone.standin.wait_message(ANN, "Which library?"), "Q2 B"))
    assert "**Answer:** B" in work.read("_qa.md")
    assert len(phone.relays()) == 1
    assert (listener := phone.folder.listener()) and listener.pid == phone.relays()[0]
    os.kill(phone.relays()[0], signal.SIGTERM)
    phone.standin.wait(lambda: not phone.relays())
    assert TOKEN not in phone.folder.log.read_text()


def test_a_relay_that_was_killed_is_replaced_at_the_next_look_and_nothing_is_lost(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_starter, "FIRST_PAUSE_SECONDS", 0.0)
    work = phone.work()
    work.ask()
    starter = RelayStarter(phone.section, phone.remember())
    starter.serve(work.dir, work.root)
    message = phone.standin.wait_message(ANN, "Which library?")
    phone.standin.wait(lambda: phone.standin.messages(ANN, "iteration 0"))
    phone.end_relays()
    phone.standin.wait(lambda: not phone.relays())
    work.announce(News.BUDGET, text="80% of it")
    phone.ann.tap(message, "Q2 B")
    starter.look()
    starter.look()  # while the first one only begins
    phone.standin.wait(lambda: "**Answer:** B" in work.read("_qa.md"))
    assert phone.bot("80% of it")
    assert len(phone.relays()) == 1
    assert len(phone.standin.messages(ANN, "Which library?")) == 1


def test_relays_that_end_at_once_are_started_ever_more_rarely(phone: Phone) -> None:
    work = phone.work()
    environ = phone.remember()
    phone.folder.log.touch()
    (phone.tmp_path / "config" / "samoloop" / "config.yaml").write_text("telegram: [no]\n")
    starter = RelayStarter(phone.section, environ)
    starter.serve(work.dir, work.root)
    phone.standin.wait(lambda: "telegram" in phone.folder.log.read_text() and not phone.folder.has_relay())
    said = phone.folder.log.read_text()
    starter.look()
    assert not phone.folder.has_relay()
    assert phone.folder.log.read_text() == said


def test_a_detached_relay_ends_when_no_session_needs_it(phone: Phone) -> None:
    done, waits = phone.work("26-11-21-done"), phone.work("26-11-21-waits")
    waits.show_plan()
    done.session.record(Halted(condition=Condition.DONE))
    phone.standin.down = True
    done.announce(News.DONE, text="all good")
    with process(phone, *DETACHED) as relay:
        phone.standin.wait(lambda: phone.relays() == [relay.pid])
        shutil.rmtree(waits.dir)
        with pytest.raises(subprocess.TimeoutExpired):
            relay.wait(1.5)  # one has something to say
        phone.standin.down = False
        assert relay.wait(40) == 0
    assert phone.bot("all good")


def test_a_session_that_waits_for_a_person_keeps_a_relay(phone: Phone) -> None:
    work = phone.work()
    work.block()
    with process(phone, *DETACHED) as relay:
        phone.standin.wait_message(ANN, "blocked in testing")
        with pytest.raises(subprocess.TimeoutExpired):
            relay.wait(1.5)
        work.session.record(Halted(condition=Condition.STOPPED))
        assert relay.wait(40) == 0


def test_a_relay_whose_state_is_removed_ends(phone: Phone) -> None:
    phone.work().block()
    with process(phone, *DETACHED) as relay:
        listens(phone)
        shutil.rmtree(phone.folder.path)
        relay.wait(40)


def test_a_relay_whose_state_is_removed_leaves_the_rest_of_what_it_says_to_the_next(phone: Phone) -> None:
    work = phone.work()
    work.block()
    with process(phone, *DETACHED) as relay:
        listens(phone)
        phone.standin.fault("sendMessage", "slow", seconds=1.5, containing="question+1+of+12")
        work.ask(many_questions(12))
        phone.standin.wait(lambda: not phone.standin.faults)  # it is about to say the first of twelve
        shutil.rmtree(phone.folder.path)
        with process(phone, *DETACHED):
            phone.bot("Number 12?")
            relay.wait(40)
    assert [len(phone.standin.messages(ANN, f"Number {n}?")) for n in range(2, 12)] == [1] * 10


def test_of_two_relays_that_workers_start_one_ends_quietly(phone: Phone) -> None:
    phone.work().block()
    with process(phone, *DETACHED) as one, process(phone, *DETACHED) as two:
        listens(phone)
        phone.standin.wait(lambda: (one.poll() is None) != (two.poll() is None))
        ended, other = (one, two) if one.poll() is not None else (two, one)
        assert (*ended.communicate(), ended.returncode) == ("", "", 0)
        assert phone.relays() == [other.pid]


def test_a_relay_in_the_foreground_goes_before_a_detached_one_and_is_the_only_one(phone: Phone) -> None:
    work = phone.work()
    work.block()
    with process(phone, *DETACHED) as detached:
        listens(phone)
        with process(phone, *RELAY) as relay:
            assert detached.wait(40) == 0
            listens(phone, 2)
            with process(phone, *RELAY) as second, process(phone, *DETACHED) as third:
                assert "uses this bot right now" in second.communicate(timeout=40)[1]
                assert third.wait(40) == 0
            RelayStarter(phone.section, phone.remember()).serve(work.dir, work.root)
            assert phone.relays() == [relay.pid]
            relay.send_signal(signal.SIGINT)
            out, _ = relay.communicate(timeout=40)
    assert relay.returncode == 0
    assert "Nobody listens on Telegram now" in out


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_two_hundred_answers_are_used_exactly_once_while_the_relay_is_killed(phone: Phone) -> None:
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    asked = [phone.work(f"26-11-21-asks-{number}") for number in range(4)]
    blocked = [phone.work(f"26-11-21-stuck-{number}") for number in range(4)]
    for work in asked:
        work.live()
        work.ask(many_questions(25))
    for work in blocked:
        work.live()
        work.block()
    with process(phone, *RELAY):
        phone.standin.wait(lambda: len(phone.standin.messages(ANN, "Number 25?")) == 4)
        stuck = [phone.standin.wait_message(ANN, f"{work.session.name[9:]} · blocked") for work in blocked]
        phone.standin.wait(lambda: len(phone.standin.messages(ANN, "iteration 0")) == 8)
    sent = threading.Thread(target=send_answers, args=(phone, asked, stuck, random.Random(seed + 1)))
    sent.start()
    kills = 0
    while sent.is_alive() or phone.standin.updates or kills < 5:
        with process(phone, *RELAY) as relay:
            polls = phone.standin.polls
            phone.standin.wait(lambda polls=polls: phone.standin.polls > polls)
            time.sleep(chance.uniform(0.0, 0.8))
            relay.kill()
            kills += 1
    sent.join()
    for number, work in enumerate(asked):
        answers = re.findall(r"\*\*Answer:\*\* (\w) <!-- by Ann \(Telegram \d+/(\d+)\) -->", work.read("_qa.md"))
        assert [letter for letter, _ in answers] == [letter_for(number, q) for q in range(1, 26)], f"seed {seed}"
        assert len({update for _, update in answers}) == 25
    for number, work in enumerate(blocked):
        told = re.findall(r"^guidance (\d+)\b", work.read("_inbox.md"), re.MULTILINE)
        assert sorted(map(int, told)) == list(range(number * 25, number * 25 + 25)), f"seed {seed}"


def letter_for(session: int, question: int) -> str:
    return "AB"[(session + question) % 2]


def send_answers(phone: Phone, asked: list[Work], stuck: list[dict], chance: random.Random) -> None:  # type: ignore[type-arg]
    """A hundred taps and a hundred replies, in any order, over a few seconds."""
    acts = []
    for number, work in enumerate(asked):
        for id in range(1, 26):
            message = phone.bot(f"{work.session.name[9:]} · Q{id},")
            data = message["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
            press = buttons.unpack(data)
            assert press is not None
            wanted = Press(press.kind, press.session, press.target, press.hash, letter_for(number, id)).pack()
            acts.append(lambda message=message, wanted=wanted: phone.ann.tap_data(message, wanted))
    for number, message in enumerate(stuck):
        for count in range(number * 25, number * 25 + 25):
            acts.append(lambda message=message, count=count: phone.ann.reply(message, f"guidance {count}"))
    chance.shuffle(acts)
    for act in acts:
        act()
        time.sleep(chance.uniform(0, 0.02))


def test_a_relay_that_died_is_replaced_while_a_child_says_nothing(phone: Phone) -> None:
    child = phone.tmp_path / "child.sh"
    child.write_text("#!/bin/sh\ncat > /dev/null\nexec sleep 300\n")
    child.chmod(0o755)
    root = make_repo(phone.tmp_path / "repo")
    provider = {"provider": "silent", "providers": {"silent": {"command": [str(child)]}}, "sandbox": "off"}
    argv = [sys.executable, "-m", "samoloop", "run", "--session", "quiet", "Wait"]
    with subprocess.Popen(argv, cwd=root, env=phone.remember(**provider), stdout=subprocess.DEVNULL) as worker:
        try:
            phone.standin.wait_message(ANN, "investigation, iteration 1")
            (first,) = phone.relays()
            os.kill(first, signal.SIGKILL)
            phone.standin.wait(lambda: set(phone.relays()) - {first})
        finally:
            worker.terminate()
