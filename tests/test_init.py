"""The settings file that `init` writes, and that it stays true to what is read."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from kit import make_repo, samoloop

from samoloop.base.errors import UsageError
from samoloop.config import keys, loading, starter
from samoloop.config.loading import Config
from samoloop.config.schema import field_names
from samoloop.providers import installed

SHOWN = {key.name for key in keys.CONFIG.keys if not key.personal}


def without_comment_marks(text: str) -> str:
    """Every setting set: the first # of a line is taken away, but from the lines of words, which have two."""
    return re.sub(r"^# ?(?!#)", "", re.sub(r"^##", "  ##", text, flags=re.MULTILINE), flags=re.MULTILINE)


def load(root: Path, text: str) -> Config:
    (root / loading.FILE_NAME).write_text(text)
    return loading.load(root, {"HOME": str(root)})


def test_the_file_as_written_sets_nothing_but_the_provider(tmp_path: Path) -> None:
    assert yaml.safe_load(starter.text("codex")) == {"provider": "codex"}
    found = load(tmp_path, starter.text("codex"))
    defaults = loading.load(tmp_path / "none", {"HOME": str(tmp_path)}, {"provider": "codex"})
    known = {key: value for key, value in vars(found).items() if key not in ("root", "sources")}
    assert known == {key: value for key, value in vars(defaults).items() if key not in ("root", "sources")}


def test_what_an_old_file_set_stays_set(tmp_path: Path) -> None:
    (tmp_path / ".samocode").write_text("SESSIONS=../my sessions/\nWORKTREES=~/trees\nMAIN_REPO=.\n")
    (tmp_path / ".env").write_text("GIT_BRANCH_PREFIX=me\n")
    done = samoloop(tmp_path, "init", "--provider", "codex")
    said = " ".join(done.stdout.split())
    assert f"From now on {tmp_path / '.samocode'} is not read" in said
    assert "taken over from it: sessions, worktrees, branch_prefix" in said
    found = yaml.safe_load((tmp_path / ".samoloop.yaml").read_text())
    assert found == {
        "provider": "codex",
        "sessions": "../my sessions/",
        "worktrees": "~/trees",
        "branch_prefix": "me/",
    }
    assert loading.load(tmp_path, {"HOME": str(tmp_path / "home")}).branch_prefix == "me/"


def test_every_known_key_is_shown_and_can_be_set(tmp_path: Path) -> None:
    text = without_comment_marks(starter.text("claude"))
    shown: dict[str, Any] = yaml.safe_load(text)
    assert set(shown) == SHOWN
    load(tmp_path, text)


def test_what_is_no_example_is_the_default(tmp_path: Path) -> None:
    text = without_comment_marks(starter.text("claude"))
    examples = set(re.findall(r"^(\w+):.*# example", text, flags=re.MULTILINE))
    found = load(tmp_path, text)
    defaults = loading.load(tmp_path / "none", {"HOME": str(tmp_path)})
    assert examples == {
        *("model", "effort", "profile", "setup", "checks", "review", "phases", "providers", "announce", "mcp")
    }
    for key in SHOWN - examples:
        field = field_names(Config)[key]
        assert getattr(found, field) == getattr(defaults, field), key


@pytest.mark.parametrize("provider", ["claude", "codex"])
def test_the_words_name_the_variables_as_they_are(provider: str) -> None:
    assert "SAMOLOOP_PROVIDER, CLAUDE_MODEL" in starter.text(provider)


def test_every_key_of_a_phase_is_named() -> None:
    words = re.search(r"the keys are ([^;]*?)\.", starter.text("claude").replace("\n## ", " "))
    assert words is not None
    assert set(re.findall(r"\w+", words[1])) - {"and"} == set(keys.PHASE.names)


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / loading.FILE_NAME).write_text("provider: mini\n")
    with pytest.raises(UsageError, match="is there already"):
        starter.write(tmp_path, "claude")
    assert (tmp_path / loading.FILE_NAME).read_text() == "provider: mini\n"


def test_init_in_a_subfolder_writes_to_the_checkout_and_names_the_next_step(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo")
    (repo / "src").mkdir()
    done = samoloop(repo / "src", "init", "--provider", "demo")
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load((repo / loading.FILE_NAME).read_text()) == {"provider": "demo"}
    assert "samoloop doctor" in done.stdout
    again = samoloop(repo, "init")
    assert again.returncode == 2
    assert "is there already" in again.stderr


def test_the_first_installed_cli_is_chosen(tmp_path: Path) -> None:
    program = tmp_path / "gemini"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert installed({"PATH": str(tmp_path)}) == ["gemini"]
    assert installed({"PATH": ""}) == []
