"""Finding, waiting for and ending processes, with real ones."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest
from child_runs import is_running
from kit import GOOD_CHILD, samoloop, scripted_project, until

from samoloop.base.proc import started_ticks, stat
from samoloop.children.processes import (
    ExitWatch,
    Mark,
    children,
    cpu_seconds,
    find,
    session_of,
    sweep,
)

NAME = "PROCESSES_TEST"
UNSHARE = ["unshare", "--user", "--map-root-user"]


@pytest.fixture
def value() -> str:
    return uuid4().hex


@pytest.fixture
def start(value: str) -> Iterator[object]:
    """Starts processes with the entry in their environment; they end with the test."""
    with ExitStack() as stack:

        def start(*argv: str, **options: object) -> subprocess.Popen[str]:
            env = {"PATH": os.environ["PATH"], NAME: value}
            process = subprocess.Popen(argv, text=True, **{"env": env, **options})  # type: ignore[call-overload]
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def mark(value: str) -> Mark:
    return Mark(NAME, value)


def execs_without_end(folder: Path) -> str:
    program = folder / "again"
    program.write_text('#!/bin/sh\nexec "$0"\n')
    program.chmod(0o755)
    return str(program)


def missed(pid: int, value: str) -> int:
    """How many of many looks did not find the mark."""
    return sum(not mark(value).is_on(pid) for _ in range(10_000))


def can_unshare() -> bool:
    """Whether the machine gives a user a process namespace."""
    tried = [*UNSHARE, "--pid", "--fork", "--mount-proc", "true"]
    return bool(shutil.which("unshare")) and subprocess.run(tried, capture_output=True).returncode == 0


class TestFind:
    def test_by_a_mark_in_the_environment(self, start, value):
        process = start("sleep", "1000")
        assert find(mark(value), None) == {process.pid}
        assert mark(value).is_on(process.pid)

    def test_by_one_of_several_marks(self, start, value):
        process = start("sleep", "1000", env={NAME: f"outer {value} inner"})
        assert find(mark(value), None) == {process.pid}

    def test_only_by_the_whole_mark(self, start, value):
        start("sleep", "1000", env={NAME: value + "2"})
        start("sleep", "1000", env={"X": f"{NAME}={value}"})
        assert find(mark(value), None) == set()

    def test_by_session(self, start, value):
        process = start("sh", "-c", "env -i sleep 1000; true", start_new_session=True)
        found = until(lambda: len(pids := find(Mark("NO", "1"), process.pid)) == 2 and pids)
        assert process.pid in found
        assert {session_of(pid) for pid in found} == {process.pid}
        os.killpg(process.pid, signal.SIGKILL)

    def test_never_what_has_ended_and_waits_to_be_reaped(self, start, value):
        process = start("true", start_new_session=True)
        with ExitWatch(process.pid) as watch:
            assert watch.wait(10)
        assert find(mark(value), process.pid) == set()

    def test_never_this_process(self):
        assert os.getpid() not in find(Mark("NO", "1"), os.getsid(0))

    def test_a_large_environment_is_read_to_its_end(self, start, value):
        large = {f"A{number}": "x" * 1000 for number in range(200)}
        process = start("sleep", "1000", env={**large, NAME: value})
        assert find(mark(value), None) == {process.pid}

    @pytest.mark.parametrize("variables", [0, 100])
    def test_a_process_that_execs_again_and_again_is_found_each_time(self, start, value, tmp_path, variables):
        large = {f"A{number}": "x" * 1000 for number in range(variables)}
        process = start(execs_without_end(tmp_path), env={**large, NAME: value})
        assert missed(process.pid, value) == 0

    @pytest.mark.skipif(not can_unshare(), reason="the machine allows no process namespace")
    def test_also_where_its_session_is_out_of_sight(self, value, tmp_path):
        asks = f"""if 1:
            import os, subprocess, test_processes
            os.environ[{NAME!r}] = {value!r}
            with subprocess.Popen([{execs_without_end(tmp_path)!r}]) as process:
                print(os.getsid(0), os.getsid(process.pid), test_processes.missed(process.pid, {value!r}))
                process.kill()
        """
        told = subprocess.run(
            [*UNSHARE, "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-c", asks],
            capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        ).stdout  # fmt: skip
        assert told.split() == ["0", "0", "0"]

    def test_a_process_that_is_gone_has_nothing(self, start, value):
        process = start("true")
        process.wait()
        assert not mark(value).is_on(process.pid)
        assert session_of(process.pid) is None
        assert started_ticks(process.pid) == 0


class TestExitWatch:
    def test_ends_with_the_process(self, start):
        process = start("sh", "-c", "read line", stdin=subprocess.PIPE)
        with ExitWatch(process.pid) as watch:
            assert not watch.wait(0)
            process.stdin.close()
            assert watch.wait(10)

    def test_of_a_process_that_is_no_child(self, start):
        parent = start("sh", "-c", "sleep 1000 & echo $!; wait", stdout=subprocess.PIPE)
        with ExitWatch(int(parent.stdout.readline())) as watch:
            assert not watch.wait(0)
            watch.send(signal.SIGTERM)
            assert watch.wait(10)

    def test_can_be_woken(self, start):
        process = start("sleep", "1000")
        reader, writer = os.pipe()
        threading.Timer(0.05, os.write, (writer, b"!")).start()
        with ExitWatch(process.pid) as watch:
            began = time.monotonic()
            assert not watch.wait(10, reader)
        assert time.monotonic() - began < 5
        os.close(reader)
        os.close(writer)

    def test_never_of_a_process_that_is_gone(self, start):
        process = start("true")
        process.wait()
        with pytest.raises(ProcessLookupError):
            ExitWatch(process.pid)


class TestSweep:
    def test_nothing_to_do(self):
        swept = sweep(set, 1.0)
        assert (swept.ended, swept.left) == (0, ())

    def test_what_ends_by_itself_gets_the_chance(self, start, value, tmp_path):
        script = f"trap 'touch {tmp_path}/asked; exit' TERM; echo; while :; do sleep 0.01; done"
        process = start("sh", "-c", script, stdout=subprocess.PIPE)
        process.stdout.readline()
        assert sweep(lambda: find(mark(value), None), 5.0).ended >= 1
        assert (tmp_path / "asked").exists()
        assert not is_running(process.pid)

    def test_what_does_not_is_killed(self, start, value):
        process = start("sh", "-c", "trap '' TERM; echo; while :; do sleep 1000; done", stdout=subprocess.PIPE)
        process.stdout.readline()
        swept = sweep(lambda: find(mark(value), None), 0.05)
        assert (swept.ended >= 1, swept.left) == (True, ())
        assert not is_running(process.pid)

    def test_what_is_stopped_is_killed_too(self, start, value):
        process = start("sleep", "1000")
        process.send_signal(signal.SIGSTOP)
        assert sweep(lambda: find(mark(value), None), 0.05).ended == 1

    def test_more_processes_than_are_watched_at_once(self, start, value):
        process = start("sh", "-c", "for n in $(seq 150); do sleep 1000 & done; echo; wait", stdout=subprocess.PIPE)
        process.stdout.readline()
        before = open_descriptors()
        swept = sweep(lambda: find(mark(value), None), 1.0)
        assert (swept.ended, swept.left) == (151, ())
        assert open_descriptors() <= before

    def test_what_is_started_while_it_sweeps_is_found_too(self, start, value):
        script = "trap 'setsid sleep 1000 & exit' TERM; echo; while :; do sleep 0.01; done"
        process = start("sh", "-c", script, stdout=subprocess.PIPE)
        process.stdout.readline()
        swept = sweep(lambda: find(mark(value), None), 1.0)
        assert swept.ended >= 2
        assert find(mark(value), None) == set()

    @pytest.mark.skipif(os.geteuid() != 0, reason="needs a process of another user")
    def test_what_cannot_be_ended_is_named(self, start):
        process = start("sleep", "1000")
        code = (
            "import os; from samoloop.children.processes import sweep; "
            "os.setuid(65534); print(sweep(lambda: {PID}, 0).left)"
        )
        command = [sys.executable, "-c", code.replace("PID", str(process.pid))]
        assert subprocess.run(command, capture_output=True, text=True).stdout == f"({process.pid},)\n"
        assert is_running(process.pid)


class TestSubreaper:
    """In a process of its own: what was inherited would stay with the test run."""

    def run(self, script: str) -> str:
        head = "import os, subprocess, sys, time\nfrom samoloop.children.processes import *\nbecome_subreaper()\n"
        code = f"{head}{script}"
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    def test_an_orphan_is_told_from_own_commands_whatever_its_environment_says(self):
        script = """
