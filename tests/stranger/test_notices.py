"""Being noticed: a terminal calls its person, a desktop shows a notice, reminders come; no word of a child acts."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kit import GOOD_CHILD, samoloop, scripted_project, until

EVIL = "Which \\033]0;evil\\007 way; --help $(touch ran) \\001?"
# Its first question holds codes, options and commands.
CHILD = GOOD_CHILD.replace("ask 'Which way?'", f"ask \"$(printf '{EVIL}')\"")
CODES = re.compile(r"\x1b\](?:9|777|2);.*?\x07|\x07|\x1bPtmux;.*?\x1b\\\\")


def show(tmp_path: Path, program: str) -> tuple[Path, Path]:
    """A program of this name that writes down its words, one a line; its folder, and what it wrote."""
    folder, heard = tmp_path / "bin", tmp_path / "heard"
    folder.mkdir()
    path = folder / program
    path.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" --- >> {heard}\n")
    path.chmod(0o755)
    return folder, heard


@contextmanager
def at_a_terminal(root: Path, *words: str, env: dict[str, str] | None = None) -> Iterator[bytearray]:
    """The real command on a pseudo-terminal; what it wrote there."""
    reader, writer = pty.openpty()
    written = bytearray()

    def read() -> None:
        with_end = True
        while with_end:
            try:
                data = os.read(reader, 65536)
            except OSError:
                return
            with_end = bool(data)
            written.extend(data)

    base = {name: value for name, value in os.environ.items() if name not in ("TMUX", "TERM_PROGRAM", "VTE_VERSION")}
    command = [sys.executable, "-m", "samoloop", *words]
    environ = {**base, "TERM": "xterm-256color", **(env or {})}
    with subprocess.Popen(
        command, cwd=root, env=environ, stdin=subprocess.DEVNULL, stdout=writer, stderr=writer
    ) as run:
        os.close(writer)
        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        try:
            yield written
        finally:
            if run.poll() is None:
                run.send_signal(signal.SIGTERM)
            run.wait(60)
            thread.join(10)
            os.close(reader)


def test_a_terminal_calls_its_person_and_a_childs_words_only_show(tmp_path: Path):
    root = scripted_project(tmp_path, CHILD)
    with at_a_terminal(root, "run", "Task", "--session", "a") as written:
        until(lambda: b"777;notify;" in written)
        until(lambda: b"waits for answers to Q1" in written)
        assert samoloop(root, "answer", "a", "Q1=A").returncode == 0
        until(lambda: written.count(b"\x1b]777;notify;") == 2)
        text = written.decode()
    codes = CODES.findall(text)
    said = "samoloop: repo a: questions: Which ␛]0;evil␇ way; --help $(touch ran) ␁?"
    assert codes[:4] == ["\a", f"\x1b]2;{said}\a", f"\x1b]9;{said}\a", codes[3]]
    assert codes[3].startswith("\x1b]777;notify;samoloop: repo a;questions: Which ␛]0;evil␇ way")
    assert codes[4] == "\x1b]2;samoloop: " + text.split("session ")[1].split(":")[0] + "\a"  # it goes on
    assert codes[-1].endswith(";the plan is ready: 11-21-0900-plan-x.md\a") and not list(tmp_path.rglob("ran"))
    assert "\x1b]0;" not in text


def test_nothing_calls_in_a_pipe_or_where_a_person_wants_none_of_it(tmp_path: Path):
    root = scripted_project(tmp_path, CHILD)
    piped = samoloop(root, "run", "Task", "--session", "a", "--no-wait")
    assert piped.returncode == 3 and "\a" not in piped.stdout + piped.stderr and "\x1b" not in piped.stdout
    settings = json.loads((root / ".samoloop.yaml").read_text())
    (root / ".samoloop.yaml").write_text(json.dumps({**settings, "announce": {"terminal": "off"}}))
    with at_a_terminal(root, "resume", "a") as written:
        until(lambda: b"waits for answers to Q1" in written)
    assert b"\a" not in written and b"\x1b]" not in written


def test_the_end_is_called_once(tmp_path: Path):
    root = scripted_project(tmp_path, GOOD_CHILD)
    with at_a_terminal(root, "run", "Task", "--session", "a", "--yes", env={"TERM_PROGRAM": "WezTerm"}) as written:
        until(lambda: b"_report.md" in written)
    codes = CODES.findall(written.decode())
    assert len(codes) == 3 and codes[0] == "\a" and codes[2].startswith("\x1b]9;samoloop: repo a: Done")


def test_a_desktop_shows_what_calls_for_a_person(tmp_path: Path):
    root = scripted_project(tmp_path, CHILD.replace("way;", "<b>way</b>;"))
    settings = json.loads((root / ".samoloop.yaml").read_text())
    (root / ".samoloop.yaml").write_text(json.dumps({**settings, "announce": "desktop"}))
    folder, heard = show(tmp_path, "notify-send")
    env = {"PATH": f"{folder}:{os.environ['PATH']}"}
    assert samoloop(root, "run", "Task", "--session", "a", "--no-wait", env=env).returncode == 3
    assert heard.read_text().splitlines() == [
        "--app-name=samoloop",
        "--",
        "samoloop: repo a",
        "questions: Which ␛]0;evil␇ &lt;b&gt;way&lt;/b&gt;; --help $(touch ran) ␁?",
        "---",
    ]
    assert not list(tmp_path.rglob("ran"))


def test_a_command_hears_project_and_folder_and_is_reminded(tmp_path: Path):
    root = scripted_project(tmp_path, CHILD)
    heard = tmp_path / "heard"
    announce = {"command": ["sh", "-c", f"cat >> {heard}; echo >> {heard}"], "remind": "1s"}
    settings = json.loads((root / ".samoloop.yaml").read_text())
    (root / ".samoloop.yaml").write_text(json.dumps({**settings, "announce": announce}))

    def items() -> list[dict[str, object]]:
        return [json.loads(line) for line in heard.read_text().splitlines()] if heard.exists() else []

    with at_a_terminal(root, "run", "Task", "--session", "a") as written:
        until(lambda: [item["kind"] for item in items()].count("questions") == 3)
        until(lambda: written.count(b"\x1b]777;notify;") >= 3)
    asked = [item for item in items() if item["kind"] == "questions"]
    assert [item.get("reminder", 0) for item in asked] == [0, 1, 2] and {item["gate"] for item in asked} == {"g1"}
    assert {item["project"] for item in items()} == {"repo"}
    [found] = json.loads(samoloop(root, "list", "--json").stdout)
    assert {item["folder"] for item in items()} == {found["folder"]}
    assert "still: questions: Which" in written.decode()


def test_up_reminds_of_what_waits_without_a_worker(tmp_path: Path):
    root = scripted_project(tmp_path, GOOD_CHILD)
    heard = tmp_path / "heard"
    announce = {"command": ["sh", "-c", f"cat >> {heard}; echo >> {heard}"], "remind": "1s"}
    settings = json.loads((root / ".samoloop.yaml").read_text())
    (root / ".samoloop.yaml").write_text(json.dumps({**settings, "announce": announce}))
    assert samoloop(root, "run", "Task", "--session", "a", "--no-wait").returncode == 3
    with at_a_terminal(root, "up"):
        until(lambda: '"reminder": 2' in heard.read_text())
    asked = [item for line in heard.read_text().splitlines() if (item := json.loads(line))["kind"] == "questions"]
    assert [item.get("reminder", 0) for item in asked[:3]] == [0, 1, 2]
