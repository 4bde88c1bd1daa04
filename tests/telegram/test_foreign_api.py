"""A whole session over a Bot API that others wrote, and that knows nothing of us."""

from pathlib import Path

import pytest
from bot_api import TOKEN
from computer import Computer
from foreign_api import Foreign
from phone import ANN, own_home, own_settings

from samoloop.core.records import GateClosed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_whole_session_over_telegram_test_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in own_home(tmp_path).items():
        monkeypatch.setenv(name, value)
    with Foreign(TOKEN, ANN) as ann:
        computer = Computer(tmp_path, own_settings(tmp_path, ann.base_url, provider="demo"))
        with computer.relay():
            computer.hand_off()
            asked = ann.wait_message("2 questions, 2 open")
            ann.tap(asked, "Q1 A")
            ann.wait(lambda: "2 questions, 1 open" in ann.shown(asked))
            ann.reply(asked, "15 %")  # to the one that is open
            plan = ann.wait_message("the plan is ready")
            ann.tap(plan, "✅ Approve")
            ann.wait(lambda: "Approved by Ann" in ann.shown(plan))
            assert "samoloop/bulk-discount" in ann.wait_message("· done in", 60)["text"]
            ann.say("/status")
            ann.wait_message("done")
        closed = [record for record in computer.session.journal.read() if isinstance(record, GateClosed)]
        assert [record.verdict for record in closed] == ["answered", "approve"]
        assert all(record.by.startswith("Ann (Telegram ") for record in closed)
        computer.kill_worker()
