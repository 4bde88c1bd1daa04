"""Files that git-lfs keeps beside the commits, with the real git-lfs: each machine has their content."""

import shutil
from pathlib import Path

import pytest
from kit import GOOD_CHILD
from machines import Machine, make_fleet, remote_git
from test_alternating import acted_at_gate

from samoloop.core.decision import Condition

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("git-lfs"), reason="git-lfs is not installed"),
]

CHILD = (
    """
case $SAMOLOOP_PHASE in implementation|testing)
    mkdir -p "$SAMOLOOP_WORKTREE/assets"
    head -c 300000 /dev/urandom > "$SAMOLOOP_WORKTREE/assets/$SAMOLOOP_ITERATION.bin"
esac
"""
    + GOOD_CHILD
)


def test_large_files_that_a_child_commits_are_there_on_the_other_machine(tmp_path: Path) -> None:
    machines = make_fleet(tmp_path, CHILD)
    one = machines[0]
    for machine in machines:
        with machine.at_work():
            machine.git("lfs", "install", "--skip-repo")
    (one.root / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    with one.at_work():
        one.git("add", ".")
        one.git("commit", "--quiet", "-m", "Large files go to git-lfs")
        one.git("push", "--quiet", "origin", "HEAD")
    name = one.hand_in().name
    seen = 0
    for turn in range(40):
        machine = machines[turn % 2]
        session, said = machine.place(name)
        assert said == []
        seen += assets_are_whole(machine, session.worktree)
        if not acted_at_gate(machine, session):
            machine.iterate(session)
            machine.send(session, "iteration")
        with machine.at_work():
            if session.state().condition is Condition.DONE:
                break
    else:
        pytest.fail("it did not come to its end")
    assert seen > 2
    branch = session.branch
    names = remote_git(one, "ls-tree", "-r", "--name-only", branch, "assets/").splitlines()
    assert names
    for file in names:
        assert remote_git(one, "show", f"{branch}:{file}").startswith("version https://git-lfs.github.com/spec/v1")


def assets_are_whole(machine: Machine, worktree: Path) -> int:
    """How many there are, each with its content and not a pointer."""
    files = list(worktree.glob("assets/*.bin"))
    assert [file.name for file in files if file.stat().st_size != 300_000] == []
    return len(files)
