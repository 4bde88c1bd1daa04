"""A person's own command makes words of a voice message, within bounds."""

import asyncio
import time
from pathlib import Path

import pytest
from kit import until

from samoloop.ui.telegram.voice import Unheard, transcribe


def heard(tmp_path: Path, script: str, seconds: float = 10.0) -> str:
    file = tmp_path / "5001.oga"
    file.write_bytes(b"use the small library\n")
    return asyncio.run(transcribe(["sh", "-c", script, "sh"], file, {"PATH": "/usr/bin:/bin", **SECRET}, seconds))


SECRET = {"TELEGRAM_BOT_TOKEN": "secret"}


def test_the_file_is_its_last_argument_and_what_it_prints_are_the_words(tmp_path: Path) -> None:
    assert heard(tmp_path, 'cat "$1"') == "use the small library"
    assert heard(tmp_path, "printf 'a\\033[2J\\nb\\n'") == "a[2J\nb"
    assert heard(tmp_path, "env") == heard(tmp_path, "env | grep -v TELEGRAM")


def test_a_name_of_the_file_is_no_command(tmp_path: Path) -> None:
    folder = tmp_path / "; touch here"
    folder.mkdir()
    assert heard(folder, 'cat "$1"') == "use the small library"
    assert list(tmp_path.rglob("here*")) == []


def test_a_long_log_does_not_hold_it_up(tmp_path: Path) -> None:
    assert heard(tmp_path, "head -c 300000 /dev/zero | tr '\\0' x >&2; echo yes") == "yes"


@pytest.mark.parametrize(
    "script, why",
    [
        ("exit 3", "'sh' ended with 3"),
        ("echo no model >&2; exit 1", "'sh' ended with 1: no model"),
        ("true", "heard no words"),
        ("echo '  '", "heard no words"),
        ("yes", "printed more than 16000 bytes"),
    ],
)
def test_what_is_no_answer_says_why(tmp_path: Path, script: str, why: str) -> None:
    with pytest.raises(Unheard, match=why):
        heard(tmp_path, script)


@pytest.mark.slow
def test_it_ends_in_time_with_all_that_it_started(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(Unheard, match=r"took longer than 0\.5 seconds"):
        heard(tmp_path, f"sleep 60 & echo $! > {tmp_path}/pid; sleep 60", 0.5)
    assert time.monotonic() - began < 30
    beside = Path("/proc", (tmp_path / "pid").read_text().strip(), "stat")
    until(lambda: not beside.exists() or beside.read_text().rpartition(") ")[2].startswith("Z"))


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unheard, match=r"'no-such-program' cannot be started: No such file or directory"):
        asyncio.run(transcribe(["no-such-program"], tmp_path / "a.oga", {}))
