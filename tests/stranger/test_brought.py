"""What exists already is gone on from: a plan of the person's, a plan that was to be the end, a folder made by hand."""

import json
from pathlib import Path

import pytest
from kit import GOOD_CHILD, samoloop, scripted_project

from samoloop.core.session import Session, all_sessions

PLAN = "# Plan: Add a feature\n\n## Phase 1\n- [ ] 1.1 a file is there\n- [x] 1.0 looked\n"
CARRIES_OUT = GOOD_CHILD.replace(
    "implementation) echo",
    "implementation) name=$(ls *-plan-*.md); sed -i 's/\\[ \\]/[x]/' $name; cp $name seen; echo",
).replace('echo "the plan"', 'printf "# Plan\\n- [ ] 1.1 it\\n"')


def project(tmp_path: Path) -> Path:
    root = scripted_project(tmp_path, CARRIES_OUT)
    (tmp_path / "my plan.md").write_text(PLAN)
    return root


def only(root: Path) -> Session:
    (session,) = all_sessions(root / "_sessions")
    return session


def phases(session: Session) -> list[str]:
    return sorted(path.name.removesuffix(".prompt.md") for path in session.logs.glob("*.prompt.md"))


def test_a_plan_that_exists_is_carried_out_at_once_and_its_approval_is_a_person_s(tmp_path: Path) -> None:
    root = project(tmp_path)
    done = samoloop(root, "run", "--plan", "../my plan.md", "--session", "a", "--no-wait")
    assert done.returncode == 0, done.stdout + done.stderr
    session = only(root)
    assert phases(session)[0] == "001-implementation"
    assert session.task == "Carry out the plan my plan.md: Add a feature"
    (name,) = session.dir.glob("*-plan-my-plan.md")
    approval = (session.dir / "_approval.md").read_text()
    assert f"Plan: {name.name}" in approval and "Decision: approve" in approval
    assert "handed over with --plan" in (session.dir / "_guidance.md").read_text()
    assert f"plan {name.name}: approve by " in (session.dir / "_report.md").read_text()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "there is no such file"),
        ("", "it is empty"),
        ("# Plan\n\nDo it well.\n", "it has no open item"),
        ("# Plan\n- [x] 1.1 done\n", "it has no open item"),
        ("x" * 5_000_000, "larger than 4 MB"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(tmp_path: Path, text: str | None, why: str) -> None:
    root = project(tmp_path)
    if text is not None:
        (tmp_path / "plan.md").write_text(text)
    done = samoloop(root, "run", "--plan", str(tmp_path / "plan.md"), "--no-wait")
    assert done.returncode == 2
    assert why in done.stderr
    assert not list((root / "_sessions").glob("2*"))


def test_a_plan_is_for_workflows_that_carry_one_out(tmp_path: Path) -> None:
    done = samoloop(project(tmp_path), "run", "--plan", "../my plan.md", "--workflow", "audit")
    assert "the workflow audit has no phase in which an approved plan is carried out" in done.stderr


def test_a_plan_edited_before_the_start_is_carried_out_as_it_was_handed_over(tmp_path: Path) -> None:
    root = project(tmp_path)
    settings = json.loads((root / ".samoloop.yaml").read_text())
    edit = "sed -i 's/a file is there/the disk is wiped/' \"$(ls $SAMOLOOP_ROOT/_sessions/*/*-plan-*.md)\""
    (root / ".samoloop.yaml").write_text(json.dumps({**settings, "setup": edit.replace("$SAMOLOOP_ROOT", str(root))}))
    done = samoloop(
        root, "run", "--plan", "../my plan.md", "--session", "a", "--no-wait", env={"SAMOLOOP_SANDBOX": "off"}
    )
    assert "it is again what was approved" in done.stdout + done.stderr, done.stdout + done.stderr
    assert "a file is there" in (only(root).dir / "seen").read_text()


def test_a_session_that_was_to_end_with_its_plan_goes_on_from_there(tmp_path: Path) -> None:
    root = project(tmp_path)
    samoloop(root, "run", "Add a feature", "--session", "a", "--until", "planning", "--no-wait", "--yes")
    session = only(root)
    assert session.state().condition == "done", session.state().reason
    status = samoloop(root, "status", "a").stdout
    assert "samoloop resume" in status
    done = samoloop(root, "resume", "a", "--no-wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [name.partition("-")[2] for name in phases(only(root))][-4:] == [
        "implementation", "testing", "quality", "done",
    ]  # fmt: skip
    assert samoloop(root, "resume", "a").returncode != 0, "then it is over"


def test_a_folder_made_by_hand_is_taken_over_where_it_stands(tmp_path: Path) -> None:
    root = project(tmp_path)
    folder = root / "_sessions" / "26-01-02-mine"
    folder.mkdir(parents=True)
    (folder / "_overview.md").write_text("# Mine\n\n## Task\n> Add a feature\n> with care\n\n## Status\nPhase: done\n")
    (folder / "01-02-0900-dive-x.md").write_text("how it works\n")
    (folder / "_approval.md").write_text("Decision: approve\n")
    (folder / "_report.md").symlink_to("/etc/passwd")
    done = samoloop(root, "run", "--session", "26-01-02-mine", "--no-wait")
    assert done.returncode == 3, done.stdout + done.stderr
    session = only(root)
    assert phases(session) == ["001-requirements"]
    assert session.task == "Add a feature"
    assert (session.dir / "01-02-0900-dive-x.md").read_text() == "how it works\n"
    assert (folder / "_approval.md").exists(), "the folder stays as it is"


def test_a_folder_with_nothing_in_it_is_no_start(tmp_path: Path) -> None:
    root = project(tmp_path)
    (root / "_sessions" / "mine").mkdir(parents=True)
    done = samoloop(root, "run", "--session", "mine", "--no-wait")
    assert done.returncode == 2
    assert "holds nothing that a session can go on from" in done.stderr
    (root / "_sessions" / "mine" / "01-02-0900-dive-x.md").write_text("half\n")
    assert "there is no task" in samoloop(root, "run", "--session", "mine", "--no-wait").stderr
