"""What a child says is held against what is so: sessions of the real command whose child does not tell the truth."""

import json
import sys
from pathlib import Path

import pytest
from kit import git, samoloop, scripted_project

from samoloop.core.session import Session

# An honest child of the workflow `feature`, as far as the cases below let it be.
CHILD = """
case $SAMOLOOP_PHASE in
investigation) INVESTIGATION; next requirements;;
requirements) if [ -f asked ]; then next planning; else touch asked; ask 'Which way?'; fi;;
planning) PLANNING; plan 11-21-0900-plan-x.md;;
implementation) cd "$SAMOLOOP_WORKTREE"; IMPLEMENTATION; cd "$SAMOLOOP_SESSION_DIR"; TICK; LEAVE;;
testing) next quality;;
quality) next "done";;
done) signal '{"status": "done", "summary": "all good"}';;
esac
"""
HONEST = {
    "INVESTIGATION": ":",
    "PLANNING": "printf -- '- [ ] 1.1 one\\n- [ ] 1.2 two\\n' > 11-21-0900-plan-x.md",
    "IMPLEMENTATION": "echo 'print(1)' > feature.py; git add .; git -c user.name=C -c user.email=c@x commit -qm work",
    "TICK": "sed 's/[[] []]/[x]/' 11-21-0900-plan-x.md > p && mv p 11-21-0900-plan-x.md",
    "LEAVE": 'signal \'{"status": "continue", "phase": "testing"}\'',
}


def session_of(tmp_path: Path, setup: str = "", **lies: str) -> tuple[int, Session]:
    """A session to its end with a child that is honest but for that; the exit code with it."""
    script = CHILD
    for name, deed in (HONEST | lies).items():
        script = script.replace(name, deed)
    root = scripted_project(tmp_path, script)
    if setup:
        settings = json.loads((root / ".samoloop.yaml").read_text())
        (root / ".samoloop.yaml").write_text(json.dumps(settings | {"setup": setup}))
    done = samoloop(root, "run", "Add it", "--session", "x", "--yes", "--workflow", "feature")
    return done.returncode, Session(next((root / "_sessions").glob("*-x")))


def said(session: Session) -> str:
    return session.state().reason + (session.dir / "_report.md").read_text()


def test_an_honest_child_is_believed(tmp_path: Path) -> None:
    code, session = session_of(tmp_path)
    assert (code, session.state().vetoes) == (0, 0), said(session)
    end = "Done, unchecked: no check was found"
    root = session.dir.parent.parent
    for shown in (said(session), samoloop(root, "status", "x").stdout, samoloop(root, "list").stdout):
        assert end in shown


AMEND = "git -c user.name=C -c user.email=c@x commit -q --amend -m anew$$"
LIES = [
    ({"IMPLEMENTATION": ":"}, "no change against its base"),
    ({"TICK": ":"}, "2 items of the plan 11-21-0900-plan-x.md are not ticked: 1.1 one; 1.2 two"),
    ({"TICK": "echo '- [x] 1.1 one' > 11-21-0900-plan-x.md"}, "1 item of the approved plan"),
    (
        {
            "TICK": HONEST["TICK"]
            + "; sed 's/1.2 two/1.2 not needed/' 11-21-0900-plan-x.md > p && mv p 11-21-0900-plan-x.md"
        },
        "is another now",
    ),
    ({"PLANNING": "echo TBD '[ ]' > 11-21-0900-plan-x.md"}, "has no item that can be ticked"),
    ({"LEAVE": 'signal \'{"status": "continue", "phase": "quality"}\''}, "testing is not to be skipped"),
    ({"INVESTIGATION": "leave() { :; }"}, "investigation leaves a document of the kind dive"),
    ({"INVESTIGATION": "leave() { echo > 11-21-0900-$1-x.md; }"}, "investigation leaves a document of the kind dive"),
    ({"IMPLEMENTATION": "date +%N > feature.py; git add .; " + AMEND}, "History was rewritten in this iteration"),
]


@pytest.mark.parametrize(("lies", "why"), LIES, ids=[why[:30] for _, why in LIES])
def test_a_lie_ends_in_blocked_with_what_was_seen(tmp_path: Path, lies: dict[str, str], why: str) -> None:
    code, session = session_of(tmp_path, **lies)
    assert code == 4 and why in session.state().reason, said(session)
    assert "vetoed 3 times by" in session.state().reason


def test_what_research_changes_is_put_back_and_the_next_child_is_told(tmp_path: Path) -> None:
    deed = 'echo mine > "$SAMOLOOP_WORKTREE/extra.py"; echo gone > "$SAMOLOOP_WORKTREE/hello.txt"'
    code, session = session_of(tmp_path, INVESTIGATION=deed)
    assert code == 0, said(session)
    assert (session.worktree / "hello.txt").read_text() == "hello\n" and not (session.worktree / "extra.py").exists()
    assert "extra.py, hello.txt was put back" in (session.logs / "002-requirements.prompt.md").read_text()
    kept = git(session.worktree, "log", "--all", "--format=%H", "--", "extra.py").split()
    assert kept, "what it was is kept"


def test_what_a_person_left_in_the_worktree_is_not_put_back(tmp_path: Path) -> None:
    """Here by the setup command; what it leaves is no deed of the first child's."""
    code, session = session_of(tmp_path, setup="echo made > made.txt", INVESTIGATION='rm "$SAMOLOOP_WORKTREE/made.txt"')
    assert code == 0, said(session)
    assert (session.worktree / "made.txt").read_text() == "made\n"
    assert git(session.worktree, "show", "HEAD:made.txt") == "made"


def test_a_secret_is_not_committed_and_said(tmp_path: Path) -> None:
    deed = (
        HONEST["IMPLEMENTATION"]
        + "; echo API_KEY=Zk81hdTq29xPw04mLc73 > .env; echo API_KEY=Zk81hdTq29xPw0 > b.env; git add b.env"
    )
    code, session = session_of(tmp_path, IMPLEMENTATION=deed)
    assert code == 0, said(session)
    assert git(session.worktree, "log", "--all", "--format=%H", "--", ".env", "b.env") == ""
    assert ".env: it looks like a secret" in said(session) and (session.worktree / ".env").exists()


def test_a_person_may_let_it_pass_and_a_child_may_not(tmp_path: Path) -> None:
    lie = f"{sys.executable} -m samoloop waive plan -m mine x 2> refused; {HONEST['IMPLEMENTATION']}"
    code, session = session_of(tmp_path, IMPLEMENTATION=lie, TICK=":")
    root = session.dir.parent.parent
    assert code == 4 and "vetoed 3 times by" in session.state().reason
    assert "inside a child" in (session.worktree / "refused").read_text()
    wrong = samoloop(root, "waive", "plans", "-m", "no need", "x")
    assert wrong.returncode == 2 and "plan" in wrong.stderr
    done = samoloop(root, "waive", "plan", "-m", "1.2 is for later", "x")
    assert done.returncode == 0, done.stderr
    assert samoloop(root, "resume", "x", "--yes").returncode == 0
    report = (session.dir / "_report.md").read_text()
    assert "**Done, waived: plan (1.2 is for later)" in report and "2 items of the plan" in report


def test_three_more_after_a_resume(tmp_path: Path) -> None:
    code, session = session_of(tmp_path, TICK=":")
    before = session.state().iteration
    assert code == 4
    assert samoloop(session.dir.parent.parent, "resume", "x", "--yes").returncode == 4
    session.forget()
    assert session.state().iteration == before + 4 and "vetoed 3 times by" in session.state().reason
