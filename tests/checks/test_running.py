"""One run of a check, whatever the command does: its output, its time and its processes are bounded."""

import os
import subprocess
import threading
import time
from pathlib import Path

import kit
import pytest

from samoloop.base import programs
from samoloop.checks import copies, running
from samoloop.checks.check import Check
from samoloop.checks.receipts import Outcome
from samoloop.checks.running import Job, command_here
from samoloop.checks.swap import Swap
from samoloop.children.sandbox import Box
from samoloop.children.stop import StopRequest
from samoloop.core.permissions import Sandboxing, SandboxMode
from samoloop.git.calls import Git


def job(tmp_path: Path, command: str, **more: object) -> Job:
    logs = tmp_path / "logs"
    logs.mkdir(exist_ok=True)
    root = tmp_path / "tree"
    root.mkdir(exist_ok=True)
    check = Check(name="t", command=command, source="settings", seconds=30, **more)
    environ = {"PATH": os.environ["PATH"]}
    number = len(list(logs.glob("*.pid")))
    return Job(
        check, root, environ=environ, stem=logs / f"{number:03d}", lock=tmp_path / "lock", marker=f"m{os.getpid()}"
    )


def test_endless_output_is_cut_off_and_proves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "OUTPUT_BYTES", 2_000_000)
    ran = running.run(job(tmp_path, "yes 0123456789"), StopRequest())
    assert ran.outcome is Outcome.UNVERIFIED and "printed more than 2 MB" in ran.why
    assert ran.seconds < 30  # its limit
    assert ran.log.stat().st_size <= 2_000_000


def test_endless_output_without_a_line_too(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "OUTPUT_BYTES", 2_000_000)
    ran = running.run(job(tmp_path, "cat /dev/zero"), StopRequest())
    assert ran.outcome is Outcome.UNVERIFIED
    assert ran.log.stat().st_size <= 2_000_000


def test_what_it_leaves_behind_is_ended(tmp_path):
    pid = tmp_path / "pid"
    ran = running.run(
        job(tmp_path, f"setsid sh -c 'echo $$ > {pid}; sleep 1000' & while [ ! -s {pid} ]; do :; done"), StopRequest()
    )
    assert ran.exit == 0 and ran.seconds < 20
    kit.until(lambda: not Path(f"/proc/{pid.read_text().strip()}").exists())


def test_it_ends_when_samoloop_is_asked_to_stop(tmp_path):
    stop, at = StopRequest(), tmp_path / "at"
    threading.Thread(target=lambda: (kit.until(at.exists), stop.ask_now())).start()
    started = time.monotonic()
    with pytest.raises(programs.Cut, match="asked to stop"):
        running.run(job(tmp_path, f"touch {at}; sleep 1000"), stop)
    assert time.monotonic() - started < 25


def test_the_junit_files_that_it_wrote_are_read_and_old_ones_are_not(tmp_path):
    old = tmp_path / "tree" / "out"
    old.mkdir(parents=True)
    (old / "old.xml").write_text("<testsuite><testcase name='old'/><testcase name='older'/></testsuite>")
    write = "echo \"<testsuite><testcase name='a'/></testsuite>\" > out/new.xml"
    ran = running.run(job(tmp_path, write, junit=("out/*.xml",)), StopRequest())
    assert (ran.outcome, ran.counted.passed) == (Outcome.PASSED, 1)
    assert "testcase" not in ran.log.read_text()


def test_a_junit_pattern_is_no_command(tmp_path):
    ran = running.run(job(tmp_path, "true", junit=("$(touch made)", "; touch made", "a b/*.xml", "-rf")), StopRequest())
    assert ran.outcome is Outcome.UNCOUNTED
    assert not (tmp_path / "tree" / "made").exists()


def test_what_it_prints_is_no_result_file(tmp_path):
    """The mark between them may be known; what a check prints goes elsewhere."""
    fake = "printf '\\n--samoloop-results--\\n<testsuite><testcase name=\"a\"/></testsuite>' >&2"
    assert running.run(job(tmp_path, fake), StopRequest()).outcome is Outcome.UNCOUNTED


