"""Sessions of samocode, the predecessor, go on where they stand: folders that its released code made (see
tests/fixtures/samocode), each brought over by the real command and gone on with by the real loop.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from kit import GOOD_CHILD, git, samoloop, scripted_project

from samoloop.core.session import Session, all_sessions
from samoloop.core.state import Condition

FOLDERS = json.loads((Path(__file__).parent.parent / "fixtures/samocode/folders.json").read_text())
REST = """signal '{"status": "blocked", "reason": "far enough"}'"""  # in each phase: one child is enough to see where
BUILT = ("testing", "quality", "done", "over")
PAST_PLAN = ("implementation", "testing", "quality", "done")


def lay(tmp_path: Path, stage: str, child: str = REST) -> tuple[Path, Path]:
    """A project as samocode's people have it, with a session at that stage: the repository, the session's folder."""
    root = scripted_project(tmp_path, child)
    files = dict(FOLDERS[stage])
    folder = tmp_path / "_sessions" / files.pop("")
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text.replace("@ROOT@", str(tmp_path)))
    (tmp_path / ".samocode").write_text(
        f"MAIN_REPO={root}\nWORKTREES={tmp_path}/worktrees/\nSESSIONS={tmp_path}/_sessions/\n"
    )
    if stage != "no-overview":
        worktree = tmp_path / "worktrees" / folder.name
        git(root, "worktree", "add", "--quiet", "-b", "greeting", str(worktree))
        if stage in BUILT:
            (worktree / "salve.txt").write_text("salve\n")
            git(worktree, "add", ".")
            git(worktree, "commit", "--quiet", "-m", "Phase 1: The file")
    return root, folder


def bytes_of(folder: Path) -> Mapping[str, tuple[bytes, int]]:
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()} | {
        str(path): (b"", path.stat().st_mtime_ns) for path in [folder, *folder.rglob("*")] if path.is_dir()
    }


def brought(root: Path, folder: Path, *options: str) -> Session:
    """The session that it becomes; its folder is what it was, to the byte."""
    before = bytes_of(folder)
    done = samoloop(root, "import", str(folder), *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert bytes_of(folder) == before
    (session,) = all_sessions(root / "_sessions")
    return session


def first_child(root: Path, session: Session) -> str:
    """The phase of the first child after `resume`."""
    done = samoloop(root, "resume", session.name, "--no-wait")
    assert done.returncode == 4, done.stdout + done.stderr
    (prompt,) = session.logs.glob("001-*.prompt.md")
    return prompt.name.removeprefix("001-").removesuffix(".prompt.md")


@pytest.mark.parametrize(
    ("stage", "phase"),
    [
        ("init", "investigation"),
        ("investigation", "investigation"),
        ("requirements", "requirements"),
        ("planning", "planning"),
    ],
)
def test_before_a_plan_was_made_it_goes_on_at_its_phase(tmp_path: Path, stage: str, phase: str) -> None:
    root, folder = lay(tmp_path, stage)
    session = brought(root, folder)
    assert session.state().condition == Condition.READY
    assert first_child(root, session) == phase
    created = Session(session.dir).state().created
    assert (created.branch, created.worktree) == ("greeting", tmp_path / "worktrees" / folder.name)
    assert (session.dir / "_task.md").read_text() == "Add a greeting\n\nLook first at: the greeting\n"


@pytest.mark.parametrize("stage", ["waiting-qa", "answered-qa"])
def test_questions_wait_again_and_no_answer_that_stood_there_counts(tmp_path: Path, stage: str) -> None:
    root, folder = lay(tmp_path, stage)
    session = brought(root, folder)
    gate = session.state().gate
    assert gate and gate.questions == ("Q1", "Q2")
    assert (session.dir / "_qa.md").read_text().count("_waiting_") == 2
    if stage == "answered-qa":
        (session.dir / "_qa.md").unlink()
        said = samoloop(root, "import", str(folder), "--dry-run").stderr
        assert f"the session {session.name} works on greeting" in said
        return
    assert samoloop(root, "answer", session.name, "Q1=B", "Q2=salve.txt").returncode == 0
    assert first_child(root, session) == "requirements"
    assert "requirements" in Session(session.dir).state().phase


def test_answers_that_stood_there_are_told_as_the_command_that_gives_them(tmp_path: Path) -> None:
    root, folder = lay(tmp_path, "answered-qa")
    said = samoloop(root, "import", str(folder), "--dry-run").stdout
    assert "samoloop answer NAME Q1=B Q2='salve.txt, please'" in said
    assert not (root / "_sessions").exists()


def test_a_plan_that_waited_waits_and_its_approval_leads_on(tmp_path: Path) -> None:
    root, folder = lay(tmp_path, "waiting-plan")
    session = brought(root, folder)
    gate = session.state().gate
    assert gate and gate.file and gate.file.endswith("-plan-greeting.md") and ":" not in gate.file
    assert "waits for approval" in samoloop(root, "status", session.name).stdout
    assert samoloop(root, "approve", session.name).returncode == 0
    assert first_child(root, session) == "implementation"


@pytest.mark.parametrize("stage", PAST_PLAN)
def test_a_plan_whose_approval_nothing_proves_is_asked_for_again_where_the_session_stands(
    tmp_path: Path, stage: str
) -> None:
    root, folder = lay(tmp_path, stage)
    session = brought(root, folder)
    refused = samoloop(root, "resume", session.name, "--no-wait")
    assert refused.returncode == 3, refused.stdout + refused.stderr
    assert not list(session.logs.glob("*.prompt.md")), "no child before a person has approved"
    assert samoloop(root, "approve", session.name).returncode == 0
    assert first_child(root, session) == stage


@pytest.mark.parametrize("stage", PAST_PLAN)
def test_a_person_may_say_that_they_approved_the_plan(tmp_path: Path, stage: str) -> None:
    root, folder = lay(tmp_path, stage)
    session = brought(root, folder, "--approved")
    assert "approved in samocode, says who imported it" in (session.dir / "_approval.md").read_text()
    assert first_child(root, session) == stage


def test_changes_of_the_plan_lead_back_to_planning(tmp_path: Path) -> None:
    root, folder = lay(tmp_path, "testing")
    session = brought(root, folder)
    assert samoloop(root, "changes", session.name, "-m", "in English").returncode == 0
    assert first_child(root, session) == "planning"


@pytest.mark.parametrize(("stage", "target"), [("waiting-plan", "implementation"), ("testing", "done")])
def test_an_edit_of_the_phase_leads_past_no_gate_and_is_answered_by_the_command(
    tmp_path: Path, stage: str, target: str
) -> None:
    root, folder = lay(tmp_path, stage)
    session = brought(root, folder)
    path = session.dir / "_overview.md"
    path.write_text(re.sub("^Phase: .*$", f"Phase: {target}", path.read_text(), flags=re.MULTILINE))
    done = samoloop(root, "resume", session.name, "--no-wait")
    assert done.returncode == 2 and "the gate of planning was not passed" in done.stderr, done.stdout + done.stderr
    assert f"samoloop approve {session.name}" in " ".join(done.stderr.split())
    assert not list(session.logs.glob("*.prompt.md"))


def test_new_sessions_may_lie_beside_the_old_ones(tmp_path: Path) -> None:
    root, folder = lay(tmp_path, "planning")
    (tmp_path / "config/samoloop").mkdir(parents=True)
    (root / ".samoloop.yaml").rename(tmp_path / "config/samoloop/config.yaml")
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    before = bytes_of(folder)
    done = samoloop(tmp_path, "import", str(folder), env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert bytes_of(folder) == before
    (session,) = all_sessions(tmp_path / "_sessions")
    named = samoloop(tmp_path, "status", session.name, env=env)
    assert named.returncode == 0, named.stderr
    assert session.dir != folder and session.worktree == tmp_path / "worktrees" / folder.name
    assert samoloop(tmp_path, "resume", session.name, "--no-wait", env=env).returncode == 4
    assert [path.name for path in session.logs.glob("*.prompt.md")] == ["001-planning.prompt.md"]


def test_a_session_of_the_predecessor_that_is_named_is_answered_by_the_way_over(tmp_path: Path) -> None:
    root, folder = lay(tmp_path, "planning")
    settings = json.loads((root / ".samoloop.yaml").read_text())
    (root / ".samoloop.yaml").write_text(json.dumps({**settings, "sessions": str(tmp_path / "_sessions")}))
    for name in ("greeting", folder.name):
        for command in (["run", "--session", name], ["resume", name], ["status", name]):
            done = samoloop(root, *command)
            assert done.returncode == 2 and f"samoloop import {folder}" in done.stderr, (command, done.stderr)


def test_a_blocked_session_rests_until_a_person_goes_on(tmp_path: Path) -> None:
    root, folder = lay(tmp_path, "blocked")
    assert "it was blocked: The staging database is down" in samoloop(root, "import", str(folder), "--dry-run").stdout
    session = brought(root, folder, "--approved")
    assert session.state().condition == Condition.BLOCKED
    assert "The staging database is down" in samoloop(root, "status", session.name).stdout
    assert first_child(root, session) == "implementation"


@pytest.mark.parametrize(
    ("stage", "options", "why"),
    [
        ("over", (), "is done (A file greets in Latin)"),
        ("no-overview", (), "has no _overview.md that can be read"),
        ("planning", ("--approved",), "has no plan that could be approved"),
        ("testing", ("--plan", "other.md"), "has no such plan; it has: "),
        ("testing", ("--phase", "deployment"), "there is no such phase here"),
        ("planning", ("--branch", "other"), "is on greeting"),
        ("requirements", ("--phase", "testing"), "holds no plan that a person could approve"),
    ],
)
def test_what_has_no_place_is_refused_in_a_sentence(
    tmp_path: Path, stage: str, options: tuple[str, ...], why: str
) -> None:
    root, folder = lay(tmp_path, stage)
    done = samoloop(root, "import", str(folder), *options)
    assert done.returncode == 2 and why in done.stderr, done.stdout + done.stderr
    assert not list((root / "_sessions").glob("2*"))


def test_where_a_folder_leaves_doubt_the_person_says_what_is_meant(tmp_path: Path) -> None:
    root, folder = lay(tmp_path, "testing")
    (plan,) = folder.glob("*-plan-*.md")
    (folder / "11-29-16:59-plan-other.md").write_text("# Plan\n- [ ] Another\n")
    assert f"2 plans: say with --plan which counts: {plan.name}" in samoloop(root, "import", str(folder)).stderr
    text = (folder / "_overview.md").read_text()
    (folder / "_overview.md").write_text(text.replace("Phase: testing", "Phase: pr-readiness"))
    said = samoloop(root, "import", str(folder), "--plan", plan.name).stderr
    assert "says Phase: 'pr-readiness'; there is no such phase here: say with --phase where it goes on" in said
    session = brought(root, folder, "--plan", plan.name, "--phase", "done", "--approved")
    assert first_child(root, session) == "done"


def test_work_whose_worktree_is_gone_goes_on_from_its_branch(tmp_path: Path) -> None:
    root, folder = lay(tmp_path, "testing")
    git(root, "worktree", "remove", str(tmp_path / "worktrees" / folder.name))
    session = brought(root, folder, "--approved")
    assert first_child(root, session) == "testing"
    state = Session(session.dir).state()
    assert state.created.branch == "greeting" and (state.created.worktree / "salve.txt").exists()
    assert state.created.worktree.is_relative_to(root / ".samoloop")


def test_work_whose_branch_is_gone_is_not_begun_anew(tmp_path: Path) -> None:
    root, folder = lay(tmp_path, "testing")
    git(root, "worktree", "remove", str(tmp_path / "worktrees" / folder.name))
    git(root, "branch", "-m", "greeting", "elsewhere")
    assert "no branch 'greeting'" in samoloop(root, "import", str(folder)).stderr
    session = brought(root, folder, "--branch", "elsewhere", "--approved")
    assert session.branch == "elsewhere"


def test_a_session_that_is_brought_over_comes_to_its_end(tmp_path: Path) -> None:
    root, folder = lay(tmp_path, "testing", GOOD_CHILD)
    session = brought(root, folder, "--approved")
    done = samoloop(root, "resume", session.name, "--no-wait")
    assert done.returncode == 0, done.stdout + done.stderr
    prompts = sorted(path.name.removesuffix(".prompt.md") for path in session.logs.glob("*.prompt.md"))
    assert prompts == ["001-testing", "002-quality", "003-done"]
    report = (session.dir / "_report.md").read_text()
    assert "salve.txt" in samoloop(root, "diff", session.name).stdout + report
    assert "Imported from samocode's" in (session.dir / "_overview.md").read_text()
