"""A command and a webhook as readers of the outbox: in order, once each, tried until taken."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from kit import until

from samoloop.api import assembly
from samoloop.base.errors import ConfigError
from samoloop.children.awake import Awake
from samoloop.config.outlets import Outlets
from samoloop.core import control
from samoloop.core.outcome import Collector
from samoloop.core.words import News
from samoloop.worker.delivery import Delivery, NotDelivered, post, run_command
from samoloop.worker.outbox import Announcement, put

ENVIRON = {"PATH": "/usr/bin:/bin", "TELEGRAM_BOT_TOKEN": "123456:secret-secret-secret-secret"}


class Hook:
    """A web server that takes announcements, or refuses the first few."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.refuse = 0
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                code = 200 if not hook.refuse else 503
                if code == 200:
                    hook.taken.append(body)
                else:
                    hook.refuse -= 1
                self.send_response(code)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/secret-path"


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook()
    yield hook
    hook.server.shutdown()
    hook.server.server_close()
    hook.thread.join()


def start(tmp_path: Path, outlets: Outlets) -> Delivery:
    delivery = Delivery(tmp_path, tmp_path, outlets, {}, ENVIRON)
    delivery.start()
    return delivery


def test_a_command_gets_each_announcement_on_its_standard_input(tmp_path: Path) -> None:
    outlets = Outlets(command=("sh", "-c", "cat >> heard; echo >> heard; env | grep -c TELEGRAM >> leaks; true"))
    put(tmp_path, Announcement(News.STARTED, "s"), outlets)
    delivery = start(tmp_path, outlets)
    put(tmp_path, Announcement(News.DONE, "s", text="ende ✓"), outlets)
    delivery.look()
    until(lambda: (tmp_path / "heard").exists() and "ende" in (tmp_path / "heard").read_text())
    assert delivery.close() == []
    heard = [json.loads(line) for line in (tmp_path / "heard").read_text().splitlines()]
    assert [(item["kind"], item.get("text")) for item in heard] == [("started", None), ("done", "ende ✓")]
    assert set((tmp_path / "leaks").read_text().split()) == {"0"}


def test_a_webhook_that_fails_is_tried_again_in_order(tmp_path: Path, hook: Hook) -> None:
    outlets = Outlets(webhook=hook.address)
    hook.refuse = 1
    for kind in (News.STARTED, News.QUESTIONS, News.DONE):
        put(tmp_path, Announcement(kind, "s"), outlets)
    delivery = start(tmp_path, outlets)
    until(lambda: len(hook.taken) == 3)
    assert delivery.close() == []
    assert [item["kind"] for item in hook.taken] == ["started", "questions", "done"]


def test_what_was_not_taken_is_said_and_kept_for_the_next_worker(
    tmp_path: Path, hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    hook.refuse = 1000
    outlets = Outlets(webhook=hook.address)
    put(tmp_path, Announcement(News.DONE, "s"), outlets)
    delivery = start(tmp_path, outlets)
    assert delivery.close(0.1) == ["The announce webhook does not work: what it has not heard is kept."]
    hook.refuse = 0
    assert start(tmp_path, outlets).close() == []
    assert [item["kind"] for item in hook.taken] == ["done"]
    assert caplog.text.count("trying again until it works") == 1


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(NotDelivered, match="sh exits with 3: no network"):
        run_command(["sh", "-c", "echo no network >&2; exit 3"], {}, Path("/"), ENVIRON)
    with pytest.raises(NotDelivered, match="no-such-program cannot be run"):
        run_command(["no-such-program"], {}, Path("/"), ENVIRON)


def test_a_webhooks_address_is_not_repeated_in_errors(hook: Hook) -> None:
    hook.refuse = 1
    with pytest.raises(NotDelivered, match=r"^127\.0\.0\.1 answers 503$"):
        post(hook.address, {})
    with pytest.raises(NotDelivered) as refused:
        post("http://127.0.0.1:1/secret-path", {})
    assert "secret" not in str(refused.value)


def test_telegram_without_settings_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="samoloop telegram setup"):
        Delivery(tmp_path, tmp_path, Outlets(telegram=True), {}, {})


def test_a_control_folder_that_is_a_link_stops_no_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a child did to it is for the worker to say. A thread that ends by an error fails a test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    session = tmp_path / "session"
    session.mkdir()
    control.make(session)
    outlets = Outlets(command=("sh", "-c", "cat >> heard; echo >> heard"))
    put(session, Announcement(News.STARTED, "s"), outlets)
    delivery = Delivery(session, tmp_path, outlets, {}, ENVIRON)
    delivery.start()
    until((tmp_path / "heard").exists)
    place = control.place_of(session)
    place.rename(tmp_path / "moved")
    place.symlink_to(tmp_path / "moved")
    delivery.look()
    assert delivery.close(0.2) == ["The announce command does not work: what it has not heard is kept."]


def test_while_a_child_works_it_is_looked_now_and_then_whether_somebody_hears_the_phone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[int] = []
    view = assembly._WhileAtWork(Awake(False))
    view.deliver = lambda: looks.append(1)
    for seconds in (100.0, 0.0):
        monkeypatch.setattr(assembly, "DELIVERY_SECONDS", seconds)
        view.progress(Collector())
        view.progress(Collector())
        view._next_look = 0.0
    assert len(looks) == 3
