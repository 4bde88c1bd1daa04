"""A child in a box ends as one without, and all that it started ends with it, whether or not anybody watches."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from child_runs import WORKER, Attempt, is_running
from kit import until

from samoloop.base import proc
from samoloop.base.locks import holders, is_held
from samoloop.children import sandbox
from samoloop.children.child import Child
from samoloop.children.processes import boot_id, first_in_box
from samoloop.children.sandbox import Box
from samoloop.core.events import Result, Started
from samoloop.core.limits import EndedBy
from samoloop.core.permissions import Access

# A process that bears no mark, holds no file and belongs to no session of its child's.
DAEMON = "env -i /bin/sh -c 'setsid sleep 1000 <&- >&- 2>&- &';"


@pytest.fixture
def attempt(tmp_path: Path) -> Iterator[Attempt]:
    words = sandbox.words(sandbox.find(), sandbox.present(Box(tmp_path, {tmp_path: Access.WRITE}, stays=True)))
    attempt = Attempt(tmp_path, within=words)
    yield attempt
    left = first(attempt)
    if left:
        os.kill(left, signal.SIGKILL)
    assert not left


@contextmanager
def worker(attempt: Attempt, *argv: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(WORKER), str(attempt.folder), attempt.marker, *argv]
    environ = {**os.environ, "WITHIN": json.dumps(attempt.within)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout and process.stdout.readline()
        until(attempt.file(".pid").read_text)
        yield process
        process.kill()


def adopt(attempt: Attempt) -> Child:
    return Child.adopt(stem=attempt.stem, lock=attempt.lock, marker=attempt.marker, started_at=0.0, boot=boot_id())


def first(attempt: Attempt) -> int | None:
    """The first process of the box."""
    return first_in_box(holders(attempt.lock))


def inside(attempt: Attempt) -> list[int]:
    """The processes of the box, as the machine numbers them."""
    top = first(attempt)
    space = Path(f"/proc/{top}/ns/pid").readlink() if top else None
    found = []
    for path in Path("/proc").glob("[0-9]*/ns/pid"):
        with suppress(OSError):
            if path.readlink() == space:
                found.append(int(path.parts[2]))
    return found


def children_of(pid: int) -> list[int]:
    return list(map(int, proc.read(f"/proc/{pid}/task/{pid}/children").split()))


def sleepers(attempt: Attempt) -> list[int]:
    return [pid for pid in inside(attempt) if proc.command(pid)[:1] == ["sleep"]]


@pytest.mark.parametrize(("deed", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", -15), ("kill -9 $$", -9)])
def test_the_exit_code_comes_out(attempt: Attempt, deed: str, code: int) -> None:
    ended = attempt.run("sh", "-c", f'echo \'{{"result": "x"}}\'; {deed}')
    assert (ended.exit_code, ended.by, ended.left) == (code, EndedBy.EXIT, ())
    assert attempt.events == [Result(True, "x")]


def test_a_child_cannot_write_how_it_ended(attempt: Attempt) -> None:
    write = 'import os\nfor fd in range(3, 256):\n  try: os.write(fd, b"0\\n")\n  except OSError: pass'
    ended = attempt.run("sh", "-c", f"{sys.executable} -c '{write}'; exit 7")
    assert ended.exit_code == 7
    assert attempt.file(".exit").read_text() == "7\n"
    assert attempt.file(".pid").read_text().count("\n") == 1


def test_what_a_child_leaves_ends_with_it_though_no_worker_is_there(attempt: Attempt) -> None:
    with worker(attempt, "sh", "-c", f"{DAEMON} while [ ! -e go ]; do sleep 0.01; done; exit 3") as dead:
        [daemon] = until(lambda: [pid for pid in sleepers(attempt) if proc.command(pid)[1:] == ["1000"]])
        dead.kill()
        dead.wait()
        (attempt.folder / "go").touch()
        until(lambda: not is_running(daemon))
        until(attempt.file(".exit").read_text)
        assert not is_held(attempt.lock)
    assert attempt.wait(adopt(attempt)).exit_code == 3


def test_a_boxed_child_outlives_its_worker_and_is_adopted(attempt: Attempt) -> None:
    with worker(attempt, "waits.sh", str(attempt.folder / "go")) as dead:
        dead.kill()
        dead.wait()
        child = adopt(attempt)
        assert child.alive
        (attempt.folder / "go").touch()
        ended = attempt.wait(child, total=1e12)
    assert (ended.exit_code, ended.by) == (0, EndedBy.EXIT)
    assert attempt.events[-1] == Result(True, "done")


def test_an_adopted_box_is_ended_with_all_that_is_in_it(attempt: Attempt) -> None:
    with worker(attempt, "sh", "-c", f"{DAEMON} trap '' TERM INT; sleep 1001; sleep 1002") as dead:
        found = until(lambda: len(sleepers(attempt)) == 2 and inside(attempt))
        dead.kill()
        attempt.stop.ask_now()
        ended = attempt.wait(adopt(attempt), terminate=0.2)
    assert (ended.by, ended.exit_code, ended.left) == (EndedBy.STOP, -9, ())
    assert not any(map(is_running, found))


@pytest.mark.parametrize(("interrupt_first", "word"), [(True, "INT"), (False, "TERM")])
def test_a_boxed_child_is_asked_to_end(attempt: Attempt, interrupt_first: bool, word: str) -> None:
    traps = "trap 'echo INT > heard; exit 5' INT; trap 'echo TERM > heard; exit 5' TERM"
    script = f"{traps}; echo x; while :; do sleep 0.01; done"
    child = attempt.spawn("sh", "-c", script)
    until(attempt.file(".jsonl").read_text)
    attempt.stop.ask_now()
    ended = attempt.wait(child, interrupt_first=interrupt_first)
    assert (attempt.folder / "heard").read_text() == f"{word}\n"
    assert (ended.by, ended.exit_code) == (EndedBy.STOP, 5)


def test_a_boxed_child_is_ended_at_its_time_limit(attempt: Attempt) -> None:
    ended = attempt.run("sh", "-c", "trap '' TERM; while :; do sleep 0.05; done", total=0.5, terminate=0.2)
    assert (ended.by, ended.exit_code, ended.left) == (EndedBy.TIME, -9, ())


def test_processor_time_is_seen_through_the_box(attempt: Attempt) -> None:
    busy = "end=$(($(date +%s) + 2)); while [ $(date +%s) -lt $end ]; do :; done; exit 4"
    assert attempt.run("sh", "-c", busy, silence=0.8).exit_code == 4
    quiet = Attempt(attempt.folder / "quiet", within=attempt.within)
    quiet.folder.mkdir()
    assert quiet.run("sleep", "1000", silence=0.4).by is EndedBy.SILENCE


def test_a_box_in_a_box_is_not_taken_for_it() -> None:
    box = [sandbox.find().program, "--unshare-user", "--unshare-pid", "--as-pid-1", "--dev-bind", "/", "/"]
    with subprocess.Popen([*box, "--proc", "/proc", *box, "sleep", "1000"]) as process:
        [outer] = until(lambda: children_of(process.pid))
        deep = until(lambda: [pid for pid in children_of(outer) if proc.command(pid) == ["sleep", "1000"]])
        assert first_in_box([os.getpid(), process.pid, *deep]) is None
        assert first_in_box([*deep, outer]) == outer
        os.kill(outer, signal.SIGKILL)
    until(lambda: not any(map(is_running, deep)))


def test_where_only_the_wrapper_was_killed_the_box_is_waited_for(attempt: Attempt) -> None:
    says, waits = "echo '{\"started\": true}'", "while [ ! -e go ]; do sleep 0.01; done"
    child = attempt.spawn("sh", "-c", f'{says}; {waits}; echo \'{{"result": "x"}}\'')
    until(lambda: first(attempt) and attempt.file(".jsonl").read_text())
    os.kill(int(until(attempt.file(".pid").read_text)), signal.SIGKILL)
    attempt.on_events = lambda events: (attempt.folder / "go").touch() if events else None  # somebody listens still
    ended = attempt.wait(child)
    assert (ended.by, ended.exit_code) == (EndedBy.EXIT, None)
    assert attempt.events == [Started(), Result(True, "x")]


def test_where_the_maker_of_the_box_was_killed_all_that_is_in_it_is_ended(attempt: Attempt) -> None:
    child = attempt.spawn("sh", "-c", f"{DAEMON} exec sleep 1001")
    found = until(lambda: len(sleepers(attempt)) == 2 and inside(attempt))
    maker = int(proc.stat(first(attempt) or 0)[1])
    assert Path(proc.command(maker)[0]).name == "bwrap"
    os.kill(maker, signal.SIGKILL)
    ended = attempt.wait(child)
    assert (ended.by, ended.exit_code, ended.left) == (EndedBy.EXIT, -9, ())
    assert ended.swept == 0  # nothing had to be looked for
    assert not any(map(is_running, found))
