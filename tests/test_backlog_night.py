"""A night with a backlog, as whole processes: a chain, a diamond with a conflict, one that fails its checks, one of a
schedule; and `up` with all its workers killed at random, again and again.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kit import git, samoloop, scripted_project, until

from samoloop.api import backlog
from samoloop.base.locks import is_held
from samoloop.children.processes import Mark, find
from samoloop.config import task_files
from samoloop.core.backlog import Standing
from samoloop.core.control import CHILD_LOCK, LOCK
from samoloop.core.session import Session, all_sessions
from samoloop.core.state import Condition

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
KILLS = 10
# Writes what the task names; `shared.txt` is where two of them meet. All that it does stands in a ledger.
CHILD = """
set -- $(cat _task.md)
log() { echo "$1 $NAME $SAMOLOOP_PHASE $SAMOLOOP_ITERATION $(date +%s.%N)" >> LEDGER; }
NAME=$1 who="-c user.name=C -c user.email=c@example.org"
log begin; sleep 0.3
case $SAMOLOOP_PHASE in
investigation)
  printf '# Dive\\n\\n## To do\\n\\n- [ ] write it\\n' > 11-21-0900-dive-x.md; log end; next implementation;;
integration)
  cd "$SAMOLOOP_WORKTREE"
  for commit in $(sed -n 's/^- `\\([0-9a-f]*\\)` (.*/\\1/p' "$prompt"); do
    git $who merge --no-ff -m "Both" $commit >&2 || {
      git checkout --quiet --ours shared.txt && git show $commit:shared.txt >> shared.txt
      git add shared.txt && git $who commit -qm "Both, each line kept" >&2; }
  done
  cd "$SAMOLOOP_SESSION_DIR"; log end; next investigation;;
implementation)
  echo "$NAME" > "$SAMOLOOP_WORKTREE/$NAME.txt"
  [ -z "$2" ] || echo "$NAME" > "$SAMOLOOP_WORKTREE/$2"
  sed 's/[[] []]/[x]/' 11-21-0900-dive-x.md > .t && mv .t 11-21-0900-dive-x.md; log end; next testing;;
testing) echo tested > 11-21-0900-testing-x.md; log end; next done;;
done)
  echo all > 11-21-0900-summary-x.md; log end
  signal "{\\"status\\": \\"done\\", \\"summary\\": \\"made $NAME\\"}";;
