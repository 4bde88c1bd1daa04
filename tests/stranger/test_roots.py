"""A child puts something else in the place of a folder that the worker acts in: no byte of the person's changes."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit import GOOD_CHILD, git, make_repo, samoloop, scripted_project

# What a child does once; `$outside` is a folder of the person's, with a repository of theirs in `repo`.
WORKTREES = {
    "the worktree a link to another repository": 'mv "$tree" "$tree.old"; ln -s "$outside/repo" "$tree"',
    "the worktree a link to the main checkout": 'mv "$tree" "$tree.old"; ln -s "$main" "$tree"',
    "the worktree another repository": 'swap "$tree" "$outside/repo"',
    "the folder of the worktrees a link": 'link "$(dirname "$tree")" "$outside/.."',
    "the repository a link": 'mv "$main/.git" "$outside/../git"; ln -s "$outside/repo/.git" "$main/.git"',
    "the branches a link": 'link "$main/.git/refs/heads/samoloop" "$outside/.."',
    "the log of the branch a link": 'ln -sf $outside/docs/thesis.tex "$main/.git/logs/refs/heads/samoloop/a"',
    "the log of the branch a hard link": 'ln -f $outside/docs/thesis.tex "$main/.git/logs/refs/heads/samoloop/a"',
    "the checkpoints a link": 'link "$main/.git/refs/samoloop/sessions" "$outside/.."',
    "what git knows of worktrees a link": 'link "$main/.git/worktrees" "$outside/.."',
}
CONTROLS = {
    "the control folder a link": 'link "$control" "$outside/.."',
    "the control folder a link to another": 'mv "$control" "$control.old"; ln -s "$outside/docs" "$control"',
    "all control folders a link": 'link "$(dirname "$control")" "$outside/.."',
}
SESSIONS = {
    "the session a link": 'mv "$SAMOLOOP_SESSION_DIR" "$outside/../s"; ln -s "$outside/docs" "$SAMOLOOP_SESSION_DIR"',
    "the session another folder": 'swap "$SAMOLOOP_SESSION_DIR" "$outside/docs"',
}
# These are mended, and the session comes to its end.
HARMLESS = {
    "HEAD a link": 'mv "$known/HEAD" "$outside/../HEAD"; ln -s "$outside/docs/thesis.tex" "$known/HEAD"',
    "the index a link": 'rm "$known/index"; ln -s "$outside/repo/.git/index" "$known/index"',
    "the log a hard link": 'ln -f "$outside/docs/thesis.tex" "$known/logs/HEAD"',
    "the locks hard links": 'for name in _wake _child.lock; do ln -f "$outside/docs/thesis.tex" "$control/$name"; done',
    "no text": 'printf "gitdir: /x\\0y" > "$known/commondir"; printf "\\0" > "$known/gitdir"',
    "the logs a link": 'mv "$control/_logs" "$control/moved"; ln -s "$outside/docs" "$control/_logs"',
    "the log a link": 'rm -r "$known/logs"; ln -s "$outside/docs" "$known/logs"',
    "another repository's branches": 'echo "$outside/repo/.git" > "$known/commondir"',
    "what git knows of this one a link": 'mv "$known" "$outside/../known"; ln -s "$outside/repo/.git" "$known"',
}


def content(folder: Path) -> Iterator[tuple[str, bytes | str]]:
    """All that is below a folder, links not followed; a repository's index is made anew by whoever looks."""
    for where, folders, files in os.walk(folder):
        for name in folders + files:
            path = Path(where, name)
            if path.is_symlink():
                yield str(path.relative_to(folder)), f"-> {path.readlink()}"
            elif path.is_file() and name != "index":
                yield str(path.relative_to(folder)), path.read_bytes()


def outside(tmp_path: Path) -> Path:
    """What is the person's and no child's."""
    folder = tmp_path / "outside"
    make_repo(folder / "repo")
    (folder / "repo" / "wip.txt").write_text("unsaved\n")
    (folder / "docs").mkdir()
    (folder / "docs" / "thesis.tex").write_text("years of work\n")
    return folder


