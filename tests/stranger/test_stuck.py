"""Whatever a child left behind: the session goes on, or says how; and the others are shown and go on beside it."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kit import GOOD_CHILD, git, samoloop, scripted_project

from samoloop.base.files import remove
from samoloop.core.control import LOCK
from samoloop.core.session import Session

CONTROL = 'cd "$(dirname "$(readlink _logs)")"; '  # a child that no sandbox restrains can go there
DEEP = """
import os
for _ in range(1200):
    os.mkdir("d")
    os.chdir("d")
open("bottom", "w").close()
"""


def once(deed: str, then: str = GOOD_CHILD) -> str:
    """A child that does the deed in its first run of requirements, and is a good one from then on."""
    return f"""
if [ $SAMOLOOP_PHASE = requirements ] && [ ! -e "$(dirname "$0")/did" ]; then
  touch "$(dirname "$0")/did"
{deed}
fi
{then}
"""


def python(code: str) -> str:
    return f"{sys.executable} - <<'END'\n{code}\nEND"


DEEDS = {
    "logs gone": "rm -rf _logs",
    "logs gone, where they lie": CONTROL + "rm -rf _logs",
    "logs a file, where they lie": CONTROL + "rm -rf _logs; touch _logs",
    "logs a link": "rm -rf _logs; ln -s /tmp _logs",
    "exit code of the next": "echo 7 > _logs/003-requirements.exit",
    "logs a file": "rm -rf _logs; touch _logs",
    "exit code a folder": "mkdir _logs/002-requirements.exit",
    "exit code of 5,000 digits": "printf '%05000d\\n' 9 > _logs/002-requirements.exit; kill -9 $PPID $$",
    "next prompt a folder": "mkdir _logs/003-requirements.prompt.md",
    "lock a link": CONTROL + "rm -f _lock; ln -s /etc/hostname _lock",
    "lock a folder": CONTROL + "rm -f _lock; mkdir -p _lock/full",
    "lock a pipe": CONTROL + "rm -f _lock; mkfifo _lock",
    "child lock a link": CONTROL + "rm -f _child.lock; ln -s /etc/hostname _child.lock",
    "child lock a folder": CONTROL + "rm -f _child.lock; mkdir _child.lock",
    "session deep": python(DEEP),
    "worktree deep": 'cd "$SAMOLOOP_WORKTREE"; ' + python(DEEP) + '\ncd "$SAMOLOOP_SESSION_DIR"',
    "names of another encoding": python(r"""open(b"caf\xe9.txt", "w").write("x")"""),
    "a name of another encoding in the worktree": 'cd "$SAMOLOOP_WORKTREE"; '
    + python(r"""open(b"caf\xe9.txt", "w").write("x")""")
    + '\ncd "$SAMOLOOP_SESSION_DIR"',
}


@pytest.fixture(autouse=True)
def nothing_deep_stays(tmp_path: Path) -> Iterator[None]:
    """Not every program that clears away folders can clear away these."""
    yield
    remove(tmp_path)


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
def test_the_session_comes_to_its_end_whatever_the_child_left(tmp_path: Path, deed: str):
    root = scripted_project(tmp_path, once(deed))
    said = samoloop(root, "run", "Task", "--session", "a", "--yes")
    for _ in range(2):  # what a worker could not mend by itself is mended when a person goes on
        if said.returncode != 0:
            said = samoloop(root, "resume", "a", "--yes")
        assert "Traceback" not in said.stderr and "a fault" not in said.stdout + said.stderr
    assert said.returncode == 0, said.stdout + said.stderr
    assert (tmp_path / "did").exists()
    branch = json.loads(samoloop(root, "status", "a", "--json").stdout)["branch"]
    assert git(root, "show", f"{branch}:feature.txt") == "code"


BAD = {
    "a link for a lock": lambda folder: lock(folder).symlink_to("/etc/hostname"),
    "times that are none": lambda folder: spoil(folder, "at", "yesterday"),
    "a number for a phase": lambda folder: spoil(folder, "phase", 7),
    "a list for a time": lambda folder: spoil(folder, "at", [[]]),
    "no end of a line": lambda folder: journal(folder).write_bytes(b"{}\n" + journal(folder).read_bytes()),
}


def lock(folder: Path) -> Path:
    path = Session(folder).control / LOCK
    path.unlink(missing_ok=True)
    return path


def journal(folder: Path) -> Path:
    return folder / "_history.jsonl"


def spoil(folder: Path, key: str, value: object) -> None:
    """Another value for the key in every record that has it."""
    records = [json.loads(line) for line in journal(folder).read_text().splitlines()]
    journal(folder).write_text(
        "".join(json.dumps({**one, key: value} if key in one else one) + "\n" for one in records)
    )


@pytest.mark.parametrize("spoiled", BAD.values(), ids=BAD)
def test_a_bad_session_is_a_row_and_the_others_go_on(tmp_path: Path, spoiled: Callable[[Path], None]):
    root = scripted_project(tmp_path, GOOD_CHILD)
    for name in ("bad", "good"):
        assert samoloop(root, "run", "Task", "--session", name, "--no-wait").returncode == 3
    bad, good = sorted(folder for folder in (root / "_sessions").glob("[!.]*"))
    assert samoloop(root, "answer", "good", "--suggested").returncode == 0
    spoiled(bad)

    rows = json.loads(samoloop(root, "list", "--json").stdout)
    assert {row["session"] for row in rows} == {bad.name, good.name}
    assert all(row["reason"] for row in rows if row["condition"] == "damaged")
    assert bad.name in samoloop(root, "list").stdout
    for words in (["status", "bad"], ["resume", "bad", "--no-wait"], ["status"], ["up", "--once"]):
        said = samoloop(root, *words)
        assert "Traceback" not in said.stderr and "a fault of samoloop" not in said.stderr, words
        assert said.stderr or said.stdout or words[0] == "resume"
    assert json.loads(samoloop(root, "status", "good", "--json").stdout)["gate"]["kind"] == "plan_approval"


def test_three_hand_offs_of_one_task_at_once_make_three_sessions_that_end(tmp_path: Path):
    root = scripted_project(tmp_path, GOOD_CHILD)
    words = [sys.executable, "-m", "samoloop", "run", "Same task", "--yes"]
    quiet = subprocess.DEVNULL
    runs = [subprocess.Popen(words, cwd=root, stdin=quiet, stdout=quiet, stderr=quiet) for _ in range(3)]
    assert [run.wait(120) for run in runs] == [0, 0, 0]
    rows = json.loads(samoloop(root, "list", "--json").stdout)
    assert [row["condition"] for row in rows] == ["done"] * 3
