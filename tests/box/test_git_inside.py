"""Git in the box: all that a child does on its branch works; nothing else of the repository moves."""

import json
import os
from pathlib import Path

from kit import git, samoloop, scripted_project

WORKS = """
set -e
cd "$SAMOLOOP_WORKTREE"
echo one > one.txt; git add one.txt; git commit -q -m One
echo two >> one.txt; git commit -q -a -m Two
git commit -q --amend -m "Two, better"
git mv one.txt two.txt; git commit -q -m Renamed
git reset -q --hard HEAD~1; git cherry-pick "HEAD@{1}" > /dev/null
git -c sequence.editor=true rebase -q -i HEAD~2
echo three > three.txt; git add three.txt; git diff --cached --quiet && exit 1; git reset -q; rm three.txt
git log --all --oneline > /dev/null; git status > /dev/null; git blame two.txt > /dev/null; git fsck > /dev/null
git init -q own; git -C own -c user.name=x -c user.email=x@y commit -q --allow-empty -m x; rm -rf own
git clone -q . "$TMPDIR/clone" 2> /dev/null || git clone -q . /tmp/clone
"""
REFUSED = (
    "branch -f trunk HEAD",
    "tag v1",
    "config user.name x",
    "pack-refs --all",
    "stash",
    "worktree add /tmp/w",
    "fetch . HEAD:refs/remotes/x/y",
)


def run(tmp_path: Path, deeds: str) -> tuple[Path, Path]:
    """A session whose child does it; gives the project and what the child said."""
    said = 'echo "$?" > "$SAMOLOOP_SESSION_DIR/code"'
    child = f'( {deeds}\n) > "$SAMOLOOP_SESSION_DIR/said" 2>&1; {said}\n'
    child += 'signal \'{"status": "blocked", "reason": "tried"}\'\n'
    root = scripted_project(tmp_path, child)
    git(root, "pack-refs", "--all")
    done = samoloop(root, "run", "Task", "--session", "a", "--no-wait")
    assert done.returncode == 4, done.stdout + done.stderr
    [session] = root.glob("_sessions/*-a")
    return root, session


def test_a_child_commits_amends_rebases_and_clones_on_its_branch(tmp_path: Path):
    Path(os.environ["HOME"], ".gitconfig").write_text("[user]\nname = Ada\nemail = ada@example.org\n")
    root, session = run(tmp_path, WORKS)
    assert (session / "code").read_text() == "0\n", (session / "said").read_text()
    log = git(root, "log", "--format=%s", "trunk..samoloop/a").splitlines()
    assert log[-3:] == ["Renamed", "Two, better", "One"]
    git(root, "fsck", "--strict")


def test_what_git_would_change_beside_the_branch_it_says_it_cannot_and_nothing_has_moved(tmp_path: Path):
    deeds = "\n".join(f'git {words}; echo "$? {words}"' for words in REFUSED)
    before = "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads/trunk", "refs/tags", "refs/stash"
    root, session = run(tmp_path, f'cd "$SAMOLOOP_WORKTREE"; echo x >> hello.txt\n{deeds}\ngit gc -q; true')
    said = (session / "said").read_text()
    assert not [words for words in REFUSED if f"\n0 {words}\n" in f"\n{said}"], said
    assert git(root, *before).count("\n") == 0 and "refs/heads/trunk" in git(root, *before)
    assert json.loads(samoloop(root, "status", "a", "--json").stdout)["reason"] == "tried"
    git(root, "fsck", "--strict")