def child(tmp_path: Path, phase: str, deed: str) -> str:
    """A good child that does this once, before its ordinary act."""
    return f"""outside={tmp_path}/outside; tree=$SAMOLOOP_WORKTREE; main={tmp_path}/repo
known=$main/.git/worktrees/$(basename "$tree"); control=$(dirname "$(readlink "$SAMOLOOP_SESSION_DIR/_history.jsonl")")
link() {{ mv "$1" "$2/moved"; ln -s "$2/moved" "$1"; }}  # the same content, behind a link
swap() {{ mv "$1" "$1.old"; mv "$2" "$1"; ln -s "$1" "$2"; }}  # a folder of the person's in this one's place
if [ $SAMOLOOP_PHASE = {phase} ] && mkdir {tmp_path}/did 2>/dev/null; then {deed}; fi
{GOOD_CHILD}"""


def everything(root: Path) -> str:
    """All that a person would try next, and what it said."""
    tries = (["resume", "a", "--yes"], ["rewind", "a", "2"], ["fork", "a", "2", "--session", "b"], ["up", "--once"])
    said = [samoloop(root, *words) for words in (*tries, ["archive", "a", "--force"], ["list"], ["status", "a"])]
    text = "".join(done.stdout + done.stderr for done in said)
    assert "Traceback" not in text and "fault of samoloop" not in text
    return text


@pytest.mark.parametrize("deed", WORKTREES.values(), ids=WORKTREES)
def test_nothing_is_touched_in_a_folder_that_is_not_the_worktree(tmp_path: Path, deed: str) -> None:
    yours = outside(tmp_path)
    root = scripted_project(tmp_path, child(tmp_path, "planning", deed))
    said = samoloop(root, "run", "Task", "--session", "a", "--yes")
    before = dict(content(yours))
    assert said.returncode == 4 and "nothing was touched there" in said.stdout, said.stdout + said.stderr
    assert "nothing was touched there" in everything(root)
    assert dict(content(yours)) == before
    [row] = [row for row in json.loads(samoloop(root, "list", "--json").stdout) if row["session"].endswith("-a")]
    assert row["condition"] == "blocked"


@pytest.mark.parametrize("deed", SESSIONS.values(), ids=SESSIONS)
def test_nothing_is_touched_in_a_folder_that_is_not_the_session(tmp_path: Path, deed: str) -> None:
    yours = outside(tmp_path)
    before = dict(content(yours))
    root = scripted_project(tmp_path, child(tmp_path, "planning", deed + "; exit 0"))
    said = samoloop(root, "run", "Task", "--session", "a", "--yes")
    assert said.returncode == 4 and "nothing was touched there" in said.stdout, said.stdout + said.stderr
    thesis = yours / "docs" / "thesis.tex"
    files = sorted(path.name for path in (yours / "docs").iterdir())
    assert "nothing was touched there" in everything(root)
    assert thesis.read_text() == "years of work\n" and sorted(path.name for path in (yours / "docs").iterdir()) == files
    assert files == ["thesis.tex"]
    changed = {name for name, data in content(yours) if before.get(name) != data}
    assert changed <= {"docs"}


@pytest.mark.parametrize("deed", CONTROLS.values(), ids=CONTROLS)
def test_a_control_folder_that_is_a_link_is_not_followed(tmp_path: Path, deed: str) -> None:
    yours = outside(tmp_path)
    before = dict(content(yours))
    root = scripted_project(tmp_path, child(tmp_path, "planning", deed))
    said = samoloop(root, "run", "Task", "--session", "a", "--yes")
    assert said.returncode == 2 and "is a link to" in said.stderr, said.stdout + said.stderr
    assert "put back the folder that it was" in everything(root)
    assert dict(content(yours)) == before


@pytest.mark.parametrize("deed", HARMLESS.values(), ids=HARMLESS)
def test_git_files_that_lead_elsewhere_are_mended(tmp_path: Path, deed: str) -> None:
    yours = outside(tmp_path)
    before = dict(content(yours))
    index = (yours / "repo" / ".git" / "index").read_bytes()
    root = scripted_project(tmp_path, child(tmp_path, "planning", deed))
    said = samoloop(root, "run", "Task", "--session", "a", "--yes")
    assert said.returncode == 0, said.stdout + said.stderr
    assert git(root, "show", "samoloop/a:feature.txt") == "code"
    everything(root)
    assert dict(content(yours)) == before and (yours / "repo" / ".git" / "index").read_bytes() == index


