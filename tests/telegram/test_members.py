"""One poller, many workers: real processes, elected by a lock, killed at random."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from bot_api import TOKEN
from phone import ANN, Phone
from session_work import Work

from samoloop.ui.telegram import buttons
from samoloop.ui.telegram.buttons import Press
from samoloop.ui.telegram.member import Member
from samoloop.worker.outbox import Kind

RELAY = "from samoloop.ui.cli.relay import relay; relay()"
# A worker's part in it: poll when nobody else does, until told to end.
WORKER = """
import json, os, sys
from pathlib import Path
from samoloop.ui.telegram.member import Member
from samoloop.config.telegram_bot import parse
member = Member(parse(json.loads(os.environ["SECTION"]), {})[0], os.environ)
member.register(Path(sys.argv[1]), Path(sys.argv[2]))
member.start()
print("up", flush=True)
sys.stdin.read()
print(member.flush(Path(sys.argv[1]), 5), member.close(), flush=True)
"""


def section(phone: Phone) -> dict[str, object]:
    return {"token": TOKEN, "chat": ANN, "users": [ANN], "base_url": phone.standin.base_url, "remind": "off"}


@contextmanager
def process(phone: Phone, code: str, *words: str) -> Iterator["subprocess.Popen[str]"]:
    folder = phone.tmp_path / "config" / "samoloop"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(json.dumps({"telegram": section(phone)}))
    environ = {
        **os.environ,
        **phone.environ,
        "XDG_CONFIG_HOME": str(folder.parent),
        "SECTION": json.dumps(section(phone)),
    }
    with subprocess.Popen(
        [sys.executable, "-c", code, *words],
        env=environ, cwd=phone.tmp_path, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as running:  # fmt: skip
        try:
            yield running
        finally:
            if running.poll() is None:
                running.kill()
            running.communicate()


def worker(phone: Phone, work: Work) -> "contextmanager[subprocess.Popen[str]]":  # type: ignore[type-arg]
    return process(phone, WORKER, str(work.dir), str(work.root))  # type: ignore[return-value]


def many_questions(count: int) -> str:
    blocks = [f"### Q{n}: Number {n}?\nA) yes\nB) no\n**Answer:** _waiting_\n" for n in range(1, count + 1)]
    return "# Questions\n\n" + "\n".join(blocks)


def test_when_the_poller_dies_another_worker_takes_over(phone: Phone) -> None:
    one, two = phone.work("26-11-21-one"), phone.work("26-11-21-two")
    with worker(phone, one) as first:
        assert first.stdout is not None and first.stdout.readline() == "up\n"
        phone.standin.wait(lambda: phone.standin.called("setMyCommands"))
        with worker(phone, two):
            two.ask()
            phone.bot("two · Q2")  # sent by the other one
            first.kill()
            first.wait()
            killed = time.monotonic()
            phone.ann.toast(phone.ann.tap(phone.bot("Which library?"), "B ·"))
            assert time.monotonic() - killed < 5
    assert phone.standin.conflicts <= 1  # the dead one's last poll
    assert "**Answer:** B" in two.read("_qa.md")


def test_a_worker_that_ends_delivers_what_is_left_and_says_that_nobody_listens(phone: Phone) -> None:
    work = phone.work()
    with worker(phone, work) as running:
        assert running.stdout is not None and running.stdout.readline() == "up\n"
        work.announce(Kind.DONE, text="all good")
        out, _ = running.communicate("", timeout=15)
    assert phone.bot("all good")
    assert out.startswith("True Nobody listens on Telegram now")


def test_a_relay_goes_before_workers_and_is_the_only_one(phone: Phone) -> None:
    work = phone.work()
    with worker(phone, work) as busy:
        assert busy.stdout is not None and busy.stdout.readline() == "up\n"
        phone.standin.wait(lambda: len(phone.standin.called("setMyCommands")) == 1)
        with process(phone, RELAY) as relay:
            phone.standin.wait(lambda: len(phone.standin.called("setMyCommands")) == 2)
            with process(phone, RELAY) as second:
                _, said = second.communicate(timeout=10)
                assert "runs already" in said
            busy.communicate("", timeout=15)
            relay.send_signal(signal.SIGTERM)
            out, _ = relay.communicate(timeout=10)
    assert relay.returncode == 0
    assert "Nobody listens on Telegram now" in out


def test_a_worker_without_the_election_never_imports_the_library(phone: Phone) -> None:
    work = phone.work()
    code = WORKER.replace(
        "sys.stdin.read()", "import time; time.sleep(1.5); print('telegram' in sys.modules, flush=True)"
    )
    with process(phone, RELAY):
        phone.standin.wait(lambda: phone.standin.called("setMyCommands"))
        with process(phone, code, str(work.dir), str(work.root)) as idle:
            out, _ = idle.communicate(timeout=15)
    assert out.splitlines()[1] == "False"
    assert out.splitlines()[2] == "True "  # flushed, and the relay still listens


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
    with process(phone, RELAY):
        phone.standin.wait(lambda: len(phone.standin.messages(ANN, "Number 25?")) == 4, 30)
        stuck = [phone.standin.wait_message(ANN, f"{work.session.name[9:]} · blocked") for work in blocked]
        phone.standin.wait(lambda: len(phone.standin.messages(ANN, "iteration 0")) == 8, 30)
    sent = threading.Thread(target=send_answers, args=(phone, asked, stuck, random.Random(seed + 1)))
    sent.start()
    kills = 0
    while sent.is_alive() or phone.standin.updates or kills < 5:
        with process(phone, RELAY) as relay:
            polls = phone.standin.polls
            phone.standin.wait(lambda polls=polls: phone.standin.polls > polls, 20)
            time.sleep(chance.uniform(0.0, 0.8))
            relay.kill()
            kills += 1
    sent.join()
    for number, work in enumerate(asked):
        answers = re.findall(r"\*\*Answer:\*\* (\w) <!-- by Ann \(Telegram (\d+)\) -->", work.read("_qa.md"))
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


def test_the_next_member_of_the_same_process_polls_again(phone: Phone) -> None:
    for count in (1, 2):
        member = Member(phone.settings, phone.environ)
        member.start()
        phone.standin.wait(lambda count=count: len(phone.standin.called("setMyCommands")) == count)
        assert member.polls
        assert member.close().startswith("Nobody listens")
