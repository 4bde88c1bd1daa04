"""From a token to an answered question, and what doctor says."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from bot_api import TOKEN
from click.testing import CliRunner
from kit import samoloop
from phone import ANN, Phone

from samoloop.api import telegram_check
from samoloop.config import telegram_section
from samoloop.config.telegram_bot import BotSettings, parse
from samoloop.ui.cli.telegram import telegram
from samoloop.ui.telegram import setup
from samoloop.worker.relay_starter import RelayStarter


def in_background(act: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread


@pytest.fixture
def home(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in {**phone.environ, "XDG_CONFIG_HOME": str(phone.tmp_path / "config")}.items():
        monkeypatch.setenv(name, value)
    folder = phone.tmp_path / "config" / "samoloop"
    folder.mkdir(parents=True)
    return folder


def test_the_commands_do_it_too(phone: Phone, home: Path) -> None:
    def answer() -> None:
        phone.ann.tap(phone.bot("Does this reach you?"), "🙂")

    text = telegram_section.section(BotSettings(TOKEN, ANN, frozenset({ANN}), base_url=phone.standin.base_url), {})
    (home / "config.yaml").write_text(text)
    person = in_background(answer)
    done = CliRunner().invoke(telegram, ["test"])
    person.join(10)
    assert done.exit_code == 0, done.output
    assert done.output.endswith("Ann tapped: it works.\n")
    assert TOKEN not in done.output


@pytest.mark.parametrize(
    "before, kept",
    [
        ("", {}),
        ("model: opus", {"model": "opus"}),
        ("telegram: {chat: 1, token: x}\nmodel: opus\n", {"model": "opus"}),
        ("telegram:\n  chat: 1\n  users:\n  - 2\n# end\nmodel: opus\n", {"model": "opus"}),
        ("a: 1\n\ntelegram:\n\n  chat: 1\n\n  # more\n  users: [2]", {"a": 1}),
    ],
)
def test_only_the_section_is_replaced(before: str, kept: dict[str, object]) -> None:
    after = yaml.safe_load(telegram_section.with_section(before, "telegram", "telegram:\n  chat: 5\n"))
    assert after == {**kept, "telegram": {"chat": 5}}


def test_a_file_that_cannot_be_changed_safely_is_left_alone(phone: Phone, home: Path) -> None:
    path = home / "config.yaml"
    path.write_text("{model: opus}\n")
    with pytest.raises(Exception, match="by hand"):
        telegram_section.remember(phone.settings, {"XDG_CONFIG_HOME": str(home.parent)})
    assert path.read_text() == "{model: opus}\n"


def test_what_is_no_token_is_refused() -> None:
    with pytest.raises(Exception, match="get one from @BotFather"):
        setup.blank("hello", "http://127.0.0.1:1/bot")


def test_a_bot_that_a_person_listens_to_is_not_set_up_beside_it(phone: Phone) -> None:
    with phone.folder.foreground(), pytest.raises(Exception, match="uses this bot right now"):
        setup.test(phone.settings, phone.environ, lambda line: None)


def test_nobody_answers(phone: Phone) -> None:
    with pytest.raises(setup.NoReply, match="nobody tapped"):
        setup.try_out(phone.settings, phone.environ, lambda line: None, 0.3)


# --- doctor -----------------------------------------------------------------------------------------------------------


def checkup(phone: Phone, **more: object) -> tuple[str, ...]:
    section = {**phone.section, **more}
    found, _ = parse(section, {})
    assert found is not None
    return telegram_check.check(found, section, phone.environ).problems


def test_doctor_says_nothing_of_a_bot_that_works(phone: Phone) -> None:
    assert checkup(phone) == ()


def test_doctor_asks_the_bot_and_names_the_relay_that_listens(phone: Phone) -> None:
    environ = phone.remember()
    quiet = samoloop(phone.tmp_path, "doctor", env=environ)
    assert "@samoloop_test_bot answers, chat 4711, a session that works starts a relay" in quiet.stdout
    phone.work().block()
    RelayStarter(phone.section, environ).serve(phone.tmp_path / "session", phone.tmp_path)
    pid = phone.standin.wait(phone.relays)[0]
    assert f"a relay runs (process {pid})" in samoloop(phone.tmp_path, "doctor", env=environ).stdout


def test_doctor_does_not_wait_for_a_server_that_is_gone(phone: Phone) -> None:
    assert (
        "127.0.0.1 cannot be reached (ConnectionRefusedError)" in checkup(phone, base_url="http://127.0.0.1:1/bot")[0]
    )


def test_doctor_names_a_program_for_voices_that_is_not_there(phone: Phone) -> None:
    phone.environ["PATH"] = "/usr/bin:/bin"
    assert checkup(phone, transcribe=["sh", "-c", "cat"]) == ()
    assert (
        "there is no program 'whisper-cl', so voice messages are not heard"
        in checkup(phone, transcribe=["whisper-cl"])[0]
    )


def test_doctor_names_a_webhook(phone: Phone) -> None:
    phone.standin.webhook = "https://example.org/secret"
    assert "webhook at example.org" in checkup(phone)[0]
    assert "secret" not in checkup(phone)[0]


def test_doctor_names_a_second_poller(phone: Phone) -> None:
    phone.standin.fault(
        "getUpdates", "refuse", code=409, description="Conflict: terminated by other getUpdates request"
    )
    assert "another program polls" in checkup(phone)[0]


def test_doctor_names_a_wrong_token(phone: Phone) -> None:
    wrong = "123456:AAE-some-other-token-that-nobody-knows"
    assert "does not know the bot token: run `samoloop telegram setup`" in checkup(phone, token=wrong)[0]
    assert wrong not in checkup(phone, token=wrong)[0]


def test_doctor_names_a_file_that_others_can_read(phone: Phone, home: Path) -> None:
    path = home / "config.yaml"
    path.write_text("telegram: {}\n")
    path.chmod(0o644)
    phone.environ["XDG_CONFIG_HOME"] = str(home.parent)
    phone.standin.webhook = "https://example.org/x"  # which ends the look at once
    assert "chmod 600" in checkup(phone)[0]
