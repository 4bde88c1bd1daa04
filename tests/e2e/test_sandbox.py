"""The real CLIs in the sandbox: a login that they renew is kept, and their own sandboxes work inside ours."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from clis import CLIS
from project import TASK, Project, make_project, said
from standin import Standin
from standin.session import session

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(os.environ.get("SAMOLOOP_E2E_SANDBOX") == "off", reason="without a sandbox"),
]


@pytest.fixture
def project(tmp_path: Path, environ: Mapping[str, str]) -> Project:
    return make_project(tmp_path / "project", environ)


def test_a_login_that_codex_makes_in_it_is_kept_and_no_settings_are(project: Project, home: Path) -> None:
    (project.root / ".samoloop.yaml").write_text("provider: codex\n")
    login = home / ".codex" / "auth.json"
    login.parent.mkdir()
    login.write_text(json.dumps({"OPENAI_API_KEY": "sk-old"}))
    inside = "echo sk-new | codex login --with-api-key; echo 'notify = [\"sh\"]' > ~/.codex/config.toml"
    command = [sys.executable, "-m", "samoloop", "sandbox", "--", "sh", "-c", inside]
    done = subprocess.run(command, cwd=project.root, env=project.environ, capture_output=True, text=True, check=False)
    assert json.loads(login.read_text())["OPENAI_API_KEY"] == "sk-new", said(done)
    assert "notify" not in (login.parent / "config.toml").read_text()


def test_claude_works_with_its_persons_files_which_stay_as_they_are(project: Project, home: Path) -> None:
    cli, files = CLIS["claude"], {".claude.json": '{"hasCompletedOnboarding": true}', ".claude/settings.json": "{}"}
    for name, text in files.items():
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text(text)
    with Standin(session) as model:
        project.use(cli, cli.setup(model.url))
        done = project.samoloop("run", TASK, "--no-wait")
    assert done.returncode == 3, said(done)
    assert {name: (home / name).read_text() for name in files} == files
    assert [path.name for path in (home / ".claude").iterdir()] == ["settings.json"]


def test_codex_works_in_its_own_sandbox_inside_ours(project: Project) -> None:
    cli = CLIS["codex"]
    with Standin(session) as model:
        project.use(cli, cli.setup(model.url), permissions="edits")
        done = project.samoloop("run", TASK, "--session", "farewell", "--yes")
    assert done.returncode == 0, said(done)
    assert "def farewell" in project.git("show", "samoloop/farewell:greeting.py")
