"""The worker's view: plain lines for a file, and a live block on a real terminal (a pseudo-terminal here)."""

import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import recorded

from samoloop.children.stop import StopRequest
from samoloop.core.events import Text, Tool, Usage
from samoloop.core.outcome import Collector
from samoloop.core.rules import Decision, Kind
from samoloop.core.session import Session
from samoloop.core.signals import GateKind
from samoloop.ui.terminal.event_lines import EventLines
from samoloop.ui.terminal.live_block import cells, cut
from samoloop.ui.terminal.screen import Plain, Screen, open_view
from samoloop.worker.view import Running, View

PATIENCE_SECONDS = 10


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return recorded.make_session(tmp_path)


def running(session: Session) -> Running:
    started = session.state().open
    assert started is not None
    return Running(session.name, started.phase, started.iteration, started.attempt, "claude", "opus", 1800.0)


def end(session: Session, view: View, **decision: Any) -> None:
    event = recorded.end(session, decision)
    view.ended(event, Decision(Kind(decision["kind"]), decision.get("phase")))


class Terminal:
    """A pseudo-terminal, and all that was written to it."""

    def __init__(self, columns: int) -> None:
        self._reader, self.descriptor = pty.openpty()
        self.resize(columns)
        self._written = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    @property
    def written(self) -> str:
        return self._written.decode(errors="replace").replace("\r\n", "\n")

    def plain(self) -> str:
        """What was written, without colours and moves of the cursor."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.written)

    def wait_for(self, seen: Callable[[str], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not seen(self.plain()):
            assert time.monotonic() < deadline, self.plain()
            time.sleep(0.01)

    def _read(self) -> None:
        try:
            while data := os.read(self._reader, 65536):
                self._written += data
        except OSError:
            pass

    def close(self) -> None:
        os.close(self.descriptor)
        self._thread.join(PATIENCE_SECONDS)
        os.close(self._reader)


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch, columns: int = 80) -> Iterator[tuple[Terminal, io.TextIOWrapper]]:
    monkeypatch.setenv("TERM", "xterm-256color")
    found = Terminal(columns)
    stream = os.fdopen(os.dup(found.descriptor), "w", encoding="utf-8")
    try:
        yield found, stream
    finally:
        stream.close()
        found.close()


class Refusing(io.StringIO):
    """A terminal that goes away, as it does when the window is closed."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        super().__init__()
        self._stream = stream
        self.gone = False

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, text: str) -> int:
        if self.gone:
            raise OSError(5, "Input/output error")
        return self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()


# --- not a terminal ------------------------------------------------------------------------------------------------


def test_a_file_gets_plain_lines_and_no_progress(session: Session) -> None:
    stream = io.StringIO()
    with open_view(session, StopRequest(), stream) as view:
        assert isinstance(view, Plain)
        view.say("hello")
        recorded.start(session)
        view.started(running(session))
        collector = Collector()
        collector.take([Tool("1", "Bash", "ls", running=True)])
        view.progress(collector)
        end(session, view, kind="continue", phase="requirements")
    assert stream.getvalue().splitlines() == [
        "hello",
        "001 investigation: started, claude opus",
        "001 investigation       12s  0.04 USD  → requirements",
    ]


