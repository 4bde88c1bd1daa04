"""Nothing that a child writes or leaves keeps a worker or a person's command busy without end."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from kit import GOOD_CHILD, git, make_repo, samoloop, scripted_project, until

ASKED = "**Answer:** _waiting_\n"
# What a model that repeats itself may write, and what takes long where a pattern is tried at every place of it.
QUESTIONS = {
    "spaces in a title": '"### Q1: a" + " " * 200_000 + "?\\n" + ASKED',
    "underscores in an answer": '"### Q1: a?\\n**Answer:** " + "_" * 200_000 + "x\\n\\n### Q2: b?\\n" + ASKED',
    "comments": '"### Q1: a?\\n**Answer:** " + "<!-- by " * 50_000 + "\\n### Q2: b?\\n" + ASKED',
    "backticks": '"### Q1: a?\\n" + "`" * 200_000 + "\\n" + ASKED',
    "backslashes": '"### Q1: a?\\n**Answer:** " + chr(92) * 200_000 + "x\\n### Q2: b?\\n" + ASKED',
    "headings": '"### Q1:a\\n" * 300_000 + ASKED',
}


def python(code: str) -> str:
    return f"{sys.executable} - <<'END'\n{code}\nEND"


@pytest.mark.parametrize("text", QUESTIONS.values(), ids=QUESTIONS)
def test_questions_of_any_shape_are_read_at_once(tmp_path: Path, text: str):
    asking = python(f"ASKED = {ASKED!r}\nopen('_qa.md', 'w').write({text})")
    waiting = """signal '{"status": "waiting", "for": "qa_answers"}'"""
    child = f"if [ $SAMOLOOP_PHASE = investigation ]; then next requirements; exit; fi\n{asking}\n{waiting}"
    root = scripted_project(tmp_path, child)
    assert samoloop(root, "run", "Task", "--session", "a", "--no-wait").returncode == 3
    assert samoloop(root, "questions", "a").returncode == 0


def test_an_overview_of_any_shape_is_read_at_once(tmp_path: Path):
    spoiled = python("""
lines = ["# x", "## Status", "Phase: a" + " " * 300_000 + "b", *[""] * 300_000, "## Flow Log"]
open("_overview.md", "w").write("\\n".join(lines))
""")
    root = scripted_project(tmp_path, f"if [ $SAMOLOOP_PHASE = investigation ]; then\n{spoiled}\nfi\n{GOOD_CHILD}")
    assert samoloop(root, "run", "Task", "--session", "a", "--yes").returncode == 0


GIT = 'cd "$(git -C "$SAMOLOOP_WORKTREE" rev-parse --path-format=absolute --git-dir)"; '
# A child puts a pipe there and is a good one in all else.
PIPES = {
    "its own output": "rm _logs/002-requirements.jsonl; mkfifo _logs/002-requirements.jsonl",
    "its own errors": "rm _logs/002-requirements.err; mkfifo _logs/002-requirements.err",
    "next exit code": "mkfifo _logs/003-planning.exit",
    "next prompt": "mkfifo _logs/003-planning.prompt.md",
    "log of workers": "mkfifo _logs/worker.log",
    "log of setup": 'rm _logs/000-init.log; mkfifo _logs/000-init.log; rm -rf "$SAMOLOOP_WORKTREE"',
    "a skill": "rm _logs/skills/own/SKILL.md; mkfifo _logs/skills/own/SKILL.md",
    "task": "rm _task.md; mkfifo _task.md",
    "overview": "rm _overview.md; mkfifo _overview.md",
    "a document": "mkfifo 11-21-0901-dive-y.md",
    "worktree's link": 'rm "$SAMOLOOP_WORKTREE/.git"; mkfifo "$SAMOLOOP_WORKTREE/.git"',
    "git's HEAD": GIT + "rm HEAD; mkfifo HEAD",
    "git's index": GIT + "rm index; mkfifo index",
    "git's gitdir": GIT + "rm gitdir; mkfifo gitdir",
    "git's commondir": GIT + "rm commondir; mkfifo commondir",
    "git's ORIG_HEAD": GIT + "rm -f ORIG_HEAD; mkfifo ORIG_HEAD",
    "git's lock": GIT + "mkfifo locked",
    "ignored files": 'rm -f "$SAMOLOOP_WORKTREE/.gitignore"; mkfifo "$SAMOLOOP_WORKTREE/.gitignore"',
    "the repository's exclude": GIT + "rm ../../info/exclude; mkfifo ../../info/exclude",
    "the session's branch": GIT + "rm ../../refs/heads/samoloop/a; mkfifo ../../refs/heads/samoloop/a",
    "the checkpoints": GIT + "cd ../../refs/samoloop/sessions; for ref in *; do rm $ref; mkfifo $ref; done",
    "refs": GIT + "rm -r ../../refs/samoloop; mkfifo ../../refs/samoloop",
    "ignored files deep down": 'cd "$SAMOLOOP_WORKTREE"; mkdir -p a/b; touch a/b/more; mkfifo a/b/.gitignore',
    "stashes": GIT + "mkdir -p ../../logs/refs; mkfifo ../../logs/refs/stash",
}


@pytest.mark.parametrize("deed", PIPES.values(), ids=PIPES)
def test_a_pipe_in_the_place_of_a_file_stops_nobody(tmp_path: Path, deed: str):
    once = f'if [ $SAMOLOOP_PHASE = requirements ] && mkdir "$(dirname "$0")/did"; then\n({deed})\nfi\n'
    root = scripted_project(tmp_path, once + GOOD_CHILD)
    settings = json.loads((root / ".samoloop.yaml").read_text())
    (root / ".samoloop.yaml").write_text(json.dumps({**settings, "setup": "true"}))
    (root / ".samoloop/skills/own").mkdir(parents=True)
    (root / ".samoloop/skills/own/SKILL.md").write_text("---\nname: own\ndescription: Ours.\n---\nDo it.\n")
    said = samoloop(root, "run", "Task", "--session", "a", "--no-wait")
    assert said.returncode in (3, 4), said.stdout + said.stderr
    assert (tmp_path / "did").is_dir()
    assert samoloop(root, "log", "a", "-n", "2").returncode == 0
    said = samoloop(root, "resume", "a", "--yes", "--detach")
    assert said.returncode == 0, said.stdout + said.stderr
    ended = until(lambda: found if (found := status(root))["condition"] in ("done", "blocked") else None)
    assert ended["condition"] == "done", ended["reason"]


def test_a_pipe_in_the_place_of_the_journal_blocks_the_session(tmp_path: Path):
    root = scripted_project(
        tmp_path, 'journal=$(readlink _history.jsonl); rm "$journal"; mkfifo "$journal"; next requirements'
    )
    assert samoloop(root, "run", "Task", "--session", "a", "--no-wait").returncode == 4
    assert "journal" in status(root)["reason"]


FILTER = 'echo "* filter=held" > .gitattributes; touch more'
STOPS: dict[str, Callable[[Path, "subprocess.Popen[bytes]"], object]] = {
    "stop --now": lambda root, worker: samoloop(root, "stop", "a", "--now"),
    "Ctrl-C twice": lambda root, worker: [worker.send_signal(signal.SIGINT) for _ in range(2) if not time.sleep(0.1)],
    "SIGTERM": lambda root, worker: worker.send_signal(signal.SIGTERM),
}


@pytest.mark.parametrize("stop", STOPS)
def test_a_git_that_hangs_ends_with_its_worker(tmp_path: Path, stop: str):
    hold = f'mkdir "$(dirname "$0")/did" && (cd "$SAMOLOOP_WORKTREE"; {FILTER})'
    once = f"if [ $SAMOLOOP_PHASE = requirements ]; then {hold}; fi\n"
    root = scripted_project(tmp_path, once + GOOD_CHILD)
    git(root, "config", "filter.held.clean", f"echo $$ > {tmp_path}/pid; exec sleep 1000")
    words = [sys.executable, "-m", "samoloop", "run", "Task", "--session", "a", "--no-wait"]
    with subprocess.Popen(words, cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as worker:
        hanging = until(lambda: (tmp_path / "did").exists() and hung_git(worker.pid))
        STOPS[stop](root, worker)
        assert worker.wait(timeout=40) in (6, 130)
    assert not is_alive(hanging)
    assert not is_alive(int((tmp_path / "pid").read_text()))
    git(root, "config", "filter.held.clean", "cat")
    assert samoloop(root, "resume", "a", "--yes").returncode == 0


def hung_git(worker: int) -> int | None:
    """A git of the worker's that has lived for a while."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            name, _, fields = (entry / "stat").read_text().partition("(")[2].rpartition(") ")
            age = time.time() - entry.stat().st_mtime
            if name == "git" and int(fields.split()[1]) == worker and age > 2:
                return int(entry.name)
    return None