@pytest.mark.parametrize(
    "command",
    [
        "pytest",
        "pytest -q tests",
        "python3 -m pytest",
        ".venv/bin/pytest -x",
        "uv run pytest",
        "A=1 poetry run pytest -q",
    ],
)
def test_pytest_is_asked_for_a_file_of_results(command, tmp_path):
    check = Check(name="t", command=command, source="settings")
    assert command_here(check, tmp_path, {}).startswith(f"{command} --junitxml=")


@pytest.mark.parametrize(
    "command", ["pytest | tee log", "pytest && ruff", "echo pytest; x", "tox -e pytest-x", "npm test"]
)
def test_other_commands_are_left_alone(command, tmp_path):
    check = Check(name="t", command=command, source="settings")
    assert command_here(check, tmp_path, {}) == command


def test_the_projects_own_python_comes_first(tmp_path):
    check = Check(name="t", command="python3 -m unittest", source="tests/test_a.py")
    assert command_here(check, tmp_path, {"PATH": "/usr/bin:/bin"}) == "python3 -m unittest"
    own = tmp_path / ".venv" / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    assert command_here(check, tmp_path, {}) == f"'{own}' -m unittest"


def swapped(tmp_path: Path, swap: Swap, command: str) -> str:
    """What a command prints in a copy of the tree with these files put in place."""
    root = tmp_path / "tree"
    within, where = copies.around(Sandboxing(SandboxMode.OFF), Box(root), root)
    assert where == copies.COPY
    with copies.archive(Git(root / ".git"), swap, root) as files:
        made = job(tmp_path, command)
        ran = running.run(Job(**{**made.__dict__, "within": within, "swap": files}), StopRequest())
    return ran.log.read_text()


def test_files_of_another_tree_are_put_in_place_in_the_copy_alone(tmp_path):
    root = kit.make_repo(tmp_path / "tree")
    for name, content in {"a": "old", "d/b": "old\0\xff", "gone": "old", "x y\n'z": "old"}.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(content.encode("latin-1"))
    (root / "run").write_text("#!/bin/sh\n")
    (root / "run").chmod(0o755)
    (root / "link").symlink_to("a")
    kit.git(root, "add", "-A")
    kit.git(root, "commit", "-qm", "old")
    tree = kit.git(root, "rev-parse", "HEAD^{tree}")
    for name in ("a", "x y\n'z", "new"):
        (root / name).write_text("new")
    for name in ("gone", "link", "run"):
        (root / name).unlink()
    (root / "link").mkdir()
    (root / "link" / "in").write_text("new")
    swap = Swap(tree, ("a", "d/b", "gone", "x y\n'z", "run", "link"), ("new", "link/in"), {"deep/er": "mixed"})
    shown = (
        "cat a gone link 'x y\n'\\''z' deep/er; test -x run && echo executable; test -e new || echo gone; wc -c < d/b"
    )
    assert swapped(tmp_path, swap, shown) == "oldoldoldoldmixedexecutable\ngone\n5\n"
    assert (root / "a").read_text() == "new" and (root / "link" / "in").exists() and (root / "new").exists()


def test_nothing_is_written_through_a_link_that_a_child_laid(tmp_path):
    root = kit.make_repo(tmp_path / "tree")
    (root / "tests").mkdir()
    (root / "tests" / "a").write_text("old")
    kit.git(root, "add", "-A")
    kit.git(root, "commit", "-qm", "old")
    tree = kit.git(root, "rev-parse", "HEAD^{tree}")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a").write_text("the person's")
    subprocess.run(["rm", "-r", root / "tests"], check=True)
    (root / "tests").symlink_to(outside)
    assert swapped(tmp_path, Swap(tree, ("tests/a",)), "cat tests/a") == "old"
    assert (outside / "a").read_text() == "the person's"


def test_what_only_prints_like_pytest_counts_no_test(tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "pytest.py").write_text("print('7 passed in 0.01s')\n")
    ran = running.run(job(tmp_path, "python3 -m pytest"), StopRequest())
    assert (ran.outcome, ran.exit, ran.counted.ran) == (Outcome.UNCOUNTED, 0, 0)


def test_a_pytest_that_writes_its_own_file_is_not_asked_for_another(tmp_path):
    check = Check(name="t", command="pytest --junitxml=a.xml", source="settings", junit=("a.xml",))
    assert command_here(check, tmp_path, {}) == check.command