os.environ["MARK"] = "1"
before = subprocess.Popen(["sleep", "1000"], start_new_session=True, env={})
known = children()
marked = subprocess.Popen(["sleep", "1000"], start_new_session=True)
own = subprocess.Popen(["sleep", "1000"], env={})
subprocess.run(["sh", "-c", "env -i setsid sleep 1000 >/dev/null 2>&1 & sleep 0.05"])
subprocess.run(["sh", "-c", "env MARK=2 setsid sleep 1000 >/dev/null 2>&1 & sleep 0.05"])
found = orphans("MARK", {"1"}, known)
print(len(found), found.isdisjoint({before.pid, marked.pid, own.pid}))
print(sweep(lambda: orphans("MARK", {"1"}, known), 1.0))
for process in (before, marked, own):
    process.kill()
    process.wait()
print(children())
"""
        assert self.run(script).splitlines() == ["2 True", "Swept(ended=2, left=())", "set()"]

    def test_reaping_clears_the_inherited_and_never_steals_an_exit_code(self):
        script = """
own = subprocess.Popen(["sh", "-c", "exit 3"])
leader = subprocess.Popen(["sh", "-c", "exit 4"], start_new_session=True)
known = subprocess.Popen(["true"], start_new_session=True)
subprocess.run(["sh", "-c", "(sleep 0.01; true) & true"], start_new_session=True)
deadline = time.monotonic() + 10
while len(zombies := {pid for pid in children() if open(f"/proc/{pid}/stat").read().rpartition(") ")[2][0] == "Z"}) < 4:
    assert time.monotonic() < deadline, zombies
    time.sleep(0.01)
