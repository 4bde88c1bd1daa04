"""A whole session as a person plays it on the page: by clicks or keys, with or without JavaScript."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, expect
from window import Person

from samoloop.demo import examples

EXAMPLE = "bulk-discount"
LONGEST_MS = 60_000.0
Press = Callable[[Locator], None]


def shop(folder: Path, home: Path) -> Path:
    """The example's project; whatever is started in it is played by the demo's child."""
    settings = home / ".config" / "samoloop" / "config.yaml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text("provider: demo\n")
    return examples.copy(examples.get(EXAMPLE), folder / "shop")


class Life:
    """One person and the session that they handed off."""

    def __init__(self, person: Person, *, js: bool = True, press: Press = lambda one: one.click()) -> None:
        self.page = person.page
        self._js = js
        self._press = press

    def see(self, what: Locator, longest_ms: float = LONGEST_MS) -> Locator:
        """Wait until it is there: the page brings it by itself, or, without JavaScript, by being loaded anew."""
        if self._js:
            expect(what.first).to_be_visible(timeout=longest_ms)
            return what.first
        for _ in range(int(longest_ms / 250)):
            if what.first.is_visible():
                return what.first
            self.page.wait_for_timeout(250)
            self.page.reload()
        expect(what.first).to_be_visible(timeout=1)
        return what.first

    def press(self, name: str | re.Pattern[str]) -> None:
        self._press(self.page.get_by_role("button", name=name).first)

    def hand_off(self) -> None:
        """From the overview."""
        self._press(self.page.get_by_role("navigation").get_by_role("link", name="New task"))
        self.page.get_by_label("Task", exact=True).fill(examples.get(EXAMPLE).task)
        self.press("Start")
        expect(self.page).to_have_url(re.compile(r"/s/[0-9a-f]+/"))

    def answer(self) -> None:
        """One question by its letter, one in words."""
        form = self.see(self.page.locator("form.questions"))
        form.get_by_role("group").nth(0).get_by_role("radio").nth(0).check()
        form.get_by_role("group").nth(1).get_by_label("In words").fill("15 %")
        self.press("Send the answers")

    def ask_for_changes(self) -> None:
        self._before = self.see(self.page.locator("article.plan .file")).inner_text().split()[0]
        self.page.get_by_label("What should change").fill("Say in the plan which file holds the rule.")
        self.press("Request changes")

    def approve(self) -> None:
        """The plan that came after."""
        self.see(self.page.locator("article.plan .file").filter(has_not_text=self._before))
        self.press("Approve")

    def see_done(self) -> None:
        self.see(self.page.locator("#live-standing .badge", has_text="done"))

    def read_report(self) -> None:
        self._press(self.page.get_by_role("link", name="Report", exact=True))
        expect(self.page).to_have_url(re.compile(r"/report$"))
