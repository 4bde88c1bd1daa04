"""A start that fits: a fetched base, a branch that is there, a look ahead, and one object for a script."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from kit import GOOD_CHILD, git, samoloop, script, scripted_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a scripted child."""
    return scripted_project(tmp_path, GOOD_CHILD)


@pytest.fixture
def shared(project: Path) -> Path:
    """The same with a remote that is one commit ahead, on a default branch called main."""
    remote, other = project.parent / "remote.git", project.parent / "other"
    git(project.parent, "clone", "--quiet", "--bare", str(project), str(remote))
    git(remote, "branch", "--move", "trunk", "main")
    git(remote, "symbolic-ref", "HEAD", "refs/heads/main")
    git(project, "remote", "add", "origin", str(remote))
    git(project.parent, "clone", "--quiet", str(remote), str(other))
    (other / "theirs.txt").write_text("theirs\n")
    git(other, "add", ".")
    git(other, "commit", "--quiet", "-m", "Theirs")
    git(other, "push", "--quiet", "origin", "main")
    return project


def nothing_made(root: Path) -> bool:
    return not list((root / "_sessions").glob("2*")) and git(root, "branch", "--list", "samoloop/*") == ""


def run(root: Path, *words: str, env: Mapping[str, str] | None = None) -> Any:
    return samoloop(root, "run", "Task", "--session", "a", "--no-wait", *words, env=env)


def standing(root: Path, name: str = "a") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(samoloop(root, "status", name, "--json").stdout)
    return found


# --- base: fetch ------------------------------------------------------------------------------------------------------


def test_the_first_line_says_from_where_the_work_starts(project: Path):
    head = git(project, "rev-parse", "--short", "HEAD")
    done = run(project)
    first = f"branch samoloop/a from {head} (First, trunk); 1 uncommitted file is not in it"
    assert done.stdout.splitlines()[0] == first and done.stdout.count("branch samoloop/a from") == 1


@pytest.mark.parametrize("by", ["flag", "setting"])
def test_a_session_starts_from_what_the_remote_has_now(shared: Path, by: str):
    settings = json.loads((shared / ".samoloop.yaml").read_text())
    if by == "setting":
        (shared / ".samoloop.yaml").write_text(json.dumps({**settings, "base": "fetch"}))
    git(shared, "commit", "--quiet", "--allow-empty", "-m", "Mine, not pushed")
    done = run(shared, *(["--base", "fetch"] if by == "flag" else []))
    tip = git(shared.parent / "remote.git", "rev-parse", "main")
    first = f"branch samoloop/a from {tip[:7]} (Theirs, origin/main, just fetched, without a commit of your checkout)"
    assert done.returncode == 3 and done.stdout.splitlines()[0].startswith(first), done.stdout + done.stderr
    found = standing(shared)
    assert found["base"] == tip and (Path(found["worktree"]) / "theirs.txt").read_text() == "theirs\n"
    assert git(shared, "rev-parse", "origin/main") == tip and not (shared / ".git" / "FETCH_HEAD").exists()


@pytest.mark.parametrize("remote", ["", "/nowhere/at/all.git", "ext::touch ran", "https://me:secret@127.0.0.1:9/x"])
def test_a_fetch_that_fails_is_said_before_anything_is_made(project: Path, remote: str):
    if remote:
        git(project, "remote", "add", "origin", remote)
    done = run(project, "--base", "fetch")
    assert done.returncode == 2 and nothing_made(project) and done.stdout == ""
    wanted = "Fetching from origin failed, so nothing was started" if remote else "has no remote: add one with"
    assert wanted in done.stderr and "--base HEAD" in done.stderr and "secret" not in done.stderr
    assert not list(project.parent.rglob("ran"))


def test_a_look_ahead_fetches_nothing(shared: Path):
    before = git(shared, "for-each-ref")
    done = run(shared, "--base", "fetch", "--dry-run")
    assert done.returncode == 0 and "(to be fetched)" in done.stdout and git(shared, "for-each-ref") == before


# --- branch -----------------------------------------------------------------------------------------------------------


def test_a_session_works_on_a_branch_that_is_there_and_leaves_it(project: Path):
    git(project, "branch", "mine")
    done = run(project, "--branch", "mine", "--yes")
    assert done.returncode == 0 and done.stdout.startswith("branch mine from "), done.stdout + done.stderr
    assert standing(project)["branch"] == "mine"
    assert git(project, "ls-tree", "--name-only", "mine").splitlines() == ["feature.txt", "hello.txt"]
    assert samoloop(project, "rewind", "a", "0").returncode == 0
    assert git(project, "rev-parse", "mine") == git(project, "rev-parse", "trunk")
    assert samoloop(project, "archive", "a", "--force").returncode == 0
    assert git(project, "branch", "--list", "--format=%(refname:short)").splitlines() == ["mine", "trunk"]