def is_alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1] != "Z"
    return False


def test_setup_ends_at_ctrl_c_with_all_that_it_started(tmp_path: Path):
    root = scripted_project(tmp_path, GOOD_CHILD)
    settings = json.loads((root / ".samoloop.yaml").read_text())
    waits = f"sleep 1000 & echo $! > {tmp_path}/pid; wait"
    (root / ".samoloop.yaml").write_text(json.dumps({**settings, "setup": waits}))
    words = [sys.executable, "-m", "samoloop", "run", "Task", "--session", "a"]
    with subprocess.Popen(words, cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as worker:
        pid = until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
        worker.send_signal(signal.SIGINT)
        assert worker.wait(timeout=40) == 130
    assert not is_alive(int(pid))
    assert status(root)["condition"] == "stopped"


def status(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(samoloop(root, "status", "a", "--json").stdout)
    return found


YAML = {
    "aliases": "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)),
    "50,000 keys": "".join(f"k{number}: 1\n" for number in range(50_000)),
    "10 MB": "provider: codex\n# " + "x" * 10_000_000,
}
# By the path of a file, what goes around the YAML in it and a command that reads it.
READ = {
    ".samoloop.yaml": ("{}", ["run", "Task", "--dry-run"]),
    ".samoloop/workflows/own.yaml": ("{}", ["run", "Task", "--dry-run", "--workflow", "own"]),
    ".samoloop/planning.md": ("---\n{}\n---\nPlan.\n", ["run", "Task", "--dry-run"]),
    ".samoloop/skills/own/SKILL.md": ("---\n{}\n---\nDo it.\n", ["run", "Task", "--dry-run"]),
}


@pytest.mark.parametrize("path", READ)
@pytest.mark.parametrize("yaml", YAML.values(), ids=YAML)
def test_no_file_of_a_clone_takes_long_to_read_or_to_refuse(tmp_path: Path, path: str, yaml: str):
    around, words = READ[path]
    root = make_repo(tmp_path / "repo")
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(around.replace("{}", yaml))
    said = samoloop(root, *words)
    assert said.returncode == 2 and Path(path).name in said.stderr, said.stderr[:2_000]
    assert len(said.stderr) < 5_000
    assert samoloop(root, "list").returncode == 0
