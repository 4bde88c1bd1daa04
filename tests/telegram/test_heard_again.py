"""The real relay beside a full disk, a removed folder and a webhook; and who says that nobody is heard."""

import os
import resource
import shutil
import signal
import subprocess
import sys

import pytest
from bot_api import TOKEN
from phone import ANN, Phone
from test_relay import DETACHED, RELAY, listens, process

from samoloop.api import telegram_check
from samoloop.config.telegram_bot import BotSettings
from samoloop.worker import relay_starter
from samoloop.worker.relay_starter import RelayStarter

pytestmark = pytest.mark.slow  # whole commands
RELAYS = pytest.mark.parametrize("words", [RELAY, DETACHED], ids=["a person's", "a worker's"])


def limit_files(pid: int, bytes_: int) -> None:
    """What a process writes from now on may be no larger than that: 0 is a full disk."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (bytes_, resource.RLIM_INFINITY))


def samoloop(phone: Phone, *words: str) -> str:
    """What a command prints in the project of the sessions."""
    argv = [sys.executable, "-m", "samoloop", *words]
    root = phone.tmp_path / "project"
    done = subprocess.run(argv, cwd=root, env=phone.remember(), capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="needs prlimit")
@RELAYS
def test_a_full_disk_makes_nobody_deaf_and_what_was_tapped_counts_when_there_is_room(
    phone: Phone, words: tuple[str, ...]
) -> None:
    work = phone.work()
    work.ask()
    with process(phone, *words) as relay:
        message = phone.standin.wait_message(ANN, "Which library?")
        phone.standin.wait_message(ANN, "iteration 0")
        limit_files(relay.pid, 0)
        tap = phone.ann.tap(message, "Q2 B")
        said = phone.standin.wait_message(ANN, "I may not hear you: ")
        assert "File too large" in said["shown"] and tap not in phone.standin.toasts
        limit_files(relay.pid, resource.RLIM_INFINITY)
        phone.standin.wait(lambda: tap in phone.standin.toasts)
        phone.standin.wait(lambda: "I hear you again" in phone.shown(said))
        assert phone.relays() == [relay.pid]
    assert work.read("_qa.md").count("**Answer:** B <!-- by Ann (Telegram ") == 1


def test_a_person_s_relay_whose_folder_was_removed_makes_it_anew_and_hears(phone: Phone) -> None:
    work = phone.work()
    work.ask()
    with process(phone, *RELAY) as relay:
        message = phone.standin.wait_message(ANN, "Which library?")
        shutil.rmtree(phone.folder.path)
        listens(phone, 2)
        phone.standin.wait(lambda: phone.relays() == [relay.pid])
        phone.ann.toast(phone.ann.tap(message, "Q2 B"))
        with process(phone, *DETACHED) as other:
            assert other.wait(40) == 0  # the lock keeps others out again
    assert "**Answer:** B" in work.read("_qa.md")
    assert len(phone.standin.messages(ANN, "Which library?")) == 1


def test_a_worker_registers_its_session_anew_where_the_folder_was_removed(phone: Phone) -> None:
    work = phone.work()
    work.ask()
    starter = RelayStarter(phone.section, phone.remember())
    starter.serve(work.dir, work.root)
    message = phone.standin.wait_message(ANN, "Which library?")
    buttons = [button for row in message["reply_markup"]["inline_keyboard"] for button in row]
    (data,) = (button["callback_data"] for button in buttons if "Q2 B" in button["text"])
    (first,) = phone.relays()
    shutil.rmtree(phone.folder.path)

    def another() -> bool:
        starter.look()
        return bool(set(phone.relays()) - {first})

    phone.standin.wait(another)
    phone.standin.wait(
        lambda: phone.ann.tap_data(message, data) in phone.standin.toasts or "B <!--" in work.read("_qa.md"), 20
    )


@RELAYS
def test_while_a_webhook_takes_the_answers_away_status_doctor_and_chat_say_so(
    phone: Phone, words: tuple[str, ...]
) -> None:
    work = phone.work()
    work.block()
    phone.standin.webhook = "https://hooks.example.org/secret"
    with process(phone, *words):
        said = phone.standin.wait_message(ANN, "I may not hear you: a webhook is set")
        phone.standin.wait(
            lambda: "the phone is not heard: a webhook is set" in samoloop(phone, "status", "jwt-auth"), 20
        )
        found = samoloop(phone, "doctor")
        assert "a webhook is set" in found and "hooks.example.org" in found and "secret" not in found
        phone.standin.webhook = ""
        phone.standin.wait(lambda: "not heard" not in samoloop(phone, "status", "jwt-auth"))
        phone.standin.wait(lambda: "I hear you again" in phone.shown(said))


def test_where_nobody_listens_status_says_so_and_of_one_that_is_stopped_not(phone: Phone) -> None:
    phone.work().block()
    with process(phone, *DETACHED):
        phone.standin.wait_message(ANN, "blocked in testing")
        assert "nobody listens" not in samoloop(phone, "status", "jwt-auth")
    assert "nobody listens on Telegram now: `samoloop relay` would" in samoloop(phone, "status", "jwt-auth")


def test_a_relay_that_hangs_is_named(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    phone.work().block()
    with process(phone, *DETACHED) as relay:
        phone.standin.wait_message(ANN, "blocked in testing")
        phone.standin.wait(lambda: (found := phone.folder.listener()) and found.heard)
        relay.send_signal(signal.SIGSTOP)
        monkeypatch.setattr("samoloop.config.bot_folder.DEAF_SECONDS", -1.0)
        assert f"the relay (process {relay.pid}) has heard nothing of Telegram since" in phone.folder.why_deaf()
        relay.send_signal(signal.SIGCONT)


def test_the_terminal_is_told_once_that_nobody_listens_and_once_that_somebody_does(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_starter, "SAID_SECONDS", 0.3)
    monkeypatch.setattr(relay_starter, "FIRST_PAUSE_SECONDS", 0.1)
    work = phone.work()
    environ = phone.remember()
    mine = phone.tmp_path / "config" / "samoloop" / "config.yaml"
    right = mine.read_text()
    mine.write_text("telegram: [no]\n")
    starter = RelayStarter(phone.section, environ)
    said = [starter.serve(work.dir, work.root)]

    def told(count: int) -> bool:
        said.append(starter.look())
        return len([one for one in said if one]) == count

    phone.standin.wait(lambda: told(1))
    assert next(filter(None, said)).startswith("Nobody listens on Telegram now: ")
    mine.write_text(right)
    phone.standin.wait(lambda: told(2))
    assert said[-1] == "The phone is heard again."


GROUP = BotSettings(TOKEN, -500, frozenset({ANN}))


@pytest.mark.parametrize(
    "state, said",
    [
        ("none", "the bot does not reach the chat -500: it answers 400 (Bad Request: chat not found)"),
        ("kicked", "the bot does not reach the chat -500: it answers 403 (Forbidden: "),
        ("no topics", "the bot may not open topics in the group"),
        ("moved", "set telegram.chat to -100500"),
        ("fine", ""),
    ],
)
def test_doctor_asks_for_the_chat_and_the_rights_in_it(phone: Phone, state: str, said: str) -> None:
    settings = BotSettings(TOKEN, -500, frozenset({ANN}), base_url=phone.standin.base_url)
    if state != "none":
        chat = phone.standin.chat(-500, type="supergroup", is_forum=True)
        chat.can_manage_topics = state != "no topics"
        chat.forbidden = "bot was kicked from the supergroup chat" if state == "kicked" else ""
    if state == "moved":
        phone.standin.migrate(phone.standin.chat(-500), -100_500)
        phone.folder.move_chat(settings, -100_500)
    problems = telegram_check.check(settings, {}, phone.environ).problems
    assert [problem for problem in problems if said and said in problem] == list(problems)
    assert bool(problems) == bool(said)


def test_doctor_says_who_else_listens_and_which_file_others_can_read(phone: Phone) -> None:
    phone.remember()
    mine = phone.tmp_path / "config" / "samoloop" / "config.yaml"
    mine.chmod(0o644)
    environ = {**os.environ, **phone.environ, "XDG_CONFIG_HOME": str(phone.tmp_path / "config")}
    with phone.relay():  # of another machine, as far as that folder knows
        elsewhere = {**environ, "XDG_STATE_HOME": str(phone.tmp_path / "elsewhere")}
        phone.standin.wait(lambda: phone.standin.polls)
        problems = telegram_check.check(phone.settings, phone.section, elsewhere).problems
    assert [problem.split(":")[0].split(",")[0] for problem in problems] == [
        f"{mine} holds the bot token and others can read it", "another program polls this bot",
    ]  # fmt: skip
