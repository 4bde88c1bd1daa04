"""A whole session, from hand-off to done, by taps and replies alone, with worker and relay killed at each gate."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from bot_api import TOKEN
from kit import git, until
from phone import ANN, Phone

from samoloop.base.locks import is_held
from samoloop.core.control import LOCK
from samoloop.core.records import Resumed
from samoloop.core.session import Session
from samoloop.demo import examples

pytestmark = pytest.mark.timeout(120)


class Machine:
    """The computer that the person is not at."""

    def __init__(self, phone: Phone) -> None:
        self.root = examples.copy(examples.get("bulk-discount"), phone.tmp_path / "till")
        self.phone = phone
        self.environ = phone.remember(provider="demo")
        self.environ |= {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org"}
        self.environ |= {"GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org"}

    def samoloop(self, *words: str) -> str:
        argv = [sys.executable, "-m", "samoloop", *words]
        done = subprocess.run(argv, cwd=self.root, env=self.environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def session(self) -> Session:
        return Session(next((self.root / "_sessions").glob("*/_history.jsonl")).parent)

    def kill_worker(self) -> None:
        """kill -9, and wait until the lock is free."""
        lock = self.session.control / LOCK
        if is_held(lock):
            os.kill(int(lock.read_text()), 9)
        until(lambda: not is_held(lock))

    def kill_all(self) -> None:
        """kill -9 for worker and relay."""
        self.kill_worker()
        self.phone.end_relays()
        until(lambda: not self.phone.relays())

    @contextmanager
    def relay(self) -> Iterator[None]:
        """A relay that a person runs; ends by kill -9."""
        argv = [sys.executable, "-m", "samoloop", "relay"]
        with subprocess.Popen(argv, cwd=self.root, env=self.environ, stdout=subprocess.DEVNULL) as running:
            try:
                yield
            finally:
                running.kill()


@pytest.fixture
def machine(phone: Phone) -> Iterator[Machine]:
    machine = Machine(phone)
    yield machine
    machine.kill_worker()


@pytest.mark.slow
def test_from_hand_off_to_done_by_taps_and_replies_with_everything_killed_at_each_gate(
    phone: Phone, machine: Machine
) -> None:
    task = machine.root.parent / "task.md"
    task.write_text(examples.get("bulk-discount").task)
    machine.samoloop("run", "--detach", "--session", "bulk-discount", "--file", str(task))
    with machine.relay():
        first = phone.standin.wait_message(ANN, "question 1 of 2", 40)
        machine.kill_worker()
    with machine.relay():
        phone.ann.tap(first, "A ·")
        phone.standin.wait(lambda: "Ann, " in phone.shown(first), 20)
    with machine.relay():
        phone.ann.reply(phone.bot("question 2 of 2"), "15 %")  # a worker is started by it
        plan = phone.standin.wait_message(ANN, "the plan is ready", 40)
        machine.kill_worker()
    with machine.relay():
        phone.ann.tap(plan, "✅ Approve")
        phone.standin.wait(lambda: "Approved by Ann" in phone.shown(plan), 20)
        done = phone.standin.wait_message(ANN, "· done in", 60)
    assert "samoloop/bulk-discount" in done["shown"]
    state = machine.session.state()
    assert state.condition == "done"
    closings = [e for e in machine.session.journal.read() if e.event == "gate_closed"]
    assert [event.verdict for event in closings] == ["answered", "approve"]
    assert all(event.by.startswith("Ann (Telegram ") for event in closings)
    secret = [path for path in machine.root.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert secret == []
    (phone.tmp_path / "chat.json").write_text(json.dumps(phone.standin.log, indent=1, ensure_ascii=False))  # to look at


@pytest.mark.slow
def test_a_worker_starts_the_relay_that_starts_the_next_worker(phone: Phone, machine: Machine) -> None:
    task = machine.root.parent / "task.md"
    task.write_text(examples.get("bulk-discount").task)
    machine.samoloop("run", "--detach", "--no-wait", "--session", "bulk-discount", "--file", str(task))
    phone.ann.tap(phone.standin.wait_message(ANN, "question 1 of 2", 40), "B ·")
    phone.ann.tap(phone.bot("question 2 of 2"), "C ·")  # no worker waits: the relay starts one
    plan = phone.standin.wait_message(ANN, "the plan is ready", 40)
    machine.kill_all()
    phone.ann.tap(plan, "✅ Approve")  # nobody listens: Telegram keeps it
    machine.samoloop("resume", "--detach")
    phone.standin.wait_message(ANN, "· done in", 60)
    assert machine.session.state().condition == "done"
    assert len(phone.standin.messages(ANN, "bulk-discount · started")) == 1
    by = [record.by for record in machine.session.journal.read() if isinstance(record, Resumed)]
    assert by[0].startswith("Ann (Telegram ")
    phone.ann.say("/diff")
    changes = phone.bot("changes so far")
    content = changes["content"].decode() if "content" in changes else changes["shown"]
    assert {line.split()[3] for line in content.splitlines() if line.startswith("diff --git")} == {
        f"b/{path}" for path in git(machine.root, "diff", "--name-only", "HEAD", "samoloop/bulk-discount").splitlines()
    }
    status = next(message for message in phone.standin.messages(ANN) if message["silent"])
    phone.standin.wait(lambda: phone.shown(status).startswith("🏁"))
