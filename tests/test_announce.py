"""The outbox on disk: numbered, in order, said once, never in the way."""

import json
from pathlib import Path

import pytest

from samoloop.config.outlets import Outlets
from samoloop.core.words import News
from samoloop.worker import outbox
from samoloop.worker.outbox import Announcement, Asked, acknowledge, pending, put

BOTH = Outlets(telegram=True, webhook="http://127.0.0.1:1/x")
QUESTION = Asked("Q1", "Which?", "It matters.", (("A", "one"), ("B", "two")), "A - simpler")


def test_nothing_is_written_when_nobody_reads(tmp_path: Path) -> None:
    assert put(tmp_path, Announcement(News.STARTED, "s"), Outlets()) is None
    assert list(tmp_path.iterdir()) == []


def test_items_come_in_order_and_as_they_were_put(tmp_path: Path) -> None:
    asked = Announcement(News.QUESTIONS, "s", gate="g1", questions=(QUESTION,), at=5.0)
    done = Announcement(News.DONE, "s", text="fertig ✓", commits=("abc one",), cost_usd=1.5, at=6.0)
    assert [put(tmp_path, item, BOTH) for item in (asked, done)] == [1, 2]
    assert [item.announcement for item in pending(tmp_path, "telegram")] == [asked, done]


def test_each_reader_keeps_its_own_place(tmp_path: Path) -> None:
    for kind in (News.STARTED, News.DONE):
        put(tmp_path, Announcement(kind, "s"), BOTH)
    acknowledge(tmp_path, "telegram", 1)
    assert [item.number for item in pending(tmp_path, "telegram")] == [2]
    assert [item.number for item in pending(tmp_path, "webhook")] == [1, 2]


def test_a_reader_that_comes_later_is_not_told_the_past(tmp_path: Path) -> None:
    put(tmp_path, Announcement(News.STARTED, "s"), Outlets(webhook="http://127.0.0.1:1/x"))
    put(tmp_path, Announcement(News.DONE, "s"), BOTH)
    assert [item.number for item in pending(tmp_path, "telegram")] == [2]


def test_a_gate_is_announced_once_however_often_the_worker_restarts(tmp_path: Path) -> None:
    plan = Announcement(News.PLAN, "s", gate="g2")
    assert [put(tmp_path, plan, BOTH), put(tmp_path, plan, BOTH)] == [1, 1]
    assert put(tmp_path, Announcement(News.PLAN, "s", gate="g3"), BOTH) == 2


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b'{"for": ["telegram"], "kind": "no such"}', b"\xff\xfe"])
def test_an_item_that_cannot_be_read_says_nothing_and_can_be_acknowledged(tmp_path: Path, damage: bytes) -> None:
    put(tmp_path, Announcement(News.STARTED, "s"), BOTH)
    (tmp_path / "_outbox" / "000001.json").write_bytes(damage)
    put(tmp_path, done := Announcement(News.DONE, "s", at=1.0), BOTH)
    assert [(item.number, item.announcement) for item in pending(tmp_path, "telegram")] == [(1, None), (2, done)]


def test_an_item_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    put(tmp_path, Announcement(News.STARTED, "s"), BOTH)
    item = tmp_path / "_outbox" / "000001.json"
    item.rename(tmp_path / "elsewhere.json")
    item.symlink_to(tmp_path / "elsewhere.json")
    assert [item.announcement for item in pending(tmp_path, "telegram")] == [None]


@pytest.mark.parametrize("kind", ["a file", "a link", "a lost link"])
def test_what_a_child_put_in_the_place_of_the_outbox_goes(tmp_path: Path, kind: str) -> None:
    place, elsewhere = tmp_path / "_outbox", tmp_path / "elsewhere"
    if kind == "a file":
        place.write_text("x")
    else:
        place.symlink_to(elsewhere)
    if kind == "a link":
        elsewhere.mkdir()
        (elsewhere / "000001.json").write_text('{"for": ["telegram"], "kind": "done", "session": "forged"}')
    assert list(pending(tmp_path, "telegram")) == []
    put(tmp_path, done := Announcement(News.DONE, "s", at=1.0), BOTH)
    assert [item.announcement for item in pending(tmp_path, "telegram")] == [done]
    assert sorted(path.name for path in tmp_path.glob("elsewhere/*")) == ["000001.json"] * (kind == "a link")


def test_a_disk_that_refuses_does_not_stop_the_work(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(outbox, "write_atomic", refuse)
    assert put(tmp_path, Announcement(News.DONE, "s"), BOTH) is None
    assert "could not announce done of s" in caplog.text


def test_hooks_get_only_the_fields_that_say_something(tmp_path: Path) -> None:
    put(tmp_path, Announcement(News.BLOCKED, "s", text="no database", at=7.0), BOTH)
    on_disk = json.loads((tmp_path / "_outbox" / "000001.json").read_text())
    expected = {"kind": "blocked", "session": "s", "text": "no database", "at": 7.0, "for": ["telegram", "webhook"]}
    assert on_disk == expected


def test_a_later_versions_field_does_not_hide_an_item() -> None:
    assert outbox.from_json({"kind": "done", "session": "s", "novelty": 1}).kind is News.DONE


def test_no_cost_is_said_and_an_unknown_one_is_not():
    assert Announcement(News.DONE, "s", cost_usd=0.0).as_json()["cost_usd"] == 0.0
    assert "cost_usd" not in Announcement(News.DONE, "s").as_json()