def test_a_dumb_terminal_gets_plain_lines(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as (_, stream):
        monkeypatch.setenv("TERM", "dumb")
        with open_view(session, StopRequest(), stream) as view:
            assert isinstance(view, Plain)


def test_a_reader_that_went_away_does_not_end_the_work(session: Session) -> None:
    class Gone(io.StringIO):
        refused = 0

        def flush(self) -> None:
            self.refused += 1
            raise BrokenPipeError

    stream = Gone()
    with open_view(session, StopRequest(), stream) as view:
        view.say("into the void")
        view.say("and again")
    assert stream.refused == 2


def test_an_old_encoding_loses_the_arrow_and_not_the_line(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    with path.open("w", encoding="latin-1") as stream, open_view(session, StopRequest(), stream) as view:
        recorded.start(session)
        end(session, view, kind="continue", phase="requirements")
    assert path.read_bytes() == b"001 investigation       12s  0.04 USD  ? requirements\n"


def test_control_characters_are_shown_and_not_sent(session: Session) -> None:
    stream = io.StringIO()
    with open_view(session, StopRequest(), stream) as view:
        recorded.start(session)
        end(session, view, kind="blocked", reason="look: \x1b[2J\x07")
    assert "\x1b" not in stream.getvalue()
    assert "look: ␛[2J␇" in stream.getvalue()


def test_a_gate_says_what_is_asked_and_which_commands_answer(session: Session) -> None:
    stream = io.StringIO()
    with open_view(session, StopRequest(), stream) as view:
        recorded.ask_questions(session, "Q1", "Q2")
        waiting = Decision(Kind.WAIT, "investigation", "waits for answers to Q1, Q2", gate=GateKind.QA_ANSWERS)
        view.waiting(waiting)
        first = stream.getvalue()
        view.waiting(Decision(Kind.WAIT, "investigation", "waits for answers (Q2 has none)", gate=GateKind.QA_ANSWERS))
    assert first.splitlines() == [
        "investigation waits for answers to Q1, Q2",
        "  Q1: Which way Q1?",
        "    A) one",
        "    B) two",
        "    Suggestion: A - simpler",
        "  Q2: Which way Q2?",
        "    A) one",
        "    B) two",
        "    Suggestion: A - simpler",
        "  samoloop questions 26-11-21-auth             # read the questions",
        "  samoloop answer 26-11-21-auth Q1=... Q2=...  # answer, or edit _qa.md",
        "  samoloop answer 26-11-21-auth --suggested    # take the suggestions",
    ]
    assert stream.getvalue().removeprefix(first) == "waits for answers (Q2 has none)\n"


def test_a_plan_says_where_it_can_be_read(session: Session) -> None:
    stream = io.StringIO()
    with open_view(session, StopRequest(), stream) as view:
        recorded.ask_approval(session)
        view.waiting(Decision(Kind.WAIT, "planning", "waits for approval", gate=GateKind.PLAN_APPROVAL))
    first, path, *commands = stream.getvalue().splitlines()
    assert first == f"investigation waits for approval of {recorded.PLAN}"
    assert path.strip() == str(session.dir / recorded.PLAN)
    assert [line.split()[1] for line in commands] == ["approve", "changes", "reject"]


def test_a_limit_says_when_it_goes_on(session: Session) -> None:
    stream = io.StringIO()
    with open_view(session, StopRequest(), stream) as view:
        view.waiting(Decision(Kind.LIMITED, "planning", "the limit is reached", not_before=time.time() + 7260))
    assert re.fullmatch(r"resumes .*\d\d:\d\d, in 2h 0[01]m: the limit is reached\n", stream.getvalue())


# --- a terminal -----------------------------------------------------------------------------------------------------


def test_the_block_shows_child_time_tool_and_cost_and_goes_away(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    with terminal(monkeypatch) as (screen, stream), open_view(session, StopRequest(), stream) as view:
        assert isinstance(view, Screen)
        recorded.start(session)
        view.started(running(session))
        screen.wait_for(lambda text: "001 investigation" in text and "1 of at most 20 in this phase" in text)
        collector = Collector()
        collector.take([Tool("1", "Bash", "pytest [bold]", running=True), Usage(12_300, 950, cost_usd=0.04)])
        view.progress(collector)
        screen.wait_for(lambda text: "▸ Bash pytest [bold]" in text and "12.3k in, 950 out, 0.04 USD" in text)
        screen.wait_for(lambda text: "  1s" in text)
        end(session, view, kind="continue", phase="requirements")
        screen.wait_for(lambda text: "→ requirements\n" in text)
        after_the_block = screen.written.rpartition("\x1b[2K")[2]
        assert "▸" not in after_the_block
        assert "→ requirements" in after_the_block


def test_the_block_says_what_comes_next_and_where_it_is_the_person_s_turn(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    with terminal(monkeypatch, columns=200) as (screen, stream), open_view(session, StopRequest(), stream) as view:
        recorded.start(session)
        view.started(running(session))
        screen.wait_for(lambda text: "  then requirements (your turn), planning (your turn), implementation, " in text)
        end(session, view, kind="continue", phase="requirements")
        recorded.start(session)
        view.started(running(session))
        screen.wait_for(lambda text: "  your turn, then planning (your turn), implementation, " in text)
        session.state().passed.add(GateKind.QA_ANSWERS)
        view.started(running(session))
        screen.wait_for(lambda text: "  then planning (your turn), implementation, " in text)


def test_a_lasting_line_goes_above_the_block(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as (screen, stream), open_view(session, StopRequest(), stream) as view:
        recorded.start(session)
        view.started(running(session))
        view.say("a word in between")
        screen.wait_for(lambda text: "a word in between\n● 001 investigation" in text)


def test_no_line_of_the_block_is_wider_than_the_terminal(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch, columns=30) as (screen, stream), open_view(session, StopRequest(), stream) as view:
        recorded.start(session)
        view.started(running(session))
        collector = Collector()
        collector.take([Text("long words " * 50)])
        view.progress(collector)
        screen.wait_for(lambda text: "▸ long words" in text)
        assert all(len(line) < 30 for line in screen.plain().replace("\r", "\n").split("\n"))


def test_after_the_window_became_narrower_the_wrapped_rows_are_erased(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    with terminal(monkeypatch, columns=80) as (screen, stream), open_view(session, StopRequest(), stream) as view:
        recorded.start(session)
        view.started(running(session))
        screen.wait_for(lambda text: "1 of at most 20 in this phase" in text)
        wide = screen.plain().rpartition("\r")[2].split("\n")
        screen.resize(40)
        rows = sum(-(-len(line) // 40) for line in wide)
        assert rows > len(wide)
        screen.wait_for(lambda _: screen.written.count("\x1b[1A") >= rows - 1)
        assert "\r\x1b[2K" + "\x1b[1A\r\x1b[2K" * (rows - 1) + "\x1b" in screen.written


def test_no_color_means_no_colours(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    with terminal(monkeypatch) as (screen, stream), open_view(session, StopRequest(), stream) as view:
        recorded.start(session)
        view.started(running(session))
        end(session, view, kind="failed", reason="no")
        screen.wait_for(lambda text: "→ failed" in text)
        assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", screen.written)


def test_the_first_ctrl_c_is_answered_on_the_screen(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = StopRequest()
    with terminal(monkeypatch) as (screen, stream), open_view(session, stop, stream) as view:
        recorded.start(session)
        view.started(running(session))
        stop.ask_to_finish()
        screen.wait_for(lambda text: "stopping after this iteration; Ctrl-C again ends it now" in text)
        stop.ask_now()
        screen.wait_for(lambda text: "ending the child" in text)


def test_a_terminal_that_is_gone_does_not_end_the_work(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as (screen, stream):
        refusing = Refusing(stream)
        with open_view(session, StopRequest(), refusing) as view:
            recorded.start(session)
            view.started(running(session))
            refusing.gone = True
            view.say("into the void")
            end(session, view, kind="continue", phase="requirements")
            refusing.gone = False
            view.say("and again")
        stream.flush()
    assert "again" not in screen.plain()


def test_an_adopted_child_is_shown_with_the_time_since_its_start(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    with terminal(monkeypatch) as (screen, stream), open_view(session, StopRequest(), stream) as view:
        recorded.start(session)
        started = session.state().open
        assert started is not None
        monkeypatch.setattr(session.state(), "open", started.but(time=started.time - 600))
        view.started(running(session))
        screen.wait_for(lambda text: "  10m 00s" in text)


def test_a_lasting_line_is_broken_between_words(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch, columns=30) as (screen, stream), open_view(session, StopRequest(), stream) as view:
        recorded.start(session)
        end(session, view, kind="blocked", reason="the disk is full and nothing can be written any more")
        screen.wait_for(lambda text: "any more\n" in text)
    lines = screen.plain().splitlines()
    assert all(len(line) <= 30 for line in lines)
    assert " ".join(" ".join(lines).split()).endswith("the disk is full and nothing can be written any more")
    assert all(line.startswith("  ") for line in lines[1:])


@pytest.mark.parametrize(
    ("text", "columns"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("\U0001f600", 2), ("⚙\ufe0f", 1), ("", 0)]
)
def test_how_many_columns_a_text_takes(text: str, columns: int) -> None:
    assert cells(text) == columns


def test_a_line_is_cut_where_the_terminal_ends() -> None:
    line = [("日本", "strong"), ("語 and more", "dim")]
    assert cut(line, 16) == line
    assert cut(line, 9) == [("日本", "strong"), ("語 a…", "dim")]
    assert cut(line, 4) == [("日…", "strong")]


SHELL = r"""
import os, signal, sys, termios, time
from pathlib import Path
from samoloop.ui.terminal.live_block import LiveBlock, Paper
os.setsid()
fd = os.open(sys.argv[1], os.O_RDWR)  # the terminal that controls this session: a shell, and a job of it
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
job = os.fork()
if job == 0:
    os.setpgid(0, 0)
    while os.tcgetpgrp(fd) != os.getpgrp():
        time.sleep(0.005)
    drawn = 0
    def content():
        global drawn
        drawn += 1
        return [[(f"drawing {drawn}", "plain")]]
    block = LiveBlock(Paper(os.fdopen(fd, "w")), content, 0.01)
    signal.signal(signal.SIGCONT, lambda *_: block.continued())
    signal.pause()
    while True:
        time.sleep(1)
os.tcsetpgrp(fd, job)
for command in sys.stdin:
    match command.strip():
        case "stop":
            os.kill(-job, signal.SIGSTOP)
            os.waitpid(job, os.WUNTRACED)
            os.tcsetpgrp(fd, os.getpgrp())
            os.write(fd, b"\n$ ")
        case "bg":
            os.kill(-job, signal.SIGCONT)
            time.sleep(0.1)  # ten ticks in which it must not paint
            os.write(fd, b"typed")
        case "fg":
            os.write(fd, b" fg\n")
            os.tcsetpgrp(fd, job)
            os.kill(-job, signal.SIGCONT)
    print("ready", flush=True)
os.kill(job, signal.SIGKILL)
"""


def test_nothing_is_painted_over_what_one_types_after_ctrl_z() -> None:
    screen = Terminal(80)
    name = os.ttyname(screen.descriptor)
    with subprocess.Popen(
        [sys.executable, "-c", SHELL, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as shell:
        assert shell.stdin is not None and shell.stdout is not None
        screen.wait_for(lambda text: "drawing 3" in text)
        for command in ("stop", "bg", "fg"):
            shell.stdin.write(f"{command}\n")
            assert shell.stdout.readline() == "ready\n"
        screen.wait_for(lambda text: "drawing" in text.partition("fg\n")[2])
        shell.stdin.close()
    typed = screen.written.rpartition("$ ")[2]
    assert typed.startswith("typed fg\ndrawing"), typed
    screen.close()


def test_a_program_gets_what_a_session_waits_for(capsys: pytest.CaptureFixture[str]):
    view = EventLines("auth")
    view.waiting(Decision(Kind.WAIT, "planning", "approval of the plan \x1b[2J", gate=GateKind.PLAN_APPROVAL))
    view.started(Running("auth", "planning", 3, 1, "claude", "opus", 1800.0))
    waits, started = map(json.loads, capsys.readouterr().out.splitlines())
    assert (waits["event"], waits["for"], waits["phase"]) == ("waiting", "plan_approval", "planning")
    assert (started["event"], started["provider"], started["limit_seconds"]) == ("started", "claude", 1800.0)