reap([known.pid])
print(children() == {own.pid, leader.pid}, own.wait(), leader.wait())
known.returncode = 0
"""
        assert self.run(script).split() == ["True", "3", "4"]


def test_becoming_a_subreaper_inherits_orphans():
    code = (
        "import subprocess; from samoloop.children.processes import *; become_subreaper();"
        "pid = int(subprocess.run(['sh', '-c', 'sleep 1000 >&2 & echo $!'], stdout=-1).stdout);"
        "print(pid in children()); subprocess.run(['kill', str(pid)])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "True\n"


def test_processor_time_grows_with_work_only(start):
    busy = start(sys.executable, "-c", "while True: pass")
    idle = start("sleep", "1000")
    until(lambda: cpu_seconds([busy.pid]) > 0.1)
    assert cpu_seconds([idle.pid]) < 0.05
    assert cpu_seconds([]) == 0


def test_the_older_process_is_known(start):
    first = start("sleep", "1000")
    until(lambda: time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK") > started_ticks(first.pid) + 2)
    second = start("sleep", "1000")
    assert started_ticks(first.pid) < started_ticks(second.pid)


def test_own_children_are_known(start):
    process = start("sleep", "1000")
    assert process.pid in children()


LEFT = """
import os, subprocess, sys
from samoloop.children.processes import become_subreaper, nothing_left_of
if sys.argv[1] != "no subreaper":
    become_subreaper()
sleep = "sleep 1000 >/dev/null 2>&1 & echo $!"
other = subprocess.Popen(["sleep", "1000"]) if sys.argv[1] == "another child" else None
command = f"setsid sh -c '{sleep}'" if sys.argv[1] == "a daemon" else "echo 0"
child = subprocess.Popen(["sh", "-c", command], stdout=subprocess.PIPE, start_new_session=True)
daemon = int(child.stdout.read())
os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
print(nothing_left_of(child.pid))
if daemon:
    os.kill(daemon, 9)
if other:
    other.kill()
"""


@pytest.mark.parametrize(
    ("case", "nothing"),
    [("a clean end", True), ("a daemon", False), ("another child", False), ("no subreaper", False)],
)
def test_a_subreaper_knows_at_once_that_an_ended_child_left_nothing(case: str, nothing: bool):
    done = subprocess.run([sys.executable, "-c", LEFT, case], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"{nothing}\n", "")


WATCHER = """
import sys
log = open({!r}, "a")
def note(name, args):
    if name == "open":
        log.write(f"{{args[0]}}\\n")
sys.addaudithook(note)
"""


def test_a_clean_child_costs_no_look_at_every_process(tmp_path: Path):
    """What a real worker opens of /proc: its own ancestors it reads, to know who called it, and nobody else."""
    root = scripted_project(tmp_path, GOOD_CHILD)
    opened = tmp_path / "opened"
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(WATCHER.format(str(opened)))
    done = samoloop(root, "run", "Task", "--session", "a", "--no-wait", env={"PYTHONPATH": str(tmp_path / "site")})
    assert done.returncode == 3, done.stderr
    names = opened.read_text().splitlines()
    ancestors, pid = set(), os.getpid()
    while pid:
        ancestors.add(pid)
        pid = int(stat(pid)[1]) if stat(pid) else 0
    looked_at = {int(found[1]) for name in names if (found := re.fullmatch(r"/proc/(\d+)/environ", name))}
    assert [name for name in names if name.endswith("/children")]
    assert len(looked_at - ancestors) <= 1  # itself
