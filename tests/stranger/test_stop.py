"""`stop` signals the worker of the session and nothing else, whatever a child laid in the place of its lock."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kit import GOOD_CHILD, samoloop, scripted_project, until

VICTIM = """
import fcntl, os, sys
file = open(sys.argv[1], "a")
fcntl.flock(file, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""
LOCK_OF = 'lock=$(dirname "$(readlink "$SAMOLOOP_SESSION_DIR/_history.jsonl")")/_lock'
# {folder} holds the victim's number, and the file that it locked.
DEEDS = {
    "its number in the lock": "cat {folder}/victim > $lock",
    "its number in another lock": "rm $lock; cp {folder}/victim $lock",
    "its locked file for the lock": "mv {folder}/mine $lock",
    "a hard link to its locked file": "ln -f {folder}/mine $lock",
    "a link to its locked file": "ln -sf {folder}/mine $lock",
    "no number": "echo '?' > $lock",
    "a folder": "rm $lock; mkdir $lock",
    "a pipe": "rm $lock; mkfifo $lock",
}


@contextmanager
def a_program_of_the_persons(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """It holds a lock on a file of its own, and has nothing to do with samoloop."""
    words = [sys.executable, "-c", VICTIM, str(folder / "mine")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None and program.stdout.readline() == "locked\n"
        (folder / "victim").write_text(f"{program.pid}\n")
        yield program


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
@pytest.mark.parametrize("now", [[], ["--now"]], ids=["after this iteration", "now"])
def test_no_program_of_the_persons_is_signalled(tmp_path: Path, deed: str, now: list[str]):
    lingers = f"touch {tmp_path}/did; while [ -e {tmp_path}/did ]; do sleep 0.05; done"
    child = (
        f"[ -e {tmp_path}/go ] || {{ {LOCK_OF}; {deed.format(folder=tmp_path)}; touch {tmp_path}/go; {lingers}; }}\n"
    )
    root = scripted_project(tmp_path, child + GOOD_CHILD)
    words = [sys.executable, "-m", "samoloop", "run", "Task", "--session", "a", "--no-wait"]
    with a_program_of_the_persons(tmp_path) as program:
        quiet = subprocess.DEVNULL
        with subprocess.Popen(words, cwd=root, stdin=quiet, stdout=quiet, stderr=quiet) as worker:
            until((tmp_path / "did").exists)
            said = samoloop(root, "stop", "a", *now)
            (tmp_path / "did").unlink()
            assert worker.wait(60) != -signal.SIGKILL
        assert program.poll() is None
        assert "Traceback" not in said.stderr and str(program.pid) not in said.stdout
        if said.returncode:
            assert "is no samoloop, so it was not signalled" in said.stderr
        else:
            assert f"Asked worker {worker.pid} of" in said.stdout or "No worker is at work" in said.stdout
    assert samoloop(root, "resume", "a", "--no-wait").returncode in (3, 4)
