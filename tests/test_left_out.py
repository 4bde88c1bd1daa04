"""What a person puts into a file for a gate gets into no commit and no checkpoint, and no way back loses it."""

import json
import subprocess
from pathlib import Path

import pytest
from kit import Bench, git, make_repo, samoloop, script

from samoloop.core.session import Session

SECRET = "hunter2"
ASKS = """
case $SAMOLOOP_ITERATION in
1) mkdir -p "$SAMOLOOP_WORKTREE/config"; echo "{}" > "$SAMOLOOP_WORKTREE/config/keys.json"; echo "{}" > keys.json
   signal '{"status": "waiting", "for": "file_update", "file": "NAME", "reason": "the key"}';;
2) echo code > "$SAMOLOOP_WORKTREE/code.txt"; git -C "$SAMOLOOP_WORKTREE" add --all; next exec;;
3) echo more > "$SAMOLOOP_WORKTREE/more.txt"; next exec;;
*) signal '{"status": "blocked", "reason": "enough"}';;
esac
"""


def commits_with_the_secret(repository: Path) -> list[str]:
    """Commits that any ref reaches, checkpoints too, with the secret in one of their files."""
    commits = git(repository, "rev-list", "--all").split()
    assert len(commits) > 5
    found = subprocess.run(["git", "grep", "-l", SECRET, *commits], cwd=repository, capture_output=True, text=True)
    return found.stdout.splitlines()


@pytest.mark.parametrize("name", ["config/keys.json", "keys.json"])
def test_a_file_that_a_gate_names_is_in_no_commit(tmp_path: Path, name: str) -> None:
    bench = Bench(make_repo(tmp_path / "repo"), script(tmp_path, ASKS.replace("NAME", name)))
    settings = {"provider": "scripted", "providers": {"scripted": {"command": [str(bench.child)]}}}
    (bench.root / ".samoloop.yaml").write_text(json.dumps(settings))
    assert samoloop(bench.root, "run", "--workflow", "exec", "Do it", "--session", "x", "--no-wait").returncode == 3
    session = Session(next((bench.root / "_sessions").glob("*-x")))
    file = session.worktree / name if "/" in name else session.dir / name
    file.write_text(SECRET)
    assert samoloop(bench.root, "resume", "x", "--no-wait").returncode == 4
    assert git(session.worktree, "show", "HEAD:more.txt") == "more"
    assert commits_with_the_secret(bench.root) == []
    if "/" in name:
        assert (session.dir / "_report.md").read_text().count(f"{name}: a gate asked you for it") == 1
    assert f"updated {name}; do not commit it" in (session.dir / "_logs/002-exec.prompt.md").read_text()
    done = samoloop(bench.root, "rewind", "x", "2")
    assert done.returncode == 0, done.stderr
    kept = [path for path in (file, *session.logs.glob(f"aside-*/{name}")) if SECRET in path.read_text()]
    assert kept, "going back has lost what the person wrote"
    assert commits_with_the_secret(bench.root) == []
