"""Telegram: from a tap to the next child's start, and that sending or a dead network never delays an iteration."""

import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from gate_bench import open_gate, start_waiting
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
TAPS = 60
STEPS = 60


def rows(folder: Path) -> list[Row]:
    return [*tap_rows(folder / "taps"), *overhead_rows(folder / "overhead")]


def tap_rows(folder: Path) -> list[Row]:
    """A worker that waits, the relay that it started, a person who taps."""
    times: list[float] = []
    with Standin() as standin:
        ann = Person(standin, ANN, "Ann", standin.chat(ANN))
        configure(folder, standin)
        process, session = start_waiting(folder)
        try:
            gate = ""
            for _ in range(TAPS):
                spent, gate = tap_to_child(standin, ann, session, gate)
                times.append(spent)
        finally:
            process.terminate()
            process.wait()
            end_relay(folder)
    tail = percentile(times, 0.99)
    return [
        Row("tap to next child started, median", f"{median(times):.0f} ms", "< 150 ms", median(times) < 150),
        Row("the same, 99 %", f"{tail:.0f} ms", "< 500 ms", tail < 500),
    ]


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


def tap_to_child(standin: Standin, ann: Person, session: Session, before: str) -> tuple[float, str]:
    """Milliseconds from the tap's arrival at the server to the start of the next child."""
    found = open_gate(session, before)
    state = found.state()
    assert state.gate is not None
    question = state.gate.questions[0]
    message: Message = standin.wait_message(ANN, f"{question}, question", 30)
    time.sleep(0.1)  # the worker has settled into its wait
    following = found.stem(state.iteration + 1, state.phase, 1)
    pid_file = following.with_name(following.name + ".pid")
    begin = time.time_ns()
    ann.reply(message, "yes")
    while not pid_file.exists():
        time.sleep(0.002)
    return (pid_file.stat().st_mtime_ns - begin) / 1e6, state.gate.id


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
