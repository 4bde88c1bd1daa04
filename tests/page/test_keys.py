"""With keys alone: each that the page's own list names does what stands beside it, and none while somebody types."""

from collections.abc import Callable
from pathlib import Path

import pytest
from filled import Played, fill
from playwright.sync_api import Page, expect
from window import Person, Web

PLACES = {"o": "/", "b": "/backlog", "n": "/new", "s": "/stats"}


@pytest.fixture
def page(played: Played, home: Path, tmp_path: Path, open_web: Callable[..., Web], meet: Callable[..., Person]) -> Page:
    """The overview, with a session at each moment."""
    fill(played, tmp_path, "shop")
    return meet(open_web(tmp_path / "shop")).page


def rows(page: Page) -> list[str]:
    """Where the rows lead, from the top down."""
    return [str(row.locator("a").first.get_attribute("href")) for row in page.locator("[data-row]").all()]


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.getAttribute('href') || document.activeElement.id"))


def test_j_and_k_go_from_row_to_row_and_enter_opens_one(page: Page) -> None:
    every = rows(page)
    assert len(every) > 3
    seen = []
    for key in "jjkkj" + "j" * len(every) + "k":
        page.keyboard.press(key)
        seen.append(every.index(focused(page)))
    last = len(every) - 1
    assert seen == [0, 1, 0, 0, 1, *range(2, last), *[last] * 3, last - 1]
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{page.url.partition('/s/')[0].rstrip('/')}{every[last - 1]}")


def test_k_begins_with_the_last_row(page: Page) -> None:
    page.keyboard.press("k")
    assert focused(page) == rows(page)[-1]


def test_g_and_a_letter_lead_to_each_page(page: Page) -> None:
    start = page.url.rstrip("/")
    for key in "bnso":
        page.keyboard.press("g")
        page.keyboard.press(key)
        expect(page).to_have_url(start + PLACES[key])
        page.wait_for_load_state()  # before that nobody hears a key
    page.keyboard.press("g")
    page.keyboard.press("x")  # leads nowhere, and is used up
    page.keyboard.press("b")
    page.keyboard.press("j")
    assert page.url == start + "/"
    assert focused(page) == rows(page)[0]


def test_a_leads_to_what_waits_and_not_to_the_link_of_its_session(page: Page) -> None:
    page.keyboard.press("a")
    assert page.evaluate("document.activeElement.closest('.gate') !== null")


def test_what_is_typed_into_a_field_is_text(page: Page) -> None:
    start = page.url
    page.keyboard.press("/")
    assert focused(page) == "search"
    page.keyboard.type("jgb?/a")
    expect(page.locator("#search")).to_have_value("jgb?/a")
    expect(page.locator("#keys")).to_be_hidden()
    page.keyboard.press("Escape")
    assert focused(page) != "search"
    page.keyboard.press("j")
    assert focused(page) == rows(page)[0]
    assert page.url == start


def test_the_list_of_keys_opens_closes_and_turns_them_off_for_good(page: Page) -> None:
    expect(page.get_by_role("button", name="Keys")).to_be_visible()
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    listed = {tuple(dt.locator("kbd").all_inner_texts()) for dt in page.locator("#keys dt").all()}
    assert listed == {("j", "k"), ("Enter",), ("a",), ("/",), *(("g", key) for key in PLACES), ("?",)}
    page.keyboard.press("j")  # acts on nothing behind it
    assert focused(page) not in rows(page)
    page.get_by_label("Single keys act").uncheck()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    for again in (False, True):
        if again:
            page.reload()
        page.keyboard.press("j")
        page.keyboard.press("?")
        assert focused(page) not in rows(page)
        expect(page.locator("#keys")).to_be_hidden()
    page.get_by_role("button", name="Keys").click()  # the way back
    page.get_by_label("Single keys act").check()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("j")
    assert focused(page) == rows(page)[0]


@pytest.mark.parametrize("held", ["Control", "Alt", "Meta"])
def test_a_key_with_another_is_the_browser_s(page: Page, held: str) -> None:
    page.locator("main").focus()
    for key in "jka":
        page.keyboard.press(f"{held}+{key}")
    assert focused(page) == "main"