def test_a_branch_that_cannot_be_worked_on_is_refused_with_a_sentence(project: Path):
    for name in ("main", "taken", "mine"):
        git(project, "branch", name)
    there = project.parent / "there"
    git(project, "worktree", "add", "--quiet", str(there), "taken")
    git(project, "update-ref", "refs/remotes/origin/far", "HEAD")
    for name, words in {
        "trunk": "is checked out in",
        "taken": f"is checked out in {there}",
        "main": "is the default branch",
        "far": "make it with `git branch far origin/far`",
        "nope": "There is no branch 'nope'",
        "-f": "There is no branch '-f'",
    }.items():
        done = run(project, f"--branch={name}")
        assert (done.returncode, done.stdout) == (2, "") and words in done.stderr, done.stderr
    for more in (["--base", "HEAD"], ["--in-place"]):
        assert "do not go together" in run(project, "--branch", "mine", *more).stderr
    (there / "hello.txt").write_text("other\n")
    git(there, "commit", "--quiet", "-am", "Other")
    (project / "hello.txt").write_text("else\n")
    git(project, "commit", "--quiet", "-am", "Else")
    with pytest.raises(subprocess.CalledProcessError):  # a conflict: HEAD is at no branch now, and git uses it
        git(there, "rebase", "trunk")
    assert f"is checked out in {there}" in run(project, "--branch", "taken").stderr
    assert nothing_made(project)


def test_a_second_session_on_a_branch_is_refused_until_the_first_is_over_and_archived(project: Path):
    git(project, "branch", "mine")
    assert run(project, "--branch", "mine").returncode == 3
    worktree, second = Path(standing(project)["worktree"]), ["run", "Other", "--session", "b", "--branch", "mine"]
    git(worktree, "switch", "--quiet", "--detach")  # as a child may
    done = samoloop(project, *second)
    assert done.returncode == 2 and "works on mine: go on with `samoloop resume" in done.stderr
    git(worktree, "switch", "--quiet", "mine")
    assert samoloop(project, "resume", "a", "--yes").returncode == 0
    assert "has mine: `samoloop archive" in samoloop(project, *second).stderr
    assert samoloop(project, "archive", "a").returncode == 0
    assert samoloop(project, *second, "--no-wait").returncode == 3


# --- a look ahead -----------------------------------------------------------------------------------------------------


def test_a_look_ahead_says_what_earlier_sessions_took(project: Path):
    assert "earlier   no earlier session of this shape" in run(project, "--dry-run").stdout
    assert run(project, "--yes").returncode == 0
    said = run(project, "--dry-run").stdout
    assert "earlier   1 feature session of this project took: 8 iterations, " in said and "cost unknown" in said
    assert "no earlier session" in run(project, "--dry-run", "--until", "planning").stdout
    (project.parent / "elsewhere").mkdir()
    other = scripted_project(project.parent / "elsewhere", GOOD_CHILD)
    told = json.loads(run(other, "--dry-run", "--json").stdout)["earlier"]
    assert (told["sessions"], told["of"]) == (1, "all projects")
    assert told["iterations"] == {"median": 8, "low": 8, "high": 8} and told["cost_usd"] is None


def test_a_look_ahead_needs_no_cli(project: Path):
    done = run(project, "--provider", "claude", "--dry-run", env={"CLAUDE_PATH": "/nowhere/claude"})
    assert done.returncode == 0 and "earlier   " in done.stdout and "missing   " in done.stdout


# --- one event a line -------------------------------------------------------------------------------------------------


def test_a_script_gets_one_event_a_line_and_nothing_else_on_standard_output(project: Path):
    waits = run(project, "--json")
    *events, found = map(json.loads, waits.stdout.splitlines())
    assert [event["event"] for event in events if event["event"] != "said"] == [
        *("announced", "started", "ended", "started", "ended", "announced"),
    ]
    assert {event["session"] for event in events} == {found["session"]}
    ended = [event for event in events if event["event"] == "ended"]
    assert [event["phase"] for event in ended] == ["investigation", "requirements"]
    assert events[-1]["kind"] == "questions" and "branch samoloop/a from" in events[0]["text"]
    assert waits.returncode == found["exit_code"] == 3 and found["condition"] == "waiting"
    assert found["event"] == "outcome" and found["next"] and "branch samoloop/a from" in waits.stderr
    done = samoloop(project, "run", "--session", "a", "--yes", "--json")
    found = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, found["exit_code"], found["condition"]) == (0, 0, "done")
    assert found["totals"]["iterations"] == 8 and Path(found["report"]).is_file()
    refused = run(project, "--json", "--workflow", "nope")
    assert refused.returncode == 2 and refused.stdout == "" and "nope" in refused.stderr


def test_a_reader_of_events_that_goes_away_ends_nothing(project: Path):
    words = [sys.executable, "-m", "samoloop", "run", "Add a feature", "--session", "b", "--yes", "--json"]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=project, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        assert json.loads(process.stdout.readline())["event"] == "said"
        process.stdout.close()
        assert process.wait(60) == 0


def test_in_the_background_the_object_says_that_a_worker_is_there(project: Path):
    script(project.parent, "sleep 600")
    done = run(project, "--detach", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["exit_code"], found["worker"]["alive"]) == (0, 0, True)
    assert samoloop(project, "stop", "a", "--now").returncode == 0
