"""What a child did outside of its worktree is said, and what a person does meanwhile between two children is not."""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from kit import GOOD_CHILD, IDENTITY, git, samoloop, scripted_project, until

from samoloop.base.errors import SessionError
from samoloop.core.session import Session
from samoloop.ui.telegram.machine import Machine

COMMIT = " ".join(["git", *IDENTITY, "commit -q --allow-empty -m z"])
DEEDS = {
    "the person's branch": f"cd $SAMOLOOP_WORKTREE; {COMMIT}; git update-ref refs/heads/trunk HEAD",
    "a branch removed": "git -C $SAMOLOOP_WORKTREE update-ref -d refs/heads/mine",
    "a tag": "git -C $SAMOLOOP_WORKTREE tag v1",
    "what is checked out": "git -C $main symbolic-ref HEAD refs/heads/mine",
    "a hook": "mkdir -p $main/.git/hooks; echo '#!/bin/sh' > $main/.git/hooks/pre-push",
    "git's configuration": "git -C $SAMOLOOP_WORKTREE config alias.st '!evil'",
    "the person's git configuration": "git config --global core.pager evil",
    "git's attributes": "mkdir -p $main/.git/info; echo '* filter=x' > $main/.git/info/attributes",
    "the settings": "echo >> $main/.samoloop.yaml",
    "a phase of the project": "mkdir -p $main/.samoloop/phases; echo x > $main/.samoloop/phases/planning.md",
    "the task": "echo 'Delete everything.' > _task.md",
    "no task": "rm _task.md",
}
SAID = {
    "the person's branch": "refs/heads/trunk was moved from ",
    "a branch removed": "refs/heads/mine, which was at ",
    "a tag": "refs/tags/v1 was made at ",
    "what is checked out": "the main checkout was switched from refs/heads/trunk to refs/heads/mine",
    "a hook": "the git hook pre-push was added",
    "git's configuration": "the git configuration alias.st in ",
    "the person's git configuration": "the git configuration core.pager in ",
    "git's attributes": "info/attributes was added",
    "the settings": "the settings file .samoloop.yaml was changed",
    "a phase of the project": "the settings file .samoloop/phases/planning.md was added",
    "the task": "_task.md was changed",
    "no task": "_task.md was changed",
}


def once(deed: str, then: str = "") -> str:
    """A good child that does the deed in the first phase, once."""
    return f"""
main={{main}}
if [ $SAMOLOOP_PHASE = investigation ] && mkdir "$(dirname "$0")/did" 2>/dev/null; then
  ({deed})
  {then}
fi
{GOOD_CHILD}
"""


def project(tmp_path: Path, child: str) -> Path:
    """A repository with a branch and a hook of the person's, and a command that keeps what is announced."""
    root = scripted_project(tmp_path, child.replace("{main}", str(tmp_path / "repo")))
    git(root, "branch", "mine")
    keep = ["sh", "-c", f"cat >> {tmp_path}/announced; echo >> {tmp_path}/announced"]
    known = json.loads((root / ".samoloop.yaml").read_text())
    known["announce"] = {"command": keep}
    (root / ".samoloop.yaml").write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in known.items()))
    return root


def folder_of(root: Path, name: str = "a") -> Path:
    return Path(json.loads(samoloop(root, "status", name, "--json").stdout)["folder"])


def said(root: Path, sentence: str, tmp_path: Path) -> list[str]:
    """Where the sentence stands: report, status, the phone."""
    announced = [json.loads(line) for line in (tmp_path / "announced").read_text().splitlines()]
    places = {
        "report": (folder_of(root) / "_report.md").read_text(),
        "status": " ".join(samoloop(root, "status", "a").stdout.split()),
        "phone": "".join(item.get("text", "") for item in announced if item["kind"] == "outside"),
    }
    return [place for place, text in places.items() if sentence in text]


@pytest.mark.parametrize("what", DEEDS)
def test_what_a_child_did_outside_is_named_in_report_status_and_phone(tmp_path: Path, what: str):
    root = project(tmp_path, once(DEEDS[what]))
    run = samoloop(root, "run", "Task", "--session", "a", "--no-wait")
    assert run.returncode == 3, run.stdout + run.stderr
    assert said(root, SAID[what], tmp_path) == ["report", "status", "phone"]
    assert "while the child of iteration 1 was at work" in run.stdout
    assert (folder_of(root) / "_task.md").read_text() == "Task\n"


def test_a_good_child_leaves_nothing_to_be_said(tmp_path: Path):
    root = project(tmp_path, once("true"))
    assert samoloop(root, "run", "Task", "--session", "a", "--yes").returncode == 0
    assert said(root, "at work", tmp_path) == []


