"""`add` and `backlog` as a person types them."""

import json
import os
import sys
from pathlib import Path

import pytest
from kit import make_repo, samoloop

from samoloop.config import projects


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "repo")


def editor(tmp_path: Path, content: str) -> dict[str, str]:
    """An editor that leaves this."""
    path = tmp_path / "editor"
    path.write_text(f"#!{sys.executable}\nimport sys\nopen(sys.argv[1], 'w').write({content!r})\n")
    path.chmod(0o755)
    return {"EDITOR": str(path), "VISUAL": ""}


@pytest.mark.slow
def test_a_task_is_added_shown_and_named_in_what_is_refused(root):
    assert samoloop(root, "add", "Build the store", "--max-cost", "5").returncode == 0
    assert (root / ".samoloop/backlog/build-the-store.md").read_text() == (
        '---\nceilings: {"cost": 5.0}\n---\nBuild the store\n'
    )
    assert root in projects.registered(os.environ)
    done = samoloop(root, "add", "An API", "--after", "build-the-stor")
    assert done.returncode == 2 and "did you mean build-the-store?" in done.stderr
    samoloop(root, "add", "An API", "--after", "build-the-store", "--priority", "2")
    shown = samoloop(root, "backlog").stdout
    assert shown == "build-the-store  ready\n└ an-api         after  build-the-store\n"
    rows = json.loads(samoloop(root, "backlog", "--all", "--json").stdout)
    assert [(row["name"], row["stands"], row["after"], row["priority"]) for row in rows] == [
        *(("build-the-store", "ready", [], 0), ("an-api", "after", ["build-the-store"], 2))
    ]


@pytest.mark.slow
def test_a_time_that_is_past_and_a_schedule_that_never_comes_are_refused(root):
    for words, said in (
        (("--at", "2020-01-01"), "is past"),
        (("--every", "0 0 30 2 *"), "never comes"),
        (("--at", "soon"), "a time is a day and an hour"),
    ):
        done = samoloop(root, "add", "x", *words)
        assert done.returncode == 2 and said in done.stderr
    assert not (root / ".samoloop").exists()


@pytest.mark.slow
def test_what_is_edited_and_cannot_be_added_is_not_lost(root, tmp_path):
    done = samoloop(root, "add", "--edit", env=editor(tmp_path, "---\npriorty: 1\n---\nMine\n"), input="q\n")
    assert done.returncode == 2 and "did you mean priority?" in done.stderr
    kept = Path(done.stderr.partition("Your text is kept in ")[2].splitlines()[0])
    assert kept.read_text() == "---\npriorty: 1\n---\nMine\n"
    assert samoloop(root, "add", "--edit", env=editor(tmp_path, "Mine\n")).returncode == 0
    assert (root / ".samoloop/backlog/mine.md").read_text() == "Mine\n"


def test_a_backlog_is_none_of_the_settings_so_that_adding_to_it_holds_no_session(root):
    from samoloop.config import loading
    from samoloop.config.settings_files import settings_files

    samoloop(root, "add", "x")
    assert settings_files(loading.load(root, {})) == {}
