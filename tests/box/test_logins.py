"""What is kept of a CLI's own folder: a login that it renewed, and nothing that would act on its person's next use."""

import json
import os
from pathlib import Path

import pytest
from kit import make_repo, samoloop

LOGINS = {
    "claude": ".claude/.credentials.json",
    "codex": ".codex/auth.json",
    "opencode": ".local/share/opencode/auth.json",
    "gemini": ".gemini/oauth_creds.json",
}
PLANTED = {
    "claude": (".claude/settings.json", ".claude/commands/x.md", ".claude.json"),
    "codex": (".codex/config.toml", ".codex/AGENTS.md", ".codex/hooks.json", ".codex/rules/x.rules"),
    "opencode": (".local/share/opencode/bin/rg", ".config/opencode/opencode.json"),
    "gemini": (".gemini/settings.json", ".gemini/GEMINI.md"),
}


@pytest.fixture(params=LOGINS)
def cli(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Installed and logged in."""
    name = str(request.param)
    program = tmp_path / "bin" / name
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    for path in (LOGINS[name], ".claude.json"):
        file = Path(os.environ["HOME"], path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("old")
    return name


def test_a_renewed_login_is_kept_and_nothing_else(cli: str, tmp_path: Path):
    home, root = Path(os.environ["HOME"]), make_repo(tmp_path / "repo")
    (root / ".samoloop.yaml").write_text(json.dumps({"provider": cli}))
    renew = f'cat "$HOME/{LOGINS[cli]}" && echo renewed > "$HOME/{LOGINS[cli]}"'
    plant = [f'mkdir -p "$(dirname "$HOME/{path}")"; echo planted > "$HOME/{path}"' for path in PLANTED[cli]]
    done = samoloop(root, "sandbox", "--", "sh", "-c", f"{renew}; code=$?; {'; '.join(plant)}; exit $code")
    assert done.returncode == 0 and done.stdout == "old", done.stderr
    assert (home / LOGINS[cli]).read_text() == "renewed\n"
    assert not [path for path in PLANTED[cli] if (home / path).exists() and "planted" in (home / path).read_text()]
