"""What `doctor` says of the sandbox: which one there is, what a CLI has in it, what of the person's leaks in."""

import os
from pathlib import Path

import pytest
from kit import make_repo

from samoloop.api.doctor import Diagnosis, Level, examine
from samoloop.children import sandbox
from samoloop.children.sandbox import NoSandbox


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "repo")


def said(root: Path, area: str = "sandbox", **more: str) -> list[Diagnosis]:
    return [one for one in examine(root, {**os.environ, "SAMOLOOP_SANDBOX": "auto", **more}) if one.area == area]


def test_the_sandbox_is_named_with_its_version_and_where_it_is_from(root: Path):
    [found] = said(root)
    assert found.level is Level.OK and "bubblewrap 0." in found.text and "caches" in found.text


@pytest.mark.parametrize(("mode", "level"), [("auto", Level.WARNING), ("required", Level.PROBLEM)])
def test_where_there_is_none_it_says_why_and_what_mends_it(
    root: Path, mode: str, level: Level, monkeypatch: pytest.MonkeyPatch
):
    def none() -> None:
        raise NoSandbox("there is no sandbox, because it is not here; mend it with: sudo mend")

    monkeypatch.setattr(sandbox, "find", none)
    found = said(root, SAMOLOOP_SANDBOX=mode)[0]
    assert (found.level, found.advice) == (level, "Mend it with: sudo mend")
    assert "not here" in found.text


def test_what_a_cli_has_in_it_is_said(root: Path, tmp_path: Path):
    program = tmp_path / "bin" / "claude"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho '2.1.197 {\"loggedIn\": true}'\n")
    program.chmod(0o755)
    (Path(os.environ["HOME"]) / ".claude").mkdir()
    (Path(os.environ["HOME"]) / ".claude" / ".credentials.json").touch()  # the one file of it that a child can change
    found = said(root, "claude", PATH=f"{program.parent}:{os.environ['PATH']}")
    texts = [one.text for one in found]
    assert any("in the sandbox it changes ~/.claude" in said and str(tmp_path) in said for said in texts), texts


def test_a_token_in_the_environment_is_a_warning_unless_it_is_the_clis_or_scrubbed(root: Path):
    (root / ".samoloop.yaml").write_text("scrub: [DEPLOY_*]\n")
    leaks = [one.text for one in said(root, GITHUB_TOKEN="x", DEPLOY_TOKEN="x", ANTHROPIC_API_KEY="x")[1:]]
    assert len(leaks) == 1 and leaks[0].startswith("GITHUB_TOKEN of your environment")


def test_a_token_in_a_start_file_and_a_folder_that_all_may_write_are_warnings(root: Path):
    home = Path(os.environ["HOME"])
    (home / ".bashrc").write_text("alias ls='ls -l'\nexport GITHUB_TOKEN=x\n")
    (home / "go" / "bin").mkdir(parents=True)
    (home / "go" / "bin").chmod(0o777)
    leaks = [one.text for one in said(root)[1:]]
    assert leaks == [
        f"{home}/.bashrc, which a child can read, sets GITHUB_TOKEN",
        f"{home}/go/bin, which a child has, can be written by everybody",
    ]
