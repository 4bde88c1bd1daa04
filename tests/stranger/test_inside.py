"""What starts, stops or changes a session is for people: no child gets past that by taking its mark off."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from kit import GOOD_CHILD, samoloop, scripted_project, until

from samoloop.core.session import Session

SAMOLOOP = f"{sys.executable} -m samoloop"
COMMANDS = [
    "answer a Q1=A",
    "approve a",
    "tell a x",
    "learn a 1",
    "mcp",
    "web",
    "stop b",
    "resume a --no-wait",
    "run t --session c --no-wait",
    "rewind a 1",
    "fork a 1 --session d",
    "archive a --force",
    "up --once",
    "relay",
    "skills run dive x",
]
# What a child does about the mark that it carries. The last one has no descriptor of its parent either.
WIPED = 'env -i PATH="$PATH" HOME="$HOME"'
# `$PPID` would be the worker where this one has ended before the shell looks.
DAEMON = "import os, subprocess, sys; subprocess.Popen([*sys.argv[1:], str(os.getpid())], start_new_session=True)"
WAYS = {
    "as it is": "sh -c '{}'",
    "the mark taken off": "env -u SAMOLOOP_MARKER sh -c '{}'",
    "nothing left of its environment": WIPED + " sh -c '{}'",
    "come back to the worker": f"{WIPED} {sys.executable} -c '{DAEMON}' "
    "sh -c 'while kill -0 $0; do sleep 0.02; done 2> /dev/null; {}'",
}


def scene(tmp_path: Path, deed: str, settings: dict[str, object] | None = None) -> tuple[Path, Session]:
    """A project in which session `a` waits for an answer, and whose session `b` then does a deed in its first phase."""
    child = f'[ "${{SAMOLOOP_SESSION_DIR%-b}}" = "$SAMOLOOP_SESSION_DIR" ] || {{\n{deed}\n}}\n'
    root = scripted_project(tmp_path, child + GOOD_CHILD)
    if settings:
        path = root / ".samoloop.yaml"
        path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    assert samoloop(root, "run", "Task", "--session", "a", "--no-wait").returncode == 3
    [row] = json.loads(samoloop(root, "list", "--json").stdout)
    return root, Session(Path(row["folder"]))


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_no_command_that_changes_a_session_is_a_childs(tmp_path: Path, way: str):
    said = tmp_path / "said"
    each = "; ".join(f'{SAMOLOOP} {words} >> {said} 2>&1; echo "$? {words}" >> {said}' for words in COMMANDS)
    whole = way.replace("{}", f"cd {tmp_path}/repo; {{ {each}; }}; touch {said}.done")
    wait = f"until [ -e {said}.done ]; do sleep 0.05; done"
    root, session = scene(tmp_path, f"[ -e {said}.done ] || {{ {whole}; {wait}; }}")
    before = list(session.journal.read())
    assert samoloop(root, "run", "Task", "--session", "b", "--no-wait").returncode == 3
    lines = said.read_text().splitlines()
    assert [line for line in lines if line[:2] == "2 "] == [f"2 {words}" for words in COMMANDS]
    assert sum("this is inside a child" in line for line in lines) == len(COMMANDS)
    assert list(Session(session.dir).journal.read()) == before and session.worktree.is_dir()
    assert samoloop(root, "answer", "a", "Q1=A").returncode == 0


def test_what_a_child_may_look_at_it_may(tmp_path: Path):
    said = tmp_path / "said"
    each = "; ".join(f"{SAMOLOOP} {words} > /dev/null; echo $? >> {said}" for words in ("list", "status a", "log a"))
    root, _ = scene(tmp_path, f"cd {tmp_path}/repo; [ -e {said} ] || {{ {each}; }}; cd - > /dev/null")
    assert samoloop(root, "run", "Task", "--session", "b", "--no-wait").returncode == 3
    assert said.read_text().split() == ["0", "0", "0"]


def test_setup_runs_what_children_wrote_and_is_no_person(tmp_path: Path):
    said = tmp_path / "said"
    command = f"cd {tmp_path}/repo; env -u SAMOLOOP_MARKER {SAMOLOOP} answer a Q1=A 2>> {said} || true"
    root, _ = scene(tmp_path, ":", {"setup": f"[ ! -e {tmp_path}/repo/_sessions/*-b ] || {{ {command}; }}"})
    assert samoloop(root, "run", "Task", "--session", "b", "--no-wait").returncode == 3
    assert "this is inside a child" in said.read_text()


def test_the_persons_own_announce_command_may_speak_for_them(tmp_path: Path):
    said = tmp_path / "said"
    command = f"cat > /dev/null; {SAMOLOOP} tell a 'Use sqlite.' > {said} 2>&1"
    root, _ = scene(tmp_path, ":")
    path = root / ".samoloop.yaml"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"announce": {"command": ["sh", "-c", command]}}))
    assert samoloop(root, "run", "Task", "--session", "b", "--no-wait").returncode == 3
    assert "will read it" in said.read_text()


def test_what_outlives_its_worker_is_known_by_the_lock_that_it_was_given(tmp_path: Path):
    said, go = tmp_path / "said", tmp_path / "go"
    waits = f"until [ -s {said} ]; do sleep 0.02; done"
    later = f"until [ -e {go} ]; do sleep 0.02; done; cd {tmp_path}/repo; {SAMOLOOP} answer a Q1=A > {said} 2>&1"
    root, _ = scene(tmp_path, f"{WIPED} setsid -f sh -c '{later}'; touch {tmp_path}/begun; {waits}")
    words = [sys.executable, "-m", "samoloop", "run", "Task", "--session", "b", "--no-wait"]
    with subprocess.Popen(words, cwd=root, stdout=subprocess.DEVNULL) as worker:
        until((tmp_path / "begun").exists)
        worker.kill()
    go.touch()
    until(lambda: said.exists() and said.read_text())
    assert "this is inside a child" in said.read_text()
    assert samoloop(root, "resume", "b", "--no-wait").returncode == 3  # it takes the child up
