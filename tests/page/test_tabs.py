"""Several tabs of one browser: one connection for all that are open, and none while nobody looks."""

from collections.abc import Callable
from pathlib import Path

import pytest
from filled import Played, fill
from kit import samoloop
from playwright.sync_api import Page, Request, expect
from window import Person, Web

LOOK = """looks => {
  Object.defineProperty(document, "hidden", { value: !looks, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


class Tabs:
    """A person's tabs, and which of them are connected to hear what changes."""

    def __init__(self, person: Person, asks: Path) -> None:
        self.person, self.asks = person, asks
        self.connected: list[Page] = []
        person.page.goto("about:blank")
        person.context.on("request", lambda request: self._note(request, self.connected.append))
        person.context.on("requestfailed", lambda request: self._note(request, self.connected.remove))

    def _note(self, request: Request, note: Callable[[Page], None]) -> None:
        if request.url.endswith("/live"):
            note(request.frame.page)

    def open(self) -> Page:
        page = self.person.context.new_page()
        page.goto(f"{self.person.web.origin}/")
        page.evaluate("window.same = true")
        return page

    def wait(self, *pages: Page) -> None:
        """Until these are connected, and no others."""
        for _ in range(400):
            if self.connected == [*pages]:
                return
            self.person.page.wait_for_timeout(50)
        raise AssertionError([page.url for page in self.connected])

    def hear(self, answer: str, shown: str, *pages: Page) -> None:
        """An answer on the terminal shows in all of these, which are not loaded again."""
        root = self.asks.parent.parent
        done = samoloop(root, "answer", self.asks.name, answer)
        assert done.returncode == 0, done.stderr
        for page in pages:
            expect(page.locator("main")).to_contain_text(shown)
            assert page.evaluate("window.same") is True


@pytest.fixture
def tabs(played: Played, home: Path, tmp_path: Path, open_web: Callable[..., Web], meet: Callable[..., Person]) -> Tabs:
    folders = fill(played, tmp_path, "shop")
    return Tabs(meet(open_web(tmp_path / "shop")), folders["asks"])


def test_one_is_connected_for_all_and_another_when_that_is_closed(tabs: Tabs) -> None:
    one = tabs.open()
    tabs.wait(one)
    two, three = tabs.open(), tabs.open()
    tabs.hear("Q1=A", "Answer 1 question", one, two, three)
    tabs.wait(one)
    tabs.connected.clear()
    one.close()
    tabs.wait(two)
    tabs.hear("Q2=theirs", "no worker has taken it up yet", two, three)
    tabs.wait(two)


def test_none_is_connected_while_nobody_looks_and_who_looks_again_sees_what_is_new(tabs: Tabs) -> None:
    one, two = tabs.open(), tabs.open()
    tabs.wait(one)
    one.evaluate(LOOK, False)
    tabs.wait(two)
    two.evaluate(LOOK, False)
    tabs.wait()
    tabs.hear("Q1=A", "")
    one.evaluate(LOOK, True)
    tabs.wait(one)
    expect(one.locator("main")).to_contain_text("Answer 1 question")
    expect(two.locator("main")).to_contain_text("Answer 2 questions")
