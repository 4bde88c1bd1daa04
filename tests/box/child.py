"""The child of the escape suite: makes every attempt, leaves what each said in `results.json`, waits to be looked at.

Runs in the worktree on any Python 3; `attempts.json` there holds the shell of each attempt and what it is told.
"""

import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

SECONDS = 10  # for one attempt


def main() -> None:
    worktree, session = Path(os.environ["SAMOLOOP_WORKTREE"]), Path(os.environ["SAMOLOOP_SESSION_DIR"])
    wait_for(worktree / "begin")
    plan = json.loads((worktree / "attempts.json").read_text())
    control = (session / "_history.jsonl").readlink().parent
    told = {"WORKTREE": str(worktree), "SESSION": str(session), "NAME": session.name, "CONTROL": str(control)}
    told.update(plan["told"])
    said = {name: attempt(does, {**os.environ, **told}, worktree) for name, does in plan["attempts"].items()}
    (worktree / "results.tmp").write_text(json.dumps({"told": told, "said": said}))
    (worktree / "results.tmp").rename(worktree / "results.json")
    wait_for(worktree / "looked")
    Path(os.environ["SAMOLOOP_SIGNAL"]).write_text(json.dumps({"status": "blocked", "reason": "all was tried"}))


def attempt(does: str, environ: "dict[str, str]", worktree: Path) -> str:
    """What it said. To a file, because what it leaves behind may hold a pipe for ever."""
    with tempfile.TemporaryFile() as output:
        shell = subprocess.Popen(
            ["sh", "-c", does],
            cwd=worktree,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            shell.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, signal.SIGKILL)
            output.write(b"it took too long")
        output.seek(0)
        return output.read(10000).decode(errors="replace")[-3000:]


def wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.02)


main()
