"""The phone: how long question and answer are under way, and that sending or a dead network never delays an iteration.

The server is on loopback, so these are our own times, without the network's.
"""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from gate_bench import answer_to_child, open_gate, start_waiting
from loop_bench import TINY, make_worker
from measure import Row, median, percentile, timed

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "telegram"))

from bot_api import TOKEN, Message, Standin
from person import Person

from samoloop.base.locks import holders
from samoloop.config.outlets import Outlets
from samoloop.core.session import Session
from samoloop.core.words import News
from samoloop.worker import iteration
from samoloop.worker.delivery import Delivery
from samoloop.worker.outbox import Announcement

ANN = 4711
TAPS = 100
COMMANDS = 20
STEPS = 60


def rows(folder: Path) -> list[Row]:
    found = [*phone_rows(folder / "elected", "a worker's relay"), *phone_rows(folder / "own", "a relay of one's own")]
    return [*found, *overhead_rows(folder / "overhead")]


def phone_rows(folder: Path, whose: str) -> list[Row]:
    """A worker that waits, a relay, a person who taps: how long question and answer are under way."""
    os.environ["HOME"] = str(folder)  # where the state of its sessions is
    asked: list[float] = []
    taps: list[float] = []
    with Standin() as standin:
        ann = Person(standin, ANN, "Ann", standin.chat(ANN))
        configure(folder, standin)
        relay = own_relay(folder, standin) if whose != "a worker's relay" else None
        process, session = start_waiting(folder)
        try:
            gate = ""
            commands = []
            for _ in range(COMMANDS):
                spent, gate = answer_to_child(session, False, gate)
                commands.append(spent)
            for _ in range(TAPS):
                to_chat, to_child, gate = there_and_back(standin, ann, session, gate)
                asked.append(to_chat)
                taps.append(to_child)
        finally:
            process.terminate()
            process.wait()
            end_relay(folder)
            if relay:
                relay.wait()
    floor = median(commands)
    return [
        bounded(f"child asks to question in the chat, {whose}, median", median(asked), 150, floor),
        bounded("the same, 99 %", percentile(asked, 0.99), 300, floor),
        bounded(f"tap to next child started, {whose}, median", median(taps), 35, floor),
        bounded("the same, 99 %", percentile(taps, 0.99), 150, floor),
    ]


def bounded(name: str, spent: float, most: float, floor: float) -> Row:
    """Milliseconds, also as a multiple of what an answer by command takes in the same run."""
    return Row(name, f"{spent:.0f} ms = {spent / floor:.1f} × by command", f"< {most:.0f} ms", spent < most)


def own_relay(folder: Path, standin: Standin) -> "subprocess.Popen[bytes]":
    """`samoloop relay` in the foreground, once it listens."""
    environ = {**os.environ, "HOME": str(folder)}
    relay = subprocess.Popen(
        [sys.executable, "-m", "samoloop", "relay"], cwd=folder, env=environ, stdout=subprocess.DEVNULL
    )
    standin.wait(lambda: standin.polls, 30)
    return relay


def configure(folder: Path, standin: Standin) -> None:
    config = folder / ".config" / "samoloop"
    config.mkdir(parents=True)
    (config / "config.yaml").write_text(json.dumps({"telegram": section(standin)}))


def end_relay(folder: Path) -> None:
    """End the relay that a worker with that home has started."""
    for lock in (folder / ".local" / "state" / "samoloop" / "telegram").glob("*/poller.lock"):
        for pid in holders(lock):
            os.kill(pid, signal.SIGTERM)


def section(standin: Standin) -> dict[str, object]:
    return {"token": TOKEN, "chat": ANN, "base_url": standin.base_url, "remind": "off"}


def there_and_back(standin: Standin, ann: Person, session: Session, before: str) -> tuple[float, float, str]:
    """Milliseconds from the child's signal to the chat, and from the reply's arrival to the start of the next child."""
    found = open_gate(session, before)
    state = found.state()
    assert state.gate is not None
    question = state.gate.questions[0]
    message: Message = standin.wait(
        lambda: [shown for shown in standin.messages(ANN, question) if "reply_markup" in shown], 30
    )[-1]
    signalled = (found.dir / "_signal.json").stat().st_mtime
    came = next(entry["at"] for entry in standin.log if entry.get("id") == message["message_id"])
    time.sleep(0.1)  # the worker has settled into its wait
    following = found.stem(state.iteration + 1, state.phase, 1)
    pid_file = following.with_name(following.name + ".pid")
    begin = time.time_ns()
    ann.reply(message, "yes")
    while not pid_file.exists():
        time.sleep(0.002)
    return (came - signalled) * 1000, (pid_file.stat().st_mtime_ns - begin) / 1e6, state.gate.id


def overhead_rows(folder: Path) -> list[Row]:
    """The same iterations with Telegram off, on, and on with the network cut."""
    off = steps(folder / "off", None)
    with Standin() as standin:
        standin.chat(ANN)
        on = steps(folder / "on", standin)
    with Standin() as standin:
        standin.down = True
        cut = steps(folder / "cut", standin)
    bound = "≤ 1.15 × off + 1 ms"
    return [
        Row("one iteration, Telegram off", f"{off:.2f} ms"),
        Row("one iteration, Telegram on, a relay polls and sends", f"{on:.2f} ms", bound, on <= off * 1.15 + 1),
        Row("one iteration, Telegram on, the network cut", f"{cut:.2f} ms", bound, cut <= off * 1.15 + 1),
    ]


def steps(folder: Path, standin: Standin | None) -> float:
    """Median milliseconds of an iteration that also has something to announce every tenth time."""
    os.environ["HOME"] = str(folder)
    worker = make_worker(folder, TINY, commit=False)
    outlets = Outlets(telegram=standin is not None)
    worker.config = replace(worker.config, outlets=outlets)
    delivery = None
    if standin is not None:
        configure(folder, standin)
        environ = {**os.environ, "HOME": str(folder)}
        delivery = Delivery(worker.session.dir, worker.config.root, outlets, section(standin), environ)
        delivery.start()
        worker.deliver = delivery.look
        time.sleep(3)  # the relay is up
    count = 0

    def step() -> None:
        nonlocal count
        count += 1
        if count % 10 == 0:
            worker.announce(Announcement(News.RESUMED, worker.session.name, text=f"iteration {count}"))
        iteration.step(worker)

    for _ in range(5):
        step()
    spent = median(timed(step, STEPS))
    if delivery is not None:
        end_relay(folder)
    return spent