esac
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with such a child, and a check that fails where there is a `broken.txt`."""
    root = scripted_project(tmp_path, CHILD.replace("LEDGER", str(tmp_path / "ledger")))
    child = tmp_path / "child.sh"
    child.write_text(child.read_text().replace("cat > /dev/null", 'prompt=$(mktemp); cat > "$prompt"', 1))
    settings = json.loads((root / ".samoloop.yaml").read_text())
    more = {"workflow": "chore", "checks": {"tests": {"command": "test ! -e broken.txt"}}}
    (root / ".samoloop.yaml").write_text(json.dumps({**settings, **more}))
    return root


def ledger(root: Path) -> list[list[str]]:
    path = root.parent / "ledger"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def add(root: Path, name: str, text: str, *words: str) -> None:
    done = samoloop(root, "add", text, "--name", name, *words)
    assert done.returncode == 0, done.stderr


def stands(root: Path) -> dict[str, str]:
    found = backlog.look(root, dict(os.environ), time.time())
    return {one.name: str(one.standing) for one in found.stands}


def fill(root: Path) -> None:
    add(root, "base", "base")
    add(root, "left", "left shared.txt", "--after", "base")
    add(root, "right", "right shared.txt", "--after", "base")
    add(root, "top", "top", "--after", "left", "--after", "right")
    add(root, "fails", "fails broken.txt", "--priority", "1")
    add(root, "never", "never", "--after", "fails")
    add(root, "yearly", "yearly", "--every", "0 0 1 1 *")
    long_ago = time.time() - 3 * 365 * 24 * 3600
    os.utime(task_files.path_of(root, "yearly"), (long_ago, long_ago))  # its times were missed


def start_up(root: Path, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "samoloop", "up", "--jobs", "2", *words],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def kill(process: "subprocess.Popen[str]", *, workers: bool) -> str:
    """SIGKILL of `up`, and of its workers; children go on."""
    process.kill()
    for pid in find(Mark("HOME", os.environ["HOME"]), None) if workers else ():
        with contextlib.suppress(OSError):  # it may end while we look
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"samoloop" in words and b"resume" in words:
                os.kill(pid, signal.SIGKILL)
    said, _ = process.communicate()
    return said


def at_rest(root: Path) -> bool:
    """Whether no worker and no child of the project is alive."""
    return not any(
        is_held(session.control / name) for session in all_sessions(root / "_sessions") for name in (LOCK, CHILD_LOCK)
    )


def check(root: Path) -> None:
    """Each task was done once and after those before it, on what they made; never more children than there is room."""
    assert stands(root) == {
        **{"base": "done", "left": "done", "right": "done", "top": "done", "yearly": "later"},
        **{"fails": "waits", "never": "held"},
    }
    sessions = {session.undated: session for session in all_sessions(root / "_sessions")}
    assert sorted(sessions) == ["base", "fails", "left", "right", "top", "yearly"]
    assert len(all_sessions(root / "_sessions")) == 6
    lines = ledger(root)
    times: dict[tuple[str, str], list[float]] = {}
    for word, name, _, _, at in lines:
        times.setdefault((word, name), []).append(float(at))
    for before, after in (("base", "left"), ("base", "right"), ("left", "top"), ("right", "top")):
        assert max(times["end", before]) < min(times["begin", after]), (before, after)
    ended = [tuple(line[1:4]) for line in lines if line[0] == "end"]
    assert len(ended) == len(set(ended)), "an iteration was done twice"
    at_once, most = 0, 0
    for _, word in sorted((float(line[4]), line[0]) for line in lines):
        at_once += 1 if word == "begin" else -1
        most = max(most, at_once)
    assert most <= 2
    top = sessions["top"].branch
    assert sorted(git(root, "show", f"{top}:shared.txt").split()) == ["left", "right"]
    assert git(root, "ls-tree", "--name-only", top).split() == [
        *("base.txt", "feature.txt", "hello.txt", "left.txt", "right.txt", "shared.txt", "top.txt")
    ]
    assert next(phase for word, name, phase, *_ in lines if (word, name) == ("begin", "top")) == "integration"
    fails = sessions["fails"].state()
    assert fails.condition is Condition.BLOCKED and "vetoed 3 times by checks" in fails.reason


def test_a_night_that_is_killed_at_random_ends_with_each_task_done_once_and_in_order(root):
    fill(root)
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for number in range(KILLS):
        process = start_up(root)
        if number == 0:
            until(lambda: ledger(root))
        time.sleep(chance.uniform(0.3, 2.5))
        kill(process, workers=chance.random() < 0.6)
    last = start_up(root, "--once")
    said, _ = last.communicate(timeout=200)
    assert last.returncode == 0, said
    check(root)
    assert said.count("held until then: never") == 1
    assert "1 waits (fails)" in said and "1 held (never)" in said
    assert samoloop(root, "backlog").stdout.count("holds never") == 1
    assert at_rest(root)


def test_what_is_added_dropped_and_put_first_while_up_runs_counts_at_once(root, tmp_path):
    child, hold = tmp_path / "child.sh", tmp_path / "hold"
    child.write_text(child.read_text().replace("log begin;", f"log begin; while [ -e {hold} ]; do sleep 0.05; done;"))
    hold.touch()  # the first is at work until all is said
    process = start_up(root, "--jobs", "1")
    try:
        add(root, "one", "one")
        until(lambda: any(line[1] == "one" for line in ledger(root)))
        add(root, "two", "two")
        add(root, "three", "three")
        add(root, "four", "four", "--every", "0 0 1 1 *")
        assert samoloop(root, "backlog", "first", "three").returncode == 0
        assert samoloop(root, "backlog", "drop", "two").returncode == 0
        hold.unlink()
        until(lambda: stands(root).get("three") == "done", 100)
        assert stands(root) == {"one": "done", "three": "done", "four": "later"}
        assert {line[1] for line in ledger(root)} == {"one", "three"}
    finally:
        process.terminate()
        process.communicate()


def test_a_budget_ends_the_night_politely_and_the_next_one_goes_on(root, tmp_path):
    script = (tmp_path / "child.sh").read_text()
    cost = """echo '{"type": "usage", "cost_usd": 0.4}'; echo '{"type": "result", "ok": true}'\n"""
    (tmp_path / "child.sh").write_text(script.replace("log begin;", f"{cost}sleep 1; log begin;"))
    settings = json.loads((root / ".samoloop.yaml").read_text())
    settings["providers"]["scripted"]["output"] = "jsonl"
    (root / ".samoloop.yaml").write_text(json.dumps(settings))
    add(root, "one", "one")
    add(root, "two", "two", "--after", "one")
    process = start_up(root, "--budget", "0.7")
    said, _ = process.communicate(timeout=100)
    assert process.returncode == 0
    if "USD were spent" not in said:
        pytest.fail(said)
    assert stands(root)["one"] == "runs" and at_rest(root)
    session = next(iter(all_sessions(root / "_sessions")))
    assert session.state().condition is Condition.READY  # nobody stopped it
    start_up(root, "--once").communicate(timeout=100)
    assert stands(root) == {"one": "done", "two": "done"}


def test_a_limited_cli_gives_its_slot_to_another(root, tmp_path):
    from samoloop.worker import shared_limits

    settings = json.loads((root / ".samoloop.yaml").read_text())
    settings["providers"]["other"] = settings["providers"]["scripted"]
    (root / ".samoloop.yaml").write_text(json.dumps(settings))
    now = time.time()
    shared_limits.write("scripted", now + 3600, "limit", os.environ, now)
    add(root, "first", "first", "--priority", "5")
    add(root, "second", "second", "--provider", "other")
    start_up(root, "--once", "--jobs", "1").communicate(timeout=100)
    assert stands(root) == {"first": "ready", "second": "done"}


def test_settings_that_changed_while_up_runs_start_no_task(root):
    process = start_up(root)
    try:
        add(root, "one", "one")
        until(lambda: stands(root)["one"] == "done", 100)
        settings = json.loads((root / ".samoloop.yaml").read_text())
        (root / ".samoloop.yaml").write_text(json.dumps({**settings, "setup": "touch /tmp/never"}))
        add(root, "two", "two")
        assert process.stdout is not None
        line = until(lambda: next((line for line in process.stdout if "two is left alone" in line), ""), 60)
        assert "changed since `up` began" in line and stands(root)["two"] == "ready"
    finally:
        process.terminate()
        process.communicate()
    start_up(root, "--once").communicate(timeout=100)
    assert stands(root)["two"] == "done"


def test_a_half_saved_file_and_a_cycle_are_said_once_and_the_others_are_done(root):
    folder = root / ".samoloop" / "backlog"
    folder.mkdir(parents=True)
    (folder / "half.md").write_text("---\nafter: [one]\n")
    (folder / "a.md").write_text("---\nafter: [b]\n---\na\n")
    (folder / "b.md").write_text("---\nafter: [a]\n---\nb\n")
    (folder / "one.md").write_text("one\n")
    said, _ = start_up(root, "--once").communicate(timeout=100)  # it registers the project by itself
    assert said.count("half: it cannot be used: half.md: its front matter has no end") == 1
    assert said.count("a: it cannot be used: a.md:2: it waits for itself: a → b → a") == 1
    assert stands(root)["one"] == Standing.DONE and len(ledger(root)) == 8
    assert Session(next(iter(all_sessions(root / "_sessions"))).dir).undated == "one"
