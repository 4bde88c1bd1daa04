"""Nobody becomes the owner by accident: the real `telegram setup`, at a terminal, and all who would like to be it."""

import re
from collections.abc import Callable, Iterator

import pytest
import yaml
from bot_api import TOKEN
from kit import Terminal
from person import Person
from phone import ANN, Phone

pytestmark = pytest.mark.slow
BEFORE = """# mine
model: opus   # the big one
telegram:
  token: old
  chat: 1
  quiet: "22:00-07:30"
  transcribe: [whisper-cli, -np]

provider: codex
"""


class Setup:
    """The command at a terminal, and the file that it may write."""

    def __init__(self, phone: Phone) -> None:
        folder = phone.tmp_path / "config" / "samoloop"
        folder.mkdir(parents=True)
        self.file = folder / "config.yaml"
        self.file.write_text(BEFORE)
        env = {**phone.environ, "XDG_CONFIG_HOME": str(folder.parent)}
        self.terminal = Terminal(phone.tmp_path, "telegram", "setup", "--base-url", phone.standin.base_url, env=env)
        self.terminal.answer("Bot token", TOKEN)
        self.terminal.wait_for_text("/start ")
        found = re.search(r"\n  /start ([0-9a-f]{32})\n", self.terminal.screen)
        assert found
        self.code = found[1]

    @property
    def is_untouched(self) -> bool:
        return self.file.read_text() == BEFORE


@pytest.fixture
def begin(phone: Phone) -> Iterator[Callable[[], Setup]]:
    begun: list[Setup] = []

    def begin() -> Setup:
        begun.append(Setup(phone))
        return begun[0]

    yield begin
    for setup in begun:
        setup.terminal.process.kill()
        setup.terminal.process.wait()


@pytest.fixture
def setup(begin: Callable[[], Setup]) -> Setup:
    return begin()


def passed_over(phone: Phone) -> None:
    """Wait until all that was sent has been looked at."""
    phone.standin.wait(lambda: not phone.standin.updates)


def strangers(phone: Phone, count: int) -> None:
    eve = phone.another(666, "Eve", chat=phone.standin.chat(666))
    for number in range(count):
        eve.say(f"/start {number + 1000}")


def test_no_guess_and_nothing_that_only_resembles_the_code_is_taken(phone: Phone, begin: Callable[[], Setup]) -> None:
    strangers(phone, 9_000)
    setup = begin()
    terminal, code = setup.terminal, setup.code
    assert f"https://t.me/samoloop_test_bot?start={code}\n" in terminal.screen
    assert f"https://t.me/samoloop_test_bot?startgroup={code}\n" in terminal.screen
    strangers(phone, 300)
    eve = phone.another(666, "Eve", chat=phone.standin.chat(666))
    for words in (code, f"/start {code} now", f"so: /start {code}", f"/start {code[:-1]}", f"/start@other_bot {code}"):
        eve.say(words)
    eve.say(f"/start {code}", forward_origin={"type": "user", "date": 1, "sender_user": phone.ann.user})
    group = phone.standin.chat(-500, type="supergroup")
    anybody = Person(phone.standin, 1087968824, "Group", group)
    anybody.say(f"/start@samoloop_test_bot {code}", sender_chat=group.described())
    passed_over(phone)
    assert "Found" not in terminal.screen
    phone.ann.say(f"/start {code}")
    terminal.wait_for("Is that you")
    assert f"Found Ann (user {ANN}) in a private chat." in terminal.screen
    assert setup.is_untouched

    terminal.type("y")
    asked = phone.bot("Does this reach you?")
    data = asked["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    eve.tap_data({**asked, "chat": eve.chat.described()}, data)
    Person(phone.standin, 667, "Mallory", phone.chat).tap_data(asked, data)
    phone.ann.tap_data({**asked, "message_id": asked["message_id"] + 1}, data)
    phone.ann.tap_data(asked, "test|00000000000000000000000000000000|yes")
    passed_over(phone)
    assert setup.is_untouched
    phone.ann.tap(asked, "👍")
    assert terminal.end() == 0, terminal.screen
    assert TOKEN not in terminal.screen
    assert setup.file.stat().st_mode & 0o777 == 0o600
    assert "model: opus   # the big one" in setup.file.read_text()
    kept = yaml.safe_load(setup.file.read_text())
    ours = {"token": TOKEN, "chat": ANN, "users": [ANN], "base_url": phone.standin.base_url}
    assert kept["telegram"] == {**ours, "quiet": "22:00-07:30", "transcribe": ["whisper-cli", "-np"]}
    assert "It works, Ann" in phone.bot("It works")["shown"]


def test_who_is_not_the_one_is_refused_and_nothing_is_written(phone: Phone, setup: Setup) -> None:
    eve = Person(phone.standin, 666, "Eve \x1b[2J", phone.standin.chat(666))
    eve.say(f"/start {setup.code}")
    setup.terminal.wait_for("Is that you")
    assert "Found Eve [2J (user 666)" in setup.terminal.screen
    setup.terminal.type("")
    assert setup.terminal.end() == 2
    assert "nothing was written" in setup.terminal.screen
    assert setup.is_untouched
    assert phone.standin.messages(666) == []


def test_a_group_by_its_link(phone: Phone, setup: Setup) -> None:
    group = phone.standin.chat(-500, type="supergroup")
    ann = Person(phone.standin, ANN, "Ann", group)
    ann.say(f"/start@Samoloop_Test_Bot {setup.code}")
    setup.terminal.answer("Is that you", "y")
    ann.tap(phone.standin.wait_message(-500, "Does this reach you?"), "👍")
    assert setup.terminal.end() == 0
    assert "add their numbers to telegram.users" in setup.terminal.screen
    assert yaml.safe_load(setup.file.read_text())["telegram"]["chat"] == -500


def test_an_end_before_the_tap_leaves_the_file_as_it_was(phone: Phone, setup: Setup) -> None:
    phone.ann.say(f"/start {setup.code}")
    setup.terminal.answer("Is that you", "y")
    phone.bot("Does this reach you?")
    setup.terminal.press("c")
    assert setup.terminal.end() != 0
    assert setup.is_untouched
