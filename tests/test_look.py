"""`list`, `status`, `log` and `prompt` on session folders as a worker leaves them."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import recorded
from click.testing import CliRunner
from kit import Bench, git, make_repo, samoloop, script

from samoloop.api import logs
from samoloop.api.preview import preview
from samoloop.api.status import ranked, row, standing
from samoloop.base.clock import Clock
from samoloop.base.errors import SessionError
from samoloop.base.locks import Lock
from samoloop.config.projects import register
from samoloop.core.control import CHILD_LOCK, LOCK
from samoloop.core.records import Archived, Interrupted, Noted, RoomRecord, timestamp
from samoloop.core.session import Session
from samoloop.ui.cli import cli
from samoloop.ui.terminal.log_output import Raw
from samoloop.ui.terminal.overview import overview
from samoloop.worker.iteration import begin
from samoloop.worker.lease import locked
from samoloop.worker.worker import Worker

PATIENCE_SECONDS = 20


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return recorded.make_session(tmp_path)


def project(session: Session) -> Path:
    return session.dir.parent.parent


def look(session: Session, *words: str) -> str:
    """What a command prints."""
    with contextlib.chdir(project(session)):
        done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def look_json(session: Session, *words: str) -> Any:
    return json.loads(look(session, *words, "--json"))


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file with its time and bytes: what a look must leave as it was."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


@contextmanager
def at_work(session: Session, lock: str = LOCK) -> Iterator[None]:
    """As if a worker, or a child, were alive."""
    with Lock.take(session.dir / lock, 1.0, f"{os.getpid()}\n"):
        yield


# --- list -----------------------------------------------------------------------------------------------------------


def test_an_empty_project_names_the_first_command(tmp_path: Path) -> None:
    done = samoloop(make_repo(tmp_path / "repo"), "list")
    assert done.returncode == 0
    assert 'samoloop run "TASK"' in done.stdout


def test_a_folder_of_no_project_is_refused_with_a_way_on(tmp_path: Path) -> None:
    done = samoloop(tmp_path, "list")
    assert done.returncode == 2
    assert "--in-place" in done.stderr


def test_list_shows_who_waits_for_the_person_first(tmp_path: Path) -> None:
    recorded.make_session(tmp_path, "26-11-22-new")
    session = recorded.make_session(tmp_path, "26-11-21-auth")
    recorded.iterate(session, "requirements")
    recorded.ask_questions(session, "Q1", "Q2")
    head, first, second = look(session, "list").splitlines()
    assert head.split() == ["SESSION", "STANDS", "PHASE", "COST"]
    assert re.fullmatch(r"26-11-21-auth +waits \d+s +requirements +0\.08 USD  waits for answers to Q1, Q2", first)
    assert re.fullmatch(r"26-11-22-new +ready +investigation +no worker is running", second)


def test_an_answer_in_the_file_is_shown_before_a_worker_has_seen_it(session: Session) -> None:
    recorded.ask_questions(session, "Q1", "Q2")
    qa = session.dir / "_qa.md"
    qa.write_text(qa.read_text().replace("_waiting_", "A", 1))
    assert "waits for answers to Q2" in look(session, "list")
    qa.write_text(qa.read_text().replace("_waiting_", "B", 1))
    for command in ("list", "status"):
        text = look(session, command)
        assert "Q1, Q2 answered by" in text and "no worker has taken it up yet" in text
        assert "waits for answers to" not in text
    assert look_json(session, "list")[0]["needs_you"] is False
    assert "samoloop resume" in look(session, "status") and "samoloop answer" not in look(session, "status")


def test_what_is_archived_is_hidden(tmp_path: Path) -> None:
    session = recorded.make_session(tmp_path)
    session.record(Archived(by="ada"))
    again = recorded.make_session(tmp_path, "26-11-22-again")
    again.record(Archived(by="ada"))
    again.record(Noted(text="x"))  # it is the last word no longer
    assert look_json(session, "list") == []
    assert "but archived ones" in look(session, "list")
    assert [row["session"] for row in look_json(session, "list", "--archived")] == [again.name, session.name]


def test_list_of_all_projects_names_them(tmp_path: Path) -> None:
    for name in ("till", "shop"):
        session = recorded.make_session(tmp_path / name, f"26-11-21-{name}")
        register(tmp_path / name, os.environ)
    lines = look(session, "list", "--all").splitlines()
    named = [line.split()[:2] for line in lines]
    assert named == [["PROJECT", "SESSION"], ["till", "26-11-21-till"], ["shop", "26-11-21-shop"]]
    assert samoloop(tmp_path, "list", "--all").returncode == 0  # outside of every project


def test_a_child_at_work_shows_its_plan_and_its_tool(session: Session) -> None:
    (session.dir / recorded.PLAN).write_text("# Plan\n- [x] 1.1 a\n- [ ] 1.2 b\n")
    recorded.write_log(recorded.start(session), [recorded.claude_tool("1", "Edit", file_path="till/x.py")])
    session.record(RoomRecord(name="checks.ran", values={"said": "pytest green (12 passed)"}))
    with at_work(session), at_work(session, CHILD_LOCK):
        assert "1/2" in look(session, "list")
        assert "▸ Edit till/x.py; pytest green (12 passed)" in look(session, "list")
        assert look_json(session, "list")[0]["plan"] == [1, 2]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_name_is_cut_and_never_why(session: Session, width: int) -> None:
    why = "The database refuses the login of the migration user, and nobody but you knows the password of it. " * 2
    long = recorded.make_session(project(session), "26-11-22-" + "a-very-long-name-" * 4)
    recorded.start(long)
    recorded.end(long, {"kind": "blocked", "reason": why})
    lines = [text for text, _ in overview(ranked(map(row, [session, long])), Clock().now(), width)]
    assert all(len(line) <= width for line in lines)
    assert " ".join(" ".join(lines).split()).count("password of it.") == 2
    assert "a-very-lo" in lines[1] and "…" in lines[1]


def test_who_stands_where_in_the_list() -> None:
    nothing = {"archived": False, "needs_you": False, "worker_alive": False, "worker_suspended": False, "since": ""}
    nothing |= {"machine": ""}
    rows = [
        nothing | {"session": "archived", "condition": "done", "archived": True},
        nothing | {"session": "old", "condition": "done", "since": "1"},
        nothing | {"session": "new", "condition": "stopped", "since": "2"},
        nothing | {"session": "limited, and nobody waits", "condition": "limited"},
        nothing | {"session": "limited", "condition": "limited", "worker_alive": True},
        nothing | {"session": "works", "condition": "running", "worker_alive": True},
        nothing | {"session": "a fleet's", "condition": "ready", "machine": "one"},
        nothing | {"session": "suspended", "condition": "running", "worker_alive": True, "worker_suspended": True},
        nothing | {"session": "asks", "condition": "waiting", "needs_you": True, "since": "2"},
        nothing | {"session": "asked before", "condition": "blocked", "needs_you": True, "since": "1"},
    ]
    order = [
        "asked before",
        "asks",
        "limited, and nobody waits",
        "suspended",
        "a fleet's",
        "works",
        "limited",
        "new",
        "old",
        "archived",
    ]
    assert [row["session"] for row in ranked(rows)] == order


def test_list_as_json_has_its_documented_keys_for_a_damaged_session_too(session: Session) -> None:
    recorded.iterate(session, "requirements")
    bad = session.dir.parent / "26-11-22-bad"
    bad.mkdir()
    (bad / "_history.jsonl").write_text("not a record\nnor this\n")
    damaged, sound = look_json(session, "list")
    assert damaged["condition"] == "damaged"
    assert "_history.jsonl" in damaged["reason"]
    documented = set(re.findall(r"\w+", (row.__doc__ or "").partition("Keys: ")[2]))
    assert set(sound) == set(damaged) == documented


def test_an_unknown_cost_is_not_shown_as_nothing(session: Session) -> None:
    recorded.iterate(session, "requirements", usage={})
    assert "cost unknown" in look(session, "list")
    recorded.iterate(session, "requirements")
    assert "0.04 USD + unknown" in look(session, "list")


# --- status ---------------------------------------------------------------------------------------------------------


def test_status_names_the_commands_that_close_the_gate(session: Session) -> None:
    recorded.ask_approval(session)
    text = look(session, "status")
    assert f"waits for approval of {recorded.PLAN}" in text
    assert f"plan      {session.dir / recorded.PLAN}" in text
    for command in ("approve", 'changes 26-11-21-auth -m "..."', "reject", "resume"):
        assert f"samoloop {command}" in text
    with at_work(session):
        assert "resume" not in look(session, "status")


def test_status_needs_no_name_where_one_session_is_there_or_unfinished(session: Session) -> None:
    assert look(session, "status").startswith("26-11-21-auth: Add JWT auth\n")
    recorded.make_session(project(session), "26-11-22-other")
    shown = look(session, "status")
    assert shown.startswith("SESSION") and "26-11-22-other" in shown and "samoloop status NAME" in shown
    done = samoloop(project(session), "status", "--json")
    assert done.returncode == 2
    assert "26-11-22-other, 26-11-21-auth" in done.stderr
    assert look(session, "status", "auth").startswith("26-11-21-auth: ")
    assert samoloop(session.dir, "status").stdout.startswith("26-11-21-auth: ")  # in its own folder


def test_status_tells_whether_worker_and_child_are_alive(session: Session) -> None:
    stem = recorded.start(session, model="opus")
    stem.with_name(stem.name + ".pid").write_text("4242\n")
    found = look_json(session, "status")
    assert found["worker"] == {"alive": False, "pid": None, "suspended": False}
    assert found["child"]["alive"] is False
    with at_work(session), at_work(session, CHILD_LOCK):
        found = look_json(session, "status")
        text = look(session, "status")
    assert found["worker"] == {"alive": True, "pid": os.getpid(), "suspended": False}
    assert (found["child"]["alive"], found["child"]["pid"], found["child"]["model"]) == (True, 4242, "opus")
    assert f"worker    process {os.getpid()}" in text
    assert "claude opus, process 4242, for " in text
    assert "samoloop stop 26-11-21-auth" in text


def test_a_worker_that_was_killed_is_not_shown_as_running(session: Session) -> None:
    recorded.start(session)
    assert "  interrupted in investigation; iteration 1" in look(session, "status")
    assert re.search(r"interrupted \d+s +investigation .* no worker is running", look(session, "list"))
    with at_work(session, CHILD_LOCK):
        assert "  running in investigation; iteration 1" in look(session, "status")


@pytest.mark.skipif(sys.platform != "linux", reason="only /proc tells")
def test_a_worker_that_was_suspended_is_said_to_be(session: Session) -> None:
    recorded.start(session)
    lock = str(session.control / LOCK)
    hold = f"import fcntl, time; f = open({lock!r}, 'w'); fcntl.flock(f, 2); print(); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        (session.control / LOCK).write_text(f"{holder.pid}\n")
        holder.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, holder.pid, os.WSTOPPED | os.WNOWAIT)
        status, row = look(session, "status"), look(session, "list")
        holder.kill()
    assert "suspended in investigation" in status
    assert f"process {holder.pid}, suspended: in its terminal, fg lets it go on" in status
    assert re.search(r"suspended \d+s +investigation .* its worker is suspended", row)


def test_an_iteration_that_runs_is_not_spent_yet(session: Session) -> None:
    recorded.iterate(session, "requirements")
    recorded.start(session)
    assert "spent     1 iteration, " in look(session, "status")


def test_status_says_when_a_limited_session_goes_on(session: Session) -> None:
    recorded.start(session)
    recorded.end(session, {"kind": "limited", "not_before": time.time() + 7230, "reason": "the limit is reached"})
    text = look(session, "status")
    assert re.search(r"resumes .*\d\d:\d\d, in 2h 00m", text)
    assert "the limit is reached" in text
    at = datetime.fromisoformat(look_json(session, "status")["not_before"])
    assert timedelta(hours=1, minutes=59) < at - datetime.now(UTC) < timedelta(hours=2, minutes=1)


def test_status_shows_the_last_iterations_and_totals(session: Session) -> None:
    for _ in range(5):
        recorded.iterate(session, "investigation")
    text = look(session, "status")
    assert "001 investigation" not in text
    for number in (3, 4, 5):
        assert f"00{number} investigation      12s  0.04 USD  → investigation again" in text
    assert "5 iterations, 1m 00s of work, 0.20 USD, 61.5k in, 4.8k out" in text
    assert "branch    samoloop/auth" in text
    assert "report " not in text
    (session.dir / "_report.md").touch()
    assert f"report    {session.dir}/_report.md" in look(session, "status")


def test_status_as_json_has_its_documented_keys(session: Session) -> None:
    recorded.ask_questions(session, "Q1")
    found = look_json(session, "status")
    documented = (standing.__doc__ or "").partition("\n\n")[2]
    assert all(re.search(rf"\b{key}\b", documented) for key in found), found.keys()
    assert found["gate"]["questions"] == ["Q1"]
    assert found["gate"]["answer_in"] == str(session.dir / "_qa.md")
    assert found["next"][0]["command"] == "samoloop questions 26-11-21-auth"
    assert found["totals"]["cost_usd"] == 0.04


@pytest.mark.parametrize("kind", ["blocked", "failed", "stopped"])
def test_status_shows_why_and_the_ways_on(session: Session, kind: str) -> None:
    recorded.start(session)
    recorded.end(session, {"kind": kind, "reason": "two \x1b[31mways"})
    text = look(session, "status")
    assert "two ␛[31mways" in text
    for command in ('resume 26-11-21-auth -m "..."', "rewind 26-11-21-auth 0", "fork 26-11-21-auth 0"):
        assert f"samoloop {command}" in text


def test_status_of_a_session_that_is_done_names_the_branch_to_merge(tmp_path: Path) -> None:
    session = recorded.make_session(tmp_path, in_place=False)
    recorded.start(session)
    recorded.end(session, {"kind": "done", "summary": "all good"})
    text = look(session, "status")
    assert "done, after 1 iteration\n" in text
    assert "all good" in text
    assert "git merge samoloop/auth" in text


def test_a_session_in_place_that_is_done_has_no_branch_to_merge(session: Session) -> None:
    recorded.start(session)
    recorded.end(session, {"kind": "done"})
    assert "git merge" not in look(session, "status")


def test_looking_works_from_inside_a_worktree(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo")
    worktree = repo / ".samoloop" / "worktrees" / "26-11-21-auth"
    git(repo, "worktree", "add", "--quiet", "-b", "samoloop/auth", str(worktree))
    recorded.make_session(repo)
    (worktree / ".samoloop.yaml").write_text("sessions: elsewhere\n")
    assert "26-11-21-auth" in samoloop(worktree, "status").stdout


def test_settings_say_where_the_sessions_are(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo")
    recorded.make_session(repo / "work")
    (repo / ".samoloop.yaml").write_text("sessions: work/_sessions\n")
    assert "26-11-21-auth" in samoloop(repo, "list").stdout


# --- log ------------------------------------------------------------------------------------------------------------

LINES: list[bytes | Mapping[str, Any]] = [
    recorded.claude_text("I look."),
    recorded.claude_tool("t1", "Bash", command="pytest -q"),
    recorded.claude_tool_result("t1", is_error=True),
    b"\xff\xfe not json",
    recorded.claude_text("It \x1b[31mfails."),
    recorded.claude_result("It \x1b[31mfails."),
]


def test_log_shows_the_last_iteration_in_readable_lines(session: Session) -> None:
    recorded.iterate(session, "requirements", [recorded.claude_text("Earlier.")])
    recorded.iterate(session, "requirements", LINES)
    head, *lines, ended = look(session, "log").splitlines()
    assert head.startswith("── 002 requirements · claude · ")
    assert lines == ["I look.", "▸ Bash pytest -q", "✗ Bash failed: pytest -q", "It ␛[31mfails."]
    assert ended == "002 requirements      12s  0.04 USD  → requirements again"


def test_log_shows_an_iteration_with_all_its_attempts(session: Session) -> None:
    recorded.write_log(recorded.start(session), [recorded.claude_text("First try.")])
    recorded.end(session, {"kind": "retry", "reason": "overload"})
    recorded.write_log(recorded.start(session, attempt=2), [recorded.claude_text("Second try.")])
    session.record(Interrupted(iteration=1, attempt=2, phase="investigation", note="n", why="power cut"))
    recorded.write_log(recorded.start(session, attempt=3), [recorded.claude_text("Third try.")])
    recorded.end(session, {"kind": "continue", "phase": "requirements"})
    recorded.iterate(session, "planning")
    text = look(session, "log", "-n", "1")
    assert [line for line in text.splitlines() if "try" in line] == ["First try.", "Second try.", "Third try."]
    assert "── 001.2 investigation" in text
    assert "✗ interrupted: power cut" in text
    assert "002" not in text


def test_an_iteration_that_is_not_there_is_named_with_those_that_are(session: Session) -> None:
    done = samoloop(project(session), "log")
    assert done.returncode == 2 and "has started no child yet" in done.stderr
    recorded.iterate(session, "requirements")
    done = samoloop(project(session), "log", "-n", "7")
    assert done.returncode == 2
    assert "has no iteration 7; there are 1 to 1" in done.stderr


def test_log_as_json_gives_one_object_an_event_and_the_end(session: Session) -> None:
    recorded.iterate(session, "requirements", LINES)
    events = [json.loads(line) for line in look(session, "log", "--json").splitlines()]
    assert [event["event"] for event in events] == ["text", "tool", "tool", "text", "usage", "result", "ended"]
    assert all((event["iteration"], event["attempt"], event["phase"]) == (1, 1, "investigation") for event in events)
    assert events[-1]["decision"] == {"kind": "continue", "phase": "requirements"}


def test_raw_is_byte_for_byte(session: Session) -> None:
    stem = recorded.iterate(session, "requirements", LINES)
    done = subprocess.run(
        [sys.executable, "-m", "samoloop", "log", "--raw"], cwd=project(session), capture_output=True, check=True
    )
    assert done.stdout == stem.with_name(stem.name + ".jsonl").read_bytes()


def test_raw_on_a_terminal_cannot_act_on_it() -> None:
    written: list[bytes] = []
    raw = Raw(written.append, terminal=True)
    raw.begin(logs.Attempt({}, None, "", Path()))
    raw.data(b"\x1b]0;x\x07 \xe2")
    raw.data(b"\x96\xb8\n")
    assert b"".join(written).decode() == "␛]0;x␇ ▸\n"


def log_with_memory(session: Session, iteration: int) -> tuple[str, int]:
    """What `log` prints, and how much memory it took, in MB."""
    code = (
        "import resource, sys; from samoloop.ui.cli import cli;"
        f"cli.main(['log', '-n', '{iteration}'], standalone_mode=False);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project(session), capture_output=True, text=True, check=True
    )
    return done.stdout, int(done.stderr)


def test_a_huge_line_costs_little_memory_and_is_left_out(session: Session) -> None:
    recorded.iterate(session, "investigation", [recorded.claude_text("Little.")])
    megabytes = 60
    stem = recorded.start(session)
    with stem.with_name(stem.name + ".jsonl").open("wb") as log:
        for _ in range(megabytes):
            log.write(b"x" * 1_000_000)
    recorded.write_log(stem, [b"", recorded.claude_text("After it.")])
    recorded.end(session, {"kind": "continue", "phase": "requirements"})
    _, little = log_with_memory(session, 1)
    text, much = log_with_memory(session, 2)
    assert f"… a line of {megabytes * 1_000_000:,} bytes is left out here" in text
    assert "After it." in text
    assert much - little < 8


def test_the_log_of_a_cli_that_is_no_longer_configured_is_shown_as_it_stands(session: Session) -> None:
    stem = recorded.start(session, provider="mine")
    recorded.write_log(stem, [b"plain words", b"and \x1b[2J"])
    recorded.end(session, {"kind": "continue", "phase": "requirements"})
    done = samoloop(project(session), "log")
    assert done.returncode == 0
    assert "mine" in done.stderr
    assert done.stdout.splitlines()[1:3] == ["plain words", "and ␛[2J"]


def test_a_failed_child_shows_the_end_of_its_standard_error(session: Session) -> None:
    stem = recorded.start(session)
    recorded.write_log(stem, [])
    stem.with_name(stem.name + ".err").write_bytes(b"one\ntwo \x1b[31m\xff\n")
    recorded.end(session, {"kind": "retry", "reason": "exit code 3"}, outcome={"exit_code": 3})
    assert "standard error ends:\none\ntwo ␛[31m�\n" in look(session, "log")


class Follower:
    """`samoloop log -f` at work."""

    def __init__(self, session: Session, *words: str) -> None:
        self.output = project(session) / "followed.txt"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "samoloop", "log", session.name, "-f", *words],
                cwd=project(session),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def text(self) -> str:
        return self.output.read_text()

    def wait_for(self, seen: Callable[[str], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not seen(self.text):
            assert time.monotonic() < deadline, self.text
            assert self.process.poll() is None, self.text
            time.sleep(0.02)

    def __enter__(self) -> "Follower":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


def test_follow_goes_on_through_the_next_iterations_until_the_session_rests(session: Session) -> None:
    with at_work(session), Follower(session) as follower:
        stem = recorded.start(session)
        recorded.write_log(stem, [recorded.claude_text("One.")])
        follower.wait_for(lambda text: "One." in text)
        with stem.with_name(stem.name + ".jsonl").open("ab") as log:
            half = json.dumps(recorded.claude_text("Two.")).encode()
            log.write(half[:20])
            log.flush()
            log.write(half[20:] + b"\n")
        follower.wait_for(lambda text: "Two." in text)
        recorded.end(session, {"kind": "continue", "phase": "requirements"})
        follower.wait_for(lambda text: "→ requirements" in text)
        recorded.ask_questions(session, "Q1")
        assert follower.process.wait(PATIENCE_SECONDS) == 0
    lines = follower.text.splitlines()
    assert [line[:18] for line in lines if line.startswith("──")] == ["── 001 investigati", "── 002 requirement"]
    assert "26-11-21-auth is waiting, waits for answers to Q1" in lines
    assert "  samoloop questions 26-11-21-auth  # read the questions" in lines


def test_follow_shows_an_ended_iteration_and_ends_where_nobody_works(session: Session) -> None:
    recorded.iterate(session, "requirements", [recorded.claude_text("Done here.")])
    with Follower(session) as follower:
        assert follower.process.wait(PATIENCE_SECONDS) == 0
    assert "Done here." in follower.text
    assert "samoloop resume 26-11-21-auth" in follower.text


def test_follow_ends_when_the_worker_died_in_the_middle(session: Session) -> None:
    recorded.write_log(recorded.start(session), [recorded.claude_text("Half.")])
    with Follower(session) as follower:
        assert follower.process.wait(PATIENCE_SECONDS) == 0
    assert "Half." in follower.text
    assert "26-11-21-auth is running" in follower.text


def test_follow_ends_with_ctrl_c_without_a_word(session: Session) -> None:
    with at_work(session), Follower(session) as follower:
        recorded.write_log(recorded.start(session), [recorded.claude_text("One.")])
        follower.wait_for(lambda text: "One." in text)
        follower.process.send_signal(signal.SIGINT)
        assert follower.process.wait(PATIENCE_SECONDS) == 0
    assert follower.text.endswith("One.\n")


def test_following_costs_next_to_no_processor_time(session: Session) -> None:
    with at_work(session), Follower(session) as follower:
        recorded.write_log(recorded.start(session), [recorded.claude_text("One.")])
        follower.wait_for(lambda text: "One." in text)
        stat = Path(f"/proc/{follower.process.pid}/stat")
        if not stat.exists():
            pytest.skip("only Linux tells the processor time of another process")
        before = sum(map(int, stat.read_text().split()[13:15]))
        time.sleep(1)
        used = sum(map(int, stat.read_text().split()[13:15])) - before
    assert used <= 5, "hundredths of a second in one second"


# --- prompt ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(make_repo(tmp_path / "repo"), script(tmp_path, "next requirements"))


class Noon(Clock):
    """Time stands still, so that two prompts can be compared."""

    def epoch(self) -> float:
        return 1_795_258_800.0


def prepared(bench: Bench) -> Session:
    session = bench.session()
    with locked(session):
        from samoloop.worker.prepare import prepare

        prepare(bench.worker(session))
    return Session(session.dir)


def told(bench: Bench, session: Session) -> str:
    """What the next child is really told."""
    worker = bench.worker(Session(session.dir), clock=Noon())
    with locked(session):
        begun = begin(worker)
        text = (session.logs / f"{begun.started.stem}.prompt.md").read_text()
        begun.child.wait(
            bench.config.limits,
            habits=begun.provider,
            reader=begun.reader,
            signal_ready=lambda: False,
            on_events=lambda events: None,
            stop=worker.stop,
        )
    return text


def test_prompt_is_exactly_what_the_next_child_is_told_and_touches_nothing(bench: Bench) -> None:
    session = prepared(bench)
    (session.control / "_inbox.md").write_text("From Ada:\nUse sqlite.\n")
    before = contents(session.dir)
    found = preview(Worker(Session(session.dir), bench.config, clock=Noon()))
    assert contents(session.dir) == before
    assert "> Use sqlite." in found.text
    assert found.text == told(bench, session)


def test_prompt_names_a_file_for_what_is_long_and_shows_it(bench: Bench) -> None:
    session = prepared(bench)
    (session.control / "_inbox.md").write_text("From Ada:\n" + "Use sqlite. " * 200)
    found = preview(Worker(Session(session.dir), bench.config, clock=Noon()))
    assert found.additions is not None and "Use sqlite." in found.additions
    assert "001-investigation.notes.md" in found.text
    assert not list(session.logs.iterdir())


def test_prompt_on_the_command_line_gives_text_and_its_size(bench: Bench) -> None:
    session = prepared(bench)
    before = contents(session.dir)
    done = samoloop(bench.root, "prompt")
    assert done.returncode == 0, done.stderr
    assert f"{len(done.stdout.encode()):,} bytes, investigation, iteration 1." in done.stderr
    assert "Phase `investigation`" in done.stdout or "phase `investigation`" in done.stdout
    assert contents(session.dir) == before
    found = json.loads(samoloop(bench.root, "prompt", session.name, "--json").stdout)
    assert found["bytes"] == len(found["text"].encode())


def test_prompt_before_init_supposes_it(bench: Bench) -> None:
    session = bench.session()
    found = preview(Worker(Session(session.dir), bench.config))
    assert (found.phase, found.iteration) == ("investigation", 1)
    assert "supposes that it was" in found.note


def test_prompt_after_a_block_supposes_a_resume(session: Session, bench: Bench) -> None:
    recorded.start(session)
    recorded.end(session, {"kind": "blocked", "reason": "two ways"})
    found = preview(Worker(Session(session.dir), bench.config))
    assert "It was blocked: two ways" in found.text
    assert "supposes a resume" in found.note
    assert found.iteration == 2


def test_prompt_at_a_gate_says_that_the_decision_will_be_added(session: Session, bench: Bench) -> None:
    recorded.ask_questions(session, "Q1")
    assert "waits for a person" in preview(Worker(Session(session.dir), bench.config)).note


def test_prompt_while_a_child_works_is_what_that_child_was_told(session: Session, bench: Bench) -> None:
    stem = recorded.start(session)
    with pytest.raises(SessionError, match="what it was told is not in"):
        preview(Worker(Session(session.dir), bench.config))
    stem.with_name(stem.name + ".prompt.md").write_text("Do this.\n")
    found = preview(Worker(Session(session.dir), bench.config))
    assert found.text == "Do this.\n"
    assert "at work" in found.note


def test_prompt_of_a_session_that_is_done_is_refused(session: Session, bench: Bench) -> None:
    recorded.start(session)
    recorded.end(session, {"kind": "done"})
    with pytest.raises(SessionError, match="no child follows"):
        preview(Worker(Session(session.dir), bench.config))


# --- what looking must not do ---------------------------------------------------------------------------------------


def test_looking_loads_nothing_heavy(session: Session) -> None:
    code = (
        "import sys; from samoloop.ui.cli import cli; cli.main(['status'], standalone_mode=False);"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'yaml', 'telegram', 'watchdog', 'asyncio'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project(session), capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_looking_writes_nothing(session: Session) -> None:
    recorded.iterate(session, "requirements", LINES)
    recorded.ask_questions(session, "Q1")
    before = contents(project(session))
    for words in (["list"], ["status"], ["log"], ["log", "--json"], ["prompt"]):
        look(session, *words)
    assert contents(project(session)) == before


def test_the_time_of_a_record_is_read_as_utc(session: Session) -> None:
    moment = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
    early = Session(session.dir, now=lambda: moment)
    early.record(Noted(text="x"))
    assert look_json(session, "status")["updated"] == timestamp(moment)
