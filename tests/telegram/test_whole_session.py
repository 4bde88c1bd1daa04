"""A whole session, from hand-off to done, by taps and replies alone, with worker and relay killed at each gate."""

from collections.abc import Iterator

import pytest
from bot_api import TOKEN
from computer import Computer
from kit import git, until
from phone import ANN, Phone

from samoloop.core.records import Resumed

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def computer(phone: Phone) -> Iterator[Computer]:
    computer = Computer(phone.tmp_path, phone.remember(provider="demo"))
    yield computer
    computer.kill_worker()


@pytest.mark.slow
def test_from_hand_off_to_done_by_taps_and_replies_with_everything_killed_at_each_gate(
    phone: Phone, computer: Computer
) -> None:
    computer.hand_off()
    with computer.relay():
        asked = phone.standin.wait_message(ANN, "2 questions, 2 open")
        computer.kill_worker()
    with computer.relay():
        phone.ann.tap(asked, "Q1 A")
        phone.standin.wait(lambda: "2 questions, 1 open" in phone.shown(asked))
    with computer.relay():
        phone.ann.reply(asked, "15 %")  # to the one that is open; a worker is started by it
        plan = phone.standin.wait_message(ANN, "the plan is ready")
        computer.kill_worker()
    with computer.relay():
        phone.ann.tap(plan, "✅ Approve")
        phone.standin.wait(lambda: "Approved by Ann" in phone.shown(plan))
        done = phone.standin.wait_message(ANN, "· done in", 60)
    assert "samoloop/bulk-discount" in done["shown"]
    state = computer.session.state()
    assert state.condition == "done"
    closings = [e for e in computer.session.journal.read() if e.event == "gate_closed"]
    assert [event.verdict for event in closings] == ["answered", "approve"]
    assert all(event.by.startswith("Ann (Telegram ") for event in closings)
    secret = [path for path in computer.root.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert secret == []


@pytest.mark.slow
def test_a_worker_starts_the_relay_that_starts_the_next_worker(phone: Phone, computer: Computer) -> None:
    computer.hand_off("--no-wait")
    asked = phone.standin.wait_message(ANN, "2 questions, 2 open")
    phone.ann.tap(asked, "Q1 B")
    phone.ann.tap(asked, "Q2 C")  # no worker waits: the relay starts one
    plan = phone.standin.wait_message(ANN, "the plan is ready")
    computer.kill_worker()
    phone.end_relays()
    until(lambda: not phone.relays())
    phone.ann.tap(plan, "✅ Approve")  # nobody listens: Telegram keeps it
    computer.samoloop("resume", "--detach")
    phone.standin.wait_message(ANN, "· done in", 60)
    assert computer.session.state().condition == "done"
    assert len(phone.standin.messages(ANN, "bulk-discount · started")) == 1
    by = [record.by for record in computer.session.journal.read() if isinstance(record, Resumed)]
    assert by[0].startswith("Ann (Telegram ")
    phone.ann.say("/diff")
    changes = phone.bot("changes so far")
    content = changes["content"].decode() if "content" in changes else changes["shown"]
    assert {line.split()[3] for line in content.splitlines() if line.startswith("diff --git")} == {
        f"b/{path}" for path in git(computer.root, "diff", "--name-only", "HEAD", "samoloop/bulk-discount").splitlines()
    }
    status = phone.standin.messages(ANN, "iteration")[0]
    phone.standin.wait(lambda: phone.shown(status).startswith("🏁"))
