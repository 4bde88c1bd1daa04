"""Processes forked from a warm one: each is what one started by exec would be."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit import until

from samoloop.base.proc import stat
from samoloop.children.warm import Fork, Warm

pytestmark = [
    pytest.mark.slow,  # whole processes
    pytest.mark.skipif(sys.platform != "linux", reason="Linux alone gives orphans to whom they shall belong"),
]

PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import thing
{more}
from samoloop.children.warm import serve
argv = serve(int(sys.argv[-1]))
if argv:
    exec(argv[-1])
"""
WHAT_IT_FINDS = """
import json, os, signal, sys, threading
umask = os.umask(0)
places = [f"/proc/self/fd/{number}" for number in range(1000)]
print(json.dumps({
    "files": {place: os.readlink(place) for place in places if os.path.exists(place)},
    "folder": os.getcwd(), "umask": umask, "environment": dict(os.environ),
    "leads": [os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid()], "parent": os.getppid(),
    "handlers": [repr(signal.getsignal(number)).split(" at ")[0] for number in sorted(signal.valid_signals())],
    "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), "threads": threading.active_count(),
    "command": [word for word in open("/proc/self/cmdline").read().split(chr(0)) if word],
}))
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A warm program, which has loaded `thing`."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "thing.py").write_text("VALUE = 'old'\n")
    path = tmp_path / "warm_program.py"
    path.write_text(PROGRAM.format(more=""))
    return path


@pytest.fixture
def warm(program: Path) -> Iterator[Warm]:
    made = made_warm(program)
    yield made
    made.close()


def made_warm(program: Path) -> Warm:
    return Warm([sys.executable, str(program), str(program.parent / "modules")], dict(os.environ))


def forked(warm: Warm, folder: Path, code: str, name: str = "log") -> Fork:
    with (folder / name).open("ab") as log:
        fork = warm.fork([sys.executable, "-c", code], folder, log.fileno())
    assert fork is not None
    return fork


def code_of(fork: Fork) -> int:
    return until(lambda: (fork.poll(),) if fork.poll() is not None else None)[0]


def number(warm: Warm) -> int:
    """The warm process."""
    assert warm._process is not None
    return warm._process.pid


def said(warm: Warm, folder: Path, code: str) -> str:
    """What a fork says that carries this out."""
    log = folder / f"log{len(list(folder.glob('log*')))}"
    assert code_of(forked(warm, folder, code, log.name)) == 0, log.read_text()
    return log.read_text().strip()


def test_a_fork_finds_what_a_process_finds_that_was_started_by_exec(warm: Warm, tmp_path: Path):
    locked = (tmp_path / "lock").open("w")
    fcntl.flock(locked, fcntl.LOCK_EX)
    os.set_inheritable(locked.fileno(), True)
    found = []
    for start in ("exec", "fork", "fork"):
        log = tmp_path / "log"
        log.write_text("")
        if start == "fork":
            assert code_of(forked(warm, tmp_path, WHAT_IT_FINDS)) == 0, log.read_text()
        else:
            with log.open("ab") as output:
                subprocess.run(
                    [sys.executable, "-c", WHAT_IT_FINDS], cwd=tmp_path, env=warm._environ, stdin=subprocess.DEVNULL,
                    stdout=output, stderr=output, start_new_session=True, check=True,
                )  # fmt: skip
        found.append(json.loads(log.read_text()))
    locked.close()
    assert found[0]["parent"] == os.getpid() and found[0]["leads"] == [True, True]
    assert found[1] == found[2] == found[0]


def test_forks_do_not_draw_the_same_numbers(warm: Warm, tmp_path: Path):
    assert len({said(warm, tmp_path, "import random; print(random.random())") for _ in range(3)}) == 3


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("", 0),
        ("sys.exit(7)", 7),
        ("1 / 0", 1),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL),
        ("import os; os.kill(os.getpid(), 15)", -signal.SIGTERM),
    ],
)
def test_its_exit_code_is_known(warm: Warm, tmp_path: Path, code: str, expected: int):
    assert code_of(forked(warm, tmp_path, code)) == expected


def test_it_hears_signals_and_none_goes_to_another_process_when_it_has_ended(warm: Warm, tmp_path: Path):
    fork = forked(warm, tmp_path, "import time; print('here', flush=True); time.sleep(60)")
    until(lambda: "here" in (tmp_path / "log").read_text())
    fork.send_signal(signal.SIGUSR1)
    assert code_of(fork) == -signal.SIGUSR1
    fork.send_signal(signal.SIGKILL)
    assert fork.poll() == -signal.SIGUSR1


def test_the_death_of_the_warm_process_is_not_theirs_and_another_takes_its_place(warm: Warm, tmp_path: Path):
    go = tmp_path / "go"
    wait = f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\nsys.exit(3)"
    fork, first = forked(warm, tmp_path, wait), number(warm)
    os.kill(first, signal.SIGKILL)
    assert said(warm, tmp_path, "print('born later')") == "born later"
    assert number(warm) != first and fork.poll() is None
    go.touch()
    assert fork.wait() == fork.returncode == 3


def test_forks_go_on_when_who_asked_for_them_is_killed_and_the_warm_process_ends(program: Path, tmp_path: Path):
    """They go to init, or to whoever stands for it."""
    asks = (
        "import os, pathlib, sys; from samoloop.children.warm import Warm\n"
        f"warm = Warm([sys.executable, {str(program)!r}, {str(program.parent / 'modules')!r}], dict(os.environ))\n"
        f"log, here = open({str(tmp_path / 'log')!r}, 'ab'), pathlib.Path({str(tmp_path)!r})\n"
        "wait = 'import os, time; print(os.getppid(), flush=True); time.sleep(60)'\n"
        "fork = warm.fork([sys.executable, '-c', wait], here, log.fileno())\n"
        "print(fork.pid, warm._process.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", asks], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as asker:
        assert asker.stdout
        fork, server = map(int, asker.stdout.readline().split())
        until(lambda: (tmp_path / "log").read_text())
        asker.kill()
    assert (tmp_path / "log").read_text().split() == [str(asker.pid)]
    until(lambda: (stat(server) or "Z")[0] == "Z")
    until(lambda: stat(fork)[0] == "S")  # it may still be about to sleep
    os.kill(fork, signal.SIGKILL)


@pytest.mark.parametrize("how", ["written", "replaced", "another folder"])
def test_what_comes_onto_the_disk_later_is_loaded_by_the_next_fork(warm: Warm, tmp_path: Path, how: str):
    modules, new = tmp_path / "modules", tmp_path / "new"
    new.mkdir()
    (new / "thing.py").write_text("VALUE = 'newer'\n")  # before the warm process begins
    show = "print(thing.VALUE)"
    assert [said(warm, tmp_path, show) for _ in range(2)] == ["old", "old"]
    first = number(warm)
    assert said(warm, tmp_path, show) == "old" and number(warm) == first
    if how == "written":
        (modules / "thing.py").write_text("VALUE = 'newer'\n")
    elif how == "replaced":
        (new / "thing.py").rename(modules / "thing.py")
    else:
        modules.rename(tmp_path / "away")
        new.rename(modules)
    assert [said(warm, tmp_path, show) for _ in range(2)] == ["newer", "newer"]
    assert number(warm) != first


def test_what_comes_onto_the_disk_while_the_warm_process_loads_is_no_mixture_for_ever(program: Path, tmp_path: Path):
    thing = tmp_path / "modules" / "thing.py"
    upgrade = f"open({str(thing)!r}, 'w').write(\"VALUE = 'newer'\")"
    program.write_text(PROGRAM.format(more=f"if thing.VALUE == 'old': {upgrade}"))
    warm = made_warm(program)
    try:
        assert [said(warm, tmp_path, "print(thing.VALUE)") for _ in range(2)] == ["old", "newer"]
    finally:
        warm.close()


def test_a_folder_that_is_gone_is_an_error_of_who_asks(warm: Warm, tmp_path: Path):
    with (tmp_path / "log").open("ab") as log, pytest.raises(FileNotFoundError):
        warm.fork([sys.executable, "-c", ""], tmp_path / "gone", log.fileno())


def test_nothing_is_forked_where_no_warm_process_comes_up(tmp_path: Path):
    warm = Warm(["false"], dict(os.environ))
    with (tmp_path / "log").open("ab") as log:
        assert warm.fork(["true"], tmp_path, log.fileno()) is None
