"""The whole life of a session on the page: handed off, answered, sent back, approved, vetoed, done, its report read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from life import Life, shop
from playwright.sync_api import expect
from window import DESK, PHONE, Person, Web

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
