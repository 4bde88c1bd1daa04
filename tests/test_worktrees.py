"""A worktree that is gone is made again, whatever the session waits for, with what the first one had."""

import json
import shutil
from pathlib import Path

import pytest
from kit import GOOD_CHILD, Bench, git, make_repo, samoloop, script

from samoloop.core.session import Session
from samoloop.worker.worktrees import mend_worktree

SEES = """
[ "$SAMOLOOP_PHASE" = requirements ] && cat "$SAMOLOOP_WORKTREE/.env" "$SAMOLOOP_WORKTREE/made" > seen 2>&1
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A project that needs an ignored file and a setup command."""
    bench = Bench(make_repo(tmp_path / "repo"), script(tmp_path, SEES + GOOD_CHILD))
    (bench.root / ".gitignore").write_text(".env\nmade\n")
    (bench.root / ".worktreeinclude").write_text(".env\n")
    git(bench.root, "add", ".")
    git(bench.root, "commit", "-qm", "Ignore")
    (bench.root / ".env").write_text("KEY=1\n")
    return bench


def use(bench: Bench, **more: object) -> None:
    settings = {"provider": "scripted", "providers": {"scripted": {"command": [str(bench.child)]}}, **more}
    (bench.root / ".samoloop.yaml").write_text(json.dumps(settings))


def begin(bench: Bench, **more: object) -> Session:
    """A session at its first gate, with its worktree removed."""
    use(bench, setup="echo installed > made", **more)
    assert samoloop(bench.root, "run", "Do it", "--session", "x", "--no-wait").returncode == 3
    session = Session(next((bench.root / "_sessions").glob("*-x")))
    assert (session.dir / "seen").read_text() == "KEY=1\ninstalled\n"
    return session


@pytest.mark.parametrize("commit", [True, False])
def test_a_session_at_a_gate_goes_on_with_a_worktree_that_was_made_again(bench, commit):
    session = begin(bench, commit=commit)
    shutil.rmtree(session.worktree)
    (session.dir / "seen").unlink()
    done = samoloop(bench.root, "resume", "x", "--no-wait")
    assert done.returncode == 3, done.stderr
    assert session.worktree.exists() is commit  # without commits only the next child needs it
    assert samoloop(bench.root, "answer", "x", "--suggested").returncode == 0
    assert samoloop(bench.root, "resume", "x", "--no-wait").returncode == 3
    assert (session.dir / "seen").read_text() == "KEY=1\ninstalled\n"
    prompts = [path.read_text() for path in sorted((session.dir / "_logs").glob("*.prompt.md"))]
    told = [prompt for prompt in prompts if "copied by .worktreeinclude: .env; the setup command ran" in prompt]
    assert told == [prompts[2]]
    assert "folder was removed" in (session.dir / "_report.md").read_text()


def test_the_childs_own_removal_is_mended_too(bench):
    bench.child = script(
        bench.root.parent, '[ "$SAMOLOOP_PHASE" = investigation ] && rm -rf "$SAMOLOOP_WORKTREE"' + SEES + GOOD_CHILD
    )
    begin(bench)


def test_one_that_was_found_before_is_looked_at_anew(bench):
    worker = bench.worker(begin(bench))
    shutil.rmtree(worker.worktree.root)
    assert "it was made again" in mend_worktree(worker)[0]
    assert worker.worktree.root.is_dir()


def test_a_fork_has_the_ignored_files_too(bench):
    session = begin(bench)
    assert samoloop(bench.root, "fork", "x", "1", "--session", "y").returncode == 0
    assert samoloop(bench.root, "resume", "y", "--no-wait").returncode == 3
    fork = Session(next((bench.root / "_sessions").glob("*-y")))
    assert fork.worktree != session.worktree
    assert (fork.dir / "seen").read_text() == "KEY=1\ninstalled\n"


def test_a_setup_that_fails_is_run_again_by_the_next_resume(bench):
    session = begin(bench)
    shutil.rmtree(session.worktree)
    use(bench, setup="false")
    samoloop(bench.root, "answer", "x", "--suggested")
    done = samoloop(bench.root, "resume", "x", "--no-wait")
    assert done.returncode not in (0, 3) and "setup" in done.stderr + done.stdout
    use(bench, setup="echo installed > made")
    (session.dir / "seen").unlink()
    assert samoloop(bench.root, "resume", "x", "--no-wait").returncode == 3
    assert (session.dir / "seen").read_text() == "KEY=1\ninstalled\n"


def test_a_file_whose_name_is_not_utf_8_is_put_back_and_reported(bench):
    """Also one that is left out: its name is in the journal."""
    odd = 'name=$(printf "caf\\351"); echo x > "$SAMOLOOP_WORKTREE/$name.txt"; git init -q "$SAMOLOOP_WORKTREE/$name"'
    bench.child = script(bench.root.parent, odd + SEES + GOOD_CHILD)
    session = begin(bench)
    report = (session.dir / "_report.md").read_text()
    assert "nothing in the project: caf?.txt was put back" in report and "a git repository of its own" in report
