"""The whole life of a session on the page: handed off, answered, sent back, approved, vetoed, done, its report read."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filled import Played, at_work, fill, url_of
from life import Life, shop
from playwright.sync_api import Locator, Page, expect
from window import DESK, PHONE, Person, Web

from samoloop.core.session import Session

Opens, Meets = Callable[..., Web], Callable[..., Person]
WAYS: dict[str, dict[str, Any]] = {
    "desk": {"viewport": DESK},
    "phone": {"viewport": PHONE, "has_touch": True, "is_mobile": True},
    "without JavaScript": {"viewport": DESK, "java_script_enabled": False},
}


@pytest.mark.parametrize("way", WAYS)
def test_a_newcomer_takes_a_session_from_the_printed_link_to_its_report_on_the_page_alone(
    way: str, home: Path, tmp_path: Path, open_web: Opens, meet: Meets
) -> None:
    person = meet(open_web(shop(tmp_path, home)), **WAYS[way])
    js = WAYS[way].get("java_script_enabled", True)
    life = Life(person, js=js)
    life.hand_off()
    life.answer()
    life.ask_for_changes()
    life.approve()
    vetoed = life.see(person.page.get_by_text("vetoed"))
    expect(vetoed).to_be_visible()
    life.see_done()
    life.read_report()
    expect(person.page.get_by_role("main")).to_contain_text("15 %")
    assert person.errors == []
    assert person.strayed == []


def test_a_plan_is_read_and_sent_back_with_keys_alone(
    played: Played, home: Path, tmp_path: Path, open_web: Opens, meet: Meets
) -> None:
    folders = fill(played, tmp_path, "shop")
    page = meet(open_web(tmp_path / "shop")).page
    link = page.get_by_role("link", name="Read the plan and decide")
    expect(link).to_be_visible()
    tab_to(page, link)
    page.keyboard.press("Enter")
    field = page.get_by_label("What should change")
    expect(field).to_be_visible()
    tab_to(page, field)
    page.keyboard.type("Smaller steps.")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Request changes")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("Changes requested")
    assert "Smaller steps." in (folders["plans"] / "_approval.md").read_text()


def test_what_the_child_at_work_does_is_seen_without_loading_the_page_again(
    played: Played, home: Path, tmp_path: Path, open_web: Opens, meet: Meets
) -> None:
    folder = fill(played, tmp_path, "shop")["works"]
    session = Session(folder)
    person = meet(open_web(tmp_path / "shop"))
    with at_work(folder):
        page = person.go(url_of(folder))
        page.evaluate("window.same = true")
        expect(page.locator("#live-log")).to_contain_text("At work now")
        log = max(session.logs.glob("*.jsonl"), key=lambda path: path.name)
        with log.open("a") as file:
            file.write(json.dumps({"type": "text", "text": "A word that came just now"}) + "\n")
        expect(page.locator("#live-log")).to_contain_text("A word that came just now", timeout=10_000)
        assert page.evaluate("window.same") is True


def tab_to(page: Page, what: Locator) -> None:
    """Press Tab until it has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if what.evaluate("one => one === document.activeElement"):
            return
    raise AssertionError(f"no Tab reaches {what}")
