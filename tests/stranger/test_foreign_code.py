"""Git that the worker runs starts no program that a child named, in whatever part of git's configuration."""

import json
from pathlib import Path

import pytest
from kit import GOOD_CHILD, git, samoloop, scripted_project

PROGRAM = '#!/bin/sh\necho "$0 $*" >> "$(dirname "$0")/ran"\ncat\n'
SET = "git -C $SAMOLOOP_WORKTREE config"
ATTRIBUTES = "echo 'hello.txt filter=x diff=x' >> $SAMOLOOP_WORKTREE/.gitattributes"
HERE = "cd $SAMOLOOP_WORKTREE; "
FILTERS = {
    "clean": f"{SET} filter.x.clean $program",
    "smudge": f"{SET} filter.x.smudge $program",
    "process": f"{SET} filter.x.process $program; {SET} filter.x.required true",
    "in the person's file": "git config --global filter.x.clean $program",
    "in an included file": f"git config --file $here/more filter.x.clean $program; {SET} include.path $here/more",
    "of the worktree": f"{SET} extensions.worktreeConfig true; {SET} --worktree filter.x.clean $program",
    "with an odd name": f"{SET} 'filter.x=y.clean' $program; {HERE} sed -i s/filter=x/filter=x=y/ .gitattributes",
    "another command": f"{SET} filter.mine.clean $program; {HERE} sed -i s/filter=x/filter=mine/ .gitattributes",
}
OTHERS = {
    "textconv": f"{SET} diff.x.textconv $program",
    "a diff of its own": f"{SET} diff.x.command $program; {SET} diff.external $program",
    "a signature": f"{SET} commit.gpgSign true; {SET} gpg.program $program; {SET} log.showSignature true",
    "hooks": f"{SET} core.hooksPath $here/hooks; mkdir $here/hooks; cp $program $here/hooks/post-checkout; "
    "cp $program $here/hooks/reference-transaction; cp $program $here/hooks/post-index-change",
    "a monitor": f"{SET} core.fsmonitor $program",
    "an editor and a pager": f"{SET} core.editor $program; {SET} core.pager $program",
}


def project(tmp_path: Path, deed: str) -> Path:
    """A project whose child does the deed in `implementation`, once, and where a filter of the person's is at work."""
    child = f"""
if [ $SAMOLOOP_PHASE = implementation ] && mkdir {tmp_path}/did 2>/dev/null; then
  here={tmp_path} program={tmp_path}/program
  echo changed > $SAMOLOOP_WORKTREE/hello.txt
  {ATTRIBUTES}
  {deed}
fi
{GOOD_CHILD}
"""
    root = scripted_project(tmp_path, child)
    (tmp_path / "program").write_text(PROGRAM)
    (tmp_path / "program").chmod(0o755)
    git(root, "config", "filter.mine.clean", "sed s/code/CODE/")
    (root / ".gitattributes").write_text("feature.txt filter=mine\n")
    git(root, "add", ".gitattributes")
    git(root, "commit", "--quiet", "-m", "Second")
    return root


def status(root: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(samoloop(root, "status", "a", "--json").stdout)
    return found


@pytest.mark.parametrize("deed", FILTERS.values(), ids=FILTERS)
def test_a_filter_that_a_child_named_does_not_run_and_a_human_is_asked(tmp_path: Path, deed: str):
    root = project(tmp_path, deed)
    run = samoloop(root, "run", "Task", "--session", "a", "--yes")
    assert run.returncode == 4 and "samoloop runs no program that it did not name then: " in run.stdout, run.stdout
    for iteration in ("3", "5"):
        assert samoloop(root, "rewind", "a", iteration).returncode == 0
    assert "(filter." in samoloop(root, "up", "--once").stdout  # nobody is there to say yes
    assert not (tmp_path / "ran").exists()
    resumed = samoloop(root, "resume", "a", "--yes")
    assert "git's configuration names another program: filter." in resumed.stdout
    assert resumed.returncode == 0 or "process" in deed, resumed.stdout  # what a person agrees to does run


def test_what_was_put_back_is_no_longer_in_the_way(tmp_path: Path):
    root = project(tmp_path, FILTERS["clean"])
    assert samoloop(root, "run", "Task", "--session", "a", "--yes").returncode == 4
    git(root, "config", "--unset", "filter.x.clean")
    resumed = samoloop(root, "resume", "a", "--yes")
    assert resumed.returncode == 0 and "another program" not in resumed.stdout
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("deed", OTHERS.values(), ids=OTHERS)
def test_no_other_program_of_git_s_configuration_runs(tmp_path: Path, deed: str):
    root = project(tmp_path, deed)
    run = samoloop(root, "run", "Task", "--session", "a", "--yes")
    assert run.returncode == 0, run.stdout + run.stderr
    for words in (
        ["diff", "a"],
        ["diff", "a", "-n", "5"],
        ["rewind", "a", "3"],
        ["rewind", "a", "6"],
        ["archive", "a"],
    ):
        samoloop(root, *words)
    assert not (tmp_path / "ran").exists()


def test_a_filter_of_the_person_s_goes_on_to_work(tmp_path: Path):
    root = project(tmp_path, "true")
    assert samoloop(root, "run", "Task", "--session", "a", "--yes").returncode == 0
    assert git(root, "show", f"{status(root)['branch']}:feature.txt") == "CODE"


def test_in_place_no_filter_runs_at_all(tmp_path: Path):
    root = project(tmp_path, FILTERS["in the person's file"].replace("--global filter.x", "--global filter.mine"))
    assert samoloop(root, "run", "Task", "--session", "a", "--in-place", "--yes").returncode == 0
    assert samoloop(root, "rewind", "a", "3").returncode == 0
    assert not (tmp_path / "ran").exists()
