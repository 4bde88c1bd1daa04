"""Flags that shape a session, with a real CLI at work."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from clis import CLIS
from project import TASK, make_project, said
from standin import Standin
from standin.session import session


@pytest.mark.parametrize("name", ["claude", "codex"])
def test_until_planning_gives_an_approved_plan_and_no_code(
    name: str, environ: Mapping[str, str], tmp_path: Path
) -> None:
    cli = CLIS[name]
    project = make_project(tmp_path / "project", environ)
    with Standin(session) as model:
        project.use(cli, cli.setup(model.url))
        done = project.samoloop("run", TASK, "--until", "planning", "--effort", "high", "--yes", "--allow-sleep")
    assert done.returncode == 0, said(done)
    phases = [record["phase"] for record in project.ended()]
    assert phases == ["investigation", "requirements", "requirements", "planning"]
    plans = sorted(path.name for path in project.session.glob("*-plan-*.md"))
    assert len(plans) == 1, plans
    assert f"{plans[0]} is approved" in done.stdout
    assert project.git("rev-list", "--count", "HEAD..samoloop/" + project.session.name[9:]) == "0\n"
    assert "Effort high: " in model.asked[0].conversation.prompt
    assert not any("/skills/" in line for line in project.git("status", "--short", "--ignored").splitlines())