def test_a_worktree_that_is_moved_away_is_made_anew(tmp_path: Path) -> None:
    outside(tmp_path)
    root = scripted_project(tmp_path, child(tmp_path, "implementation", WORKTREES["the worktree another repository"]))
    said = samoloop(root, "run", "Task", "--session", "a", "--yes")
    assert said.returncode == 4 and "Move " in said.stdout, said.stdout
    [row] = json.loads(samoloop(root, "list", "--json").stdout)
    (root / ".samoloop" / "worktrees" / row["session"]).rename(tmp_path / "looked-at")
    said = samoloop(root, "resume", "a", "--yes")
    assert said.returncode == 0, said.stdout + said.stderr


def test_a_worktree_is_not_made_anew_behind_a_link(tmp_path: Path) -> None:
    yours = outside(tmp_path)
    before = dict(content(yours))
    deed = 'all=$(dirname "$tree"); mv "$all" "$all.old"; ln -s "$outside/docs" "$all"'
    root = scripted_project(tmp_path, child(tmp_path, "planning", deed))
    said = samoloop(root, "run", "Task", "--session", "a", "--yes")
    assert said.returncode == 4 and "is reached through a link" in said.stdout, said.stdout + said.stderr
    everything(root)
    assert dict(content(yours)) == before


def test_a_worktree_that_was_half_made_is_none_yet(tmp_path: Path) -> None:
    """A killed `git worktree add` leaves one that is made anew."""
    root = scripted_project(tmp_path, GOOD_CHILD)
    settings = json.loads((root / ".samoloop.yaml").read_text())
    (root / ".samoloop.yaml").write_text(json.dumps(settings | {"setup": f"test -e {tmp_path}/well"}))
    assert samoloop(root, "run", "Task", "--session", "a", "--no-wait").returncode == 5
    [known] = (root / ".git" / "worktrees").iterdir()
    (known / "index").unlink()
    (tmp_path / "well").touch()
    [tree] = [path for path in (root / ".samoloop" / "worktrees").iterdir() if path.is_dir()]
    keep = tree.rename(tmp_path / "kept")  # so that the new one gets another inode
    tree.mkdir()
    said = samoloop(root, "resume", "a", "--no-wait")
    assert said.returncode == 3 and keep.is_dir(), said.stdout + said.stderr
    said = samoloop(root, "resume", "a", "--yes")
    assert said.returncode == 0, said.stdout + said.stderr


def test_a_person_says_that_the_folders_are_right(tmp_path: Path) -> None:
    root = scripted_project(tmp_path, GOOD_CHILD)
    samoloop(root, "run", "Task", "--session", "a", "--no-wait")
    [row] = json.loads(samoloop(root, "list", "--json").stdout)
    folder = Path(row["folder"])
    folder.rename(tmp_path / "backup")
    folder.mkdir()
    for path in (tmp_path / "backup").iterdir():
        path.rename(folder / path.name)
    said = samoloop(root, "resume", "a", "--yes")
    assert said.returncode != 0 and "samoloop repair" in said.stderr, said.stdout + said.stderr
    said = samoloop(root, "repair", "a")
    assert said.returncode == 0 and f"the session folder is {folder}" in said.stdout, said.stdout + said.stderr
    assert samoloop(root, "resume", "a", "--yes").returncode == 0
    assert "Nothing had changed" in samoloop(root, "repair", "a").stdout


def test_rewind_leaves_alone_what_lies_behind_a_link_in_the_worktree(tmp_path: Path) -> None:
    yours = outside(tmp_path)
    deeds = """
if [ $SAMOLOOP_PHASE = implementation ]; then mkdir "$tree/data"; echo mine > "$tree/data/thesis.tex"; fi
if [ $SAMOLOOP_PHASE = testing ] && mkdir "$outside/../linked" 2>/dev/null; then
  rm -r "$tree/data"; echo /data > "$tree/.gitignore"; ln -s "$outside/docs" "$tree/data"
fi
"""
    root = scripted_project(tmp_path, child(tmp_path, "never", ":").replace(GOOD_CHILD, deeds + GOOD_CHILD))
    assert samoloop(root, "run", "Task", "--session", "a", "--yes").returncode == 0
    said = samoloop(root, "rewind", "a", "5")
    assert said.returncode == 0 and "moved out of the way" in said.stdout, said.stdout + said.stderr
    assert (yours / "docs" / "thesis.tex").read_text() == "years of work\n"
    [row] = json.loads(samoloop(root, "list", "--json").stdout)
    assert (root / ".samoloop" / "worktrees" / row["session"] / "data" / "thesis.tex").read_text() == "mine\n"