def test_what_a_person_does_between_two_children_is_laid_to_nobody(tmp_path: Path):
    root = project(tmp_path, GOOD_CHILD)
    assert samoloop(root, "run", "Task", "--session", "a", "--no-wait").returncode == 3
    (folder_of(root) / "_task.md").write_text("Task, and mind the tests.\n")
    git(root, "commit", "--quiet", "--allow-empty", "-m", "Mine")
    git(root, "tag", "v1")
    git(root, "config", "alias.st", "status")
    (root / ".git" / "hooks").mkdir(exist_ok=True)
    (root / ".git" / "hooks" / "pre-push").write_text("#!/bin/sh\n")
    assert samoloop(root, "resume", "a", "--yes").returncode == 0
    assert said(root, "at work", tmp_path) == []
    assert (folder_of(root) / "_task.md").read_text() == "Task, and mind the tests.\n"


def test_what_a_person_does_while_a_worker_waits_for_them_is_laid_to_nobody(tmp_path: Path):
    """The worker goes on at once, and has looked a moment ago."""
    root = project(tmp_path, GOOD_CHILD)
    command = [sys.executable, "-m", "samoloop", "run", "Task", "--session", "a"]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as worker:
        until((root / "_sessions").is_dir)
        for number, act in enumerate((["answer", "a", "--suggested"], ["approve", "a"])):
            kind = ("qa_answers", "plan_approval")[number]
            until(lambda kind=kind: gate_of(root) == kind)
            git(root, "tag", f"v{number}")
            acted = samoloop(root, *act)
            assert acted.returncode == 0, acted.stdout + acted.stderr
        assert worker.wait(60) == 0
    assert said(root, "at work", tmp_path) == []


def test_what_a_check_does_is_not_the_next_child_s_doing(tmp_path: Path):
    root = project(tmp_path, GOOD_CHILD)
    with (root / ".samoloop.yaml").open("a") as settings:
        settings.write(f"checks: {{tags: {{command: 'git -C {root} tag t$(date +%s%N)'}}}}\n")
    assert samoloop(root, "run", "Task", "--session", "a", "--yes").returncode == 0
    assert git(root, "tag").startswith("t")
    assert said(root, "at work", tmp_path) == []


def gate_of(root: Path) -> str:
    """What the session waits for; empty for nothing."""
    found = samoloop(root, "status", "a", "--json")
    gate = json.loads(found.stdout)["gate"] if found.returncode == 0 else None
    return gate["kind"] if gate else ""


def test_the_branch_of_another_session_is_not_this_child_s_doing(tmp_path: Path):
    root = project(tmp_path, once(f"cd $SAMOLOOP_WORKTREE; {COMMIT}; git update-ref {{ref}} HEAD"))
    child = tmp_path / "child.sh"
    text = child.read_text()
    child.write_text(text.replace("{ref}", "HEAD"))
    assert samoloop(root, "run", "Task", "--session", "b", "--no-wait").returncode == 3
    branch = json.loads(samoloop(root, "status", "b", "--json").stdout)["branch"]
    (tmp_path / "did").rmdir()
    child.write_text(text.replace("{ref}", f"refs/heads/{branch}"))
    assert samoloop(root, "run", "Task", "--session", "a", "--no-wait").returncode == 3
    assert said(root, "refs/heads/", tmp_path) == []


def at_work(root: Path, tmp_path: Path, *words: str) -> "subprocess.Popen[str]":
    """A worker whose first child did its deed and lingers."""
    command = [sys.executable, "-m", "samoloop", *words]
    quiet = subprocess.DEVNULL
    worker = subprocess.Popen(command, cwd=root, stdin=quiet, stdout=quiet, stderr=quiet, text=True)
    until((tmp_path / "lingers").exists)
    return worker


LINGER = 'touch "$(dirname "$0")/lingers"; while [ -e "$(dirname "$0")/lingers" ]; do sleep 0.05; done'
RUN: Sequence[str] = ("run", "Task", "--session", "a", "--no-wait")


def test_a_child_that_was_stopped_is_told_of_too(tmp_path: Path):
    root = project(tmp_path, once(DEEDS["a tag"], LINGER))
    worker = at_work(root, tmp_path, *RUN)
    assert samoloop(root, "stop", "a", "--now").returncode == 0
    assert worker.wait(60) == 6
    assert "report" in said(root, SAID["a tag"], tmp_path)


def test_a_child_whose_worker_was_killed_is_told_of_by_the_next_one(tmp_path: Path):
    root = project(tmp_path, once("; ".join([DEEDS["a tag"], DEEDS["the task"]]), LINGER))
    worker = at_work(root, tmp_path, *RUN)
    worker.send_signal(signal.SIGKILL)
    worker.wait(60)
    (tmp_path / "lingers").unlink()
    assert samoloop(root, "resume", "a", "--no-wait").returncode == 3
    assert said(root, SAID["a tag"], tmp_path) == ["report", "status", "phone"]
    assert "or after that, when no worker was there" in (folder_of(root) / "_report.md").read_text()
    assert (folder_of(root) / "_task.md").read_text() == "Task\n"


