"""The session in docs/gates.md is the one that a phone shows. `PHONE_PAGE=write` writes it anew, and the picture."""

import os
import re
from pathlib import Path

import pytest
from chat_picture import draw
from chat_text import settled, told
from computer import Computer
from phone import ANN, Phone

WRITES = os.environ.get("PHONE_PAGE") == "write"
DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r"(?<=<!-- written by tests/telegram/test_gates_page.py -->\n\n```text\n).*?(?=```\n)", re.DOTALL)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_whole_session_as_the_phone_shows_it(phone: Phone) -> None:
    computer = Computer(phone.tmp_path, phone.remember(provider="demo"))
    with computer.relay():
        computer.hand_off()
        play(phone)
    computer.kill_worker()
    log, page = settled(phone.standin.log), DOCS / "gates.md"
    text = told(log)
    before = page.read_text()
    if WRITES:
        page.write_text(BLOCK.sub(lambda _: text, before, count=1))
        (DOCS / "telegram.svg").write_text(draw(log))
    shown = BLOCK.search(page.read_text())
    assert shown is not None and shown[0] == text


def play(phone: Phone) -> None:
    """A person who changes their mind once. Waits after each act, so that the chat is in one order."""

    def tap(message: dict, button: str, then: str) -> None:  # type: ignore[type-arg]
        phone.ann.toast(phone.ann.tap(message, button))
        phone.standin.wait(lambda: then in phone.shown(message))

    asked = phone.standin.wait_message(ANN, "2 questions, 2 open", 60)
    tap(asked, "Q1 B", "1 open")
    tap(asked, "✏️ Change Q1", "2 open")
    tap(asked, "Q1 A", "1 open")
    phone.ann.reply(asked, "Q2=15 %")
    plan = phone.standin.wait_message(ANN, "the plan is ready", 60)
    tap(plan, "✅ Approve", "Approved by Ann")
    phone.standin.wait_message(ANN, "· done in", 90)
    phone.ann.say("/diff")
    phone.standin.wait_message(ANN, "changes so far")
