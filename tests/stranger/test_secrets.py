"""What a child can read of the worker beside it: no secret of the person's."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from kit import GOOD_CHILD, samoloop, scripted_project, until

TOKEN, KEY = "7000000001:AAE-stand-in-token-that-must-never-be-shown_0", "another-secret"
SECRETS = {"TELEGRAM_BOT_TOKEN": TOKEN, "DEPLOY_KEY": KEY, "PLAIN": "for all"}
# Everything that /proc shows of the environment of every process between the child and the test.
READ = """
pid=$$
while [ "$pid" -gt 1 ] && [ "$pid" != "$TESTS" ]; do
  cat /proc/$pid/environ; pid=$(sed 's/.*) . \\([0-9]*\\).*/\\1/' /proc/$pid/stat)
done > "$(dirname "$0")/read.$$"
"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="nothing shows it here")


def project(tmp_path: Path) -> Path:
    root = scripted_project(tmp_path, READ + GOOD_CHILD)
    settings = json.loads((root / ".samoloop.yaml").read_text())
    (root / ".samoloop.yaml").write_text(json.dumps({**settings, "scrub": ["DEPLOY_*"]}))
    return root


def read(tmp_path: Path) -> str:
    found = [path.read_bytes() for path in tmp_path.glob("read.*")]
    assert found
    return b"".join(found).decode(errors="replace")


@pytest.mark.parametrize("words", [["--no-wait"], ["--no-wait", "--detach"]], ids=["here", "in the background"])
def test_the_environment_of_the_worker_shows_no_secret_to_its_child(tmp_path: Path, words: list[str]):
    root = project(tmp_path)
    env = {**SECRETS, "TESTS": str(os.getpid())}
    assert samoloop(root, "run", "Task", "--session", "a", *words, env=env).returncode in (0, 3)
    until(lambda: json.loads(samoloop(root, "status", "a", "--json").stdout)["gate"])
    seen = read(tmp_path)
    assert "for all" in seen and "SAMOLOOP_MARKER" in seen
    assert TOKEN not in seen and KEY not in seen


def test_a_process_that_hides_a_secret_keeps_it_and_hands_it_on():
    code = (
        "import os, sys; from samoloop.children.processes import hide_environment; hide_environment(['TELEGRAM_*']);"
        "print(os.environ['TELEGRAM_BOT_TOKEN'], flush=True); os.system('echo $TELEGRAM_BOT_TOKEN'); sys.stdin.read()"
    )
    pipe, env = subprocess.PIPE, {**os.environ, **SECRETS}
    with subprocess.Popen([sys.executable, "-c", code], env=env, stdin=pipe, stdout=pipe) as process:
        assert process.stdout and [process.stdout.readline() for _ in range(2)] == [TOKEN.encode() + b"\n"] * 2
        shown = Path(f"/proc/{process.pid}/environ").read_bytes()
        assert TOKEN.encode() not in shown and b"PLAIN=for all" in shown
        process.communicate()


@pytest.mark.parametrize("command", ["up", "relay"])
def test_what_runs_for_long_beside_children_shows_no_secret(tmp_path: Path, command: str):
    config = Path(os.environ["HOME"], ".config", "samoloop", "config.yaml")
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("telegram: {chat: 1, base_url: 'http://127.0.0.1:9/bot'}\n")  # nobody is there
    words, env = [sys.executable, "-m", "samoloop", command], {**os.environ, **SECRETS}
    with subprocess.Popen(words, cwd=project(tmp_path), env=env, stdout=subprocess.DEVNULL) as process:
        environ = Path(f"/proc/{process.pid}/environ")
        try:
            until(lambda: b"PLAIN=for all" in (shown := environ.read_bytes()) and TOKEN.encode() not in shown)
        finally:
            process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="workers are started by exec")
def test_neither_a_worker_of_up_nor_what_it_is_forked_from_shows_a_secret(tmp_path: Path):
    root = project(tmp_path)
    assert samoloop(root, "add", "Task").returncode == 0
    with subprocess.Popen([sys.executable, "-m", "samoloop", "up"], cwd=root, env={**os.environ, **SECRETS}) as up:
        try:
            below = Path(f"/proc/{up.pid}/task/{up.pid}/children")
            until(lambda: list(tmp_path.glob("read.*")))
            shown = b"".join(Path(f"/proc/{pid}/environ").read_bytes() for pid in below.read_text().split())
            assert b"PLAIN=for all" in shown and TOKEN.encode() not in shown
        finally:
            up.kill()