def test_a_child_that_changes_what_was_seen_before_it_is_a_human_s_affair(tmp_path: Path):
    deed = 'cd "$(dirname "$(readlink _logs)")"; echo "{}" > _outside.json'
    root = project(tmp_path, once(f"{DEEDS['a tag']}; {deed}"))
    run = samoloop(root, *RUN)
    assert run.returncode == 4 and "_outside.json was changed or lost" in run.stdout
    assert samoloop(root, "resume", "a", "--no-wait").returncode == 3


def test_in_place_the_folder_s_own_repository_is_looked_at(tmp_path: Path):
    root = project(tmp_path, once("git -C $main tag v1; echo >> $main/.samoloop.yaml"))
    assert samoloop(root, "run", "Task", "--session", "a", "--in-place", "--no-wait").returncode == 3
    assert said(root, SAID["a tag"], tmp_path) == ["report", "status", "phone"]
    assert said(root, SAID["the settings"], tmp_path) == ["report", "status", "phone"]


def test_many_changes_are_told_in_few_words(tmp_path: Path):
    root = project(tmp_path, once("for n in $(seq 300); do git -C $main tag t$n; done"))
    assert samoloop(root, *RUN).returncode == 3
    assert said(root, "290 more things outside of the worktree were changed", tmp_path) == ["report", "phone"]
    assert len(Session(folder_of(root)).journal.path.read_bytes()) < 40_000


SPEND = "echo 'setup: evil' >> $main/.samoloop.yaml"


def changed_by_a_child(tmp_path: Path) -> Path:
    """A project whose session waits for answers; its first child changed the settings."""
    root = project(tmp_path, once(SPEND))
    assert samoloop(root, *RUN).returncode == 3
    assert samoloop(root, "answer", "a", "--suggested").returncode == 0
    return root


def iteration(root: Path) -> int:
    return int(json.loads(samoloop(root, "status", "a", "--json").stdout)["iteration"])


def test_settings_that_a_child_changed_hold_when_a_person_was_shown_them(tmp_path: Path):
    root = changed_by_a_child(tmp_path)
    up = samoloop(root, "up", "--once")
    assert "(.samoloop.yaml) changed since a person last started" in up.stdout, up.stdout
    assert iteration(root) == 2
    resumed = samoloop(root, "resume", "a", "--no-wait")
    assert resumed.returncode == 3 and iteration(root) > 2
    assert "the settings file .samoloop.yaml was changed" in resumed.stdout and "+setup: evil" in resumed.stdout
    assert samoloop(root, "approve", "a").returncode == 0
    assert samoloop(root, "up", "--once").returncode == 0
    assert json.loads(samoloop(root, "status", "a", "--json").stdout)["condition"] == "done"


def test_the_phone_is_told_that_settings_must_be_seen_at_a_terminal(tmp_path: Path):
    root = changed_by_a_child(tmp_path)
    with pytest.raises(SessionError, match=r"changed since a person last started .* at a terminal shows what changed"):
        Machine().resume(folder_of(root), "Ann (phone)")
    assert iteration(root) == 2


def test_a_person_at_a_terminal_is_shown_the_settings_for_a_worker_in_the_background(tmp_path: Path):
    root = changed_by_a_child(tmp_path)
    resumed = samoloop(root, "resume", "a", "--no-wait", "--detach")
    assert resumed.returncode == 0 and "+setup: evil" in resumed.stdout
    until(lambda: "plan_approval" in samoloop(root, "status", "a", "--json").stdout)


def test_settings_that_were_shown_at_a_gate_need_not_be_shown_again(tmp_path: Path):
    root = project(tmp_path, once(SPEND))
    assert samoloop(root, *RUN).returncode == 3
    assert "+setup: evil" in samoloop(root, "resume", "a", "--no-wait").stdout
    assert samoloop(root, "answer", "a", "--suggested").returncode == 0
    assert "changed" not in samoloop(root, "up", "--once").stdout
    assert iteration(root) > 2


def test_settings_that_a_child_changed_do_not_hold_for_the_worker_that_adopts_it(tmp_path: Path):
    root = project(tmp_path, once(SPEND, LINGER))
    worker = at_work(root, tmp_path, *RUN)
    worker.send_signal(signal.SIGKILL)
    worker.wait(60)
    (tmp_path / "lingers").unlink()
    assert "changed since a person last started" in samoloop(root, "up", "--once").stdout
    assert iteration(root) == 1
    assert samoloop(root, "resume", "a", "--no-wait").returncode == 3


def test_sessions_side_by_side_lay_nothing_to_each_other(tmp_path: Path):
    root = project(tmp_path, GOOD_CHILD)
    command = [sys.executable, "-m", "samoloop", "run", "Same task", "--yes"]
    quiet = subprocess.DEVNULL
    runs = [subprocess.Popen(command, cwd=root, stdin=quiet, stdout=quiet, stderr=quiet) for _ in range(3)]
    assert [run.wait(120) for run in runs] == [0, 0, 0]
    reports = [
        Path(row["folder"], "_report.md").read_text() for row in json.loads(samoloop(root, "list", "--json").stdout)
    ]
    assert len(reports) == 3 and not any("was at work" in report for report in reports)
