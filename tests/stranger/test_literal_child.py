"""A child that does exactly what its prompt says comes through every workflow without a repair, a veto or a block."""

import json
import sys
from pathlib import Path

import pytest
from kit import make_repo, samoloop

from samoloop.config import workflow_files
from samoloop.core.records import Ended
from samoloop.core.session import all_sessions

CHILD = Path(__file__).with_name("literal_child.py")


def project(tmp_path: Path) -> Path:
    root = make_repo(tmp_path / "repo")
    child = tmp_path / "child.py"
    child.write_text(f"#!{sys.executable}\n{CHILD.read_text()}")
    child.chmod(0o755)
    provider = {"provider": "literal", "providers": {"literal": {"command": [str(child)]}}}
    (root / ".samoloop.yaml").write_text(json.dumps(provider))
    return root


@pytest.mark.parametrize("workflow", workflow_files.names(None))
def test_who_does_what_the_text_says_comes_to_the_end(tmp_path: Path, workflow: str) -> None:
    root = project(tmp_path)
    done = samoloop(root, "run", "Add a line", "--workflow", workflow, "--session", "a", "--yes", "--no-wait")
    (session,) = all_sessions(root / "_sessions")
    ended = [record for record in session.journal if isinstance(record, Ended)]
    amiss = [(r.iteration, r.phase, r.bad_signal, r.decision.kind, r.decision.reason) for r in ended]
    assert done.returncode == 0, (done.stdout[-2000:], done.stderr[-2000:], amiss)
    assert not [row for row in amiss if row[2] or row[3] not in ("continue", "wait", "done")], amiss
    assert not [record for record in ended if record.decision.vetoed], amiss
    walked = {record.phase for record in ended}
    assert walked >= {phase.name for phase in session.state().live_workflow.phases if phase.child}


def test_in_the_person_s_own_folder_too_where_nothing_is_committed(tmp_path: Path) -> None:
    root = project(tmp_path)
    done = samoloop(root, "run", "Add a line", "--in-place", "--session", "a", "--yes", "--no-wait")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_a_person_who_moves_it_back_to_the_questions_is_asked_and_it_goes_on(tmp_path: Path) -> None:
    root = project(tmp_path)
    samoloop(root, "run", "Add a line", "--session", "a", "--no-wait")
    samoloop(root, "answer", "a", "--suggested")
    samoloop(root, "resume", "a", "--no-wait")
    (session,) = all_sessions(root / "_sessions")
    assert session.state().phase == "planning"
    overview = session.dir / "_overview.md"
    overview.write_text(overview.read_text().replace("Phase: planning", "Phase: requirements"))
    done = samoloop(root, "resume", "a", "--no-wait", "--yes")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (session,) = all_sessions(root / "_sessions")
    assert set(session.state().given) == {"Q1", "Q2"}
    assert not [record for record in session.journal if isinstance(record, Ended) and record.bad_signal]
