"""Installing skills: where they go, what a person edited stays, nothing is written where anything is wrong."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kit import make_repo, samoloop

from samoloop import __version__
from samoloop.api import skill_install
from samoloop.api.skill_install import RECORD, InstallRecord, Standing, Target
from samoloop.base.errors import UsageError
from samoloop.base.files import sha256
from samoloop.config.resources import folder as resource
from samoloop.config.skills import Skill

SHIPPED = {path.name for path in resource("skills").iterdir()}


def greet(body: str = "Say hello.\n", **files: str) -> Skill:
    """A skill as some version ships it."""
    found = {"SKILL.md": body, **{name.replace("_", "."): text for name, text in files.items()}}
    return Skill("greet", "Greet.", body, Path("greet"), {name: text.encode() for name, text in found.items()})


def target(root: Path) -> Target:
    return Target("project", root, root / ".agents" / "skills")


def install(root: Path, *skills: Skill, force: bool = False, whole: bool = True) -> skill_install.InstallPlan:
    plan = skill_install.plan_install(skills, target(root), force=force, whole=whole)
    skill_install.carry_out(plan)
    return plan


def uninstall(root: Path, *names: str, force: bool = False) -> skill_install.Removal:
    removal = skill_install.plan_uninstall(names, target(root), force=force)
    skill_install.take_away(removal)
    return removal


def tree(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir()}


def text(root: Path, name: str = "greet/SKILL.md") -> str:
    return (target(root).folder / name).read_text()


# --- what is written, replaced, removed -------------------------------------------------------------------------------


def test_what_is_installed_is_recorded_with_version_and_hashes(tmp_path: Path) -> None:
    install(tmp_path, greet("Say hello.\n", more_md="More.\n"))
    record = json.loads((target(tmp_path).folder / RECORD).read_text())["skills"]["greet"]
    assert record == {
        "version": __version__,
        "files": {"SKILL.md": sha256("Say hello.\n"), "more.md": sha256("More.\n")},
    }


def test_a_new_version_replaces_what_nobody_edited_and_drops_its_old_files(tmp_path: Path) -> None:
    install(tmp_path, greet("Say hello.\n", old_md="Old.\n"))
    plan = install(tmp_path, greet("Say good day.\n", new_md="New.\n"))
    assert [skill.name for skill in plan.upgrade] == ["greet"]
    assert text(tmp_path) == "Say good day.\n"
    assert tree(target(tmp_path).folder) == {RECORD, "greet/SKILL.md", "greet/new.md"}


def test_what_the_person_edited_stays_and_is_shown_as_a_difference(tmp_path: Path) -> None:
    install(tmp_path, greet("Say hello.\n"))
    (target(tmp_path).folder / "greet" / "SKILL.md").write_text("Say moin.\n")
    plan = install(tmp_path, greet("Say good day.\n"))
    assert text(tmp_path) == "Say moin.\n"
    assert "-Say moin." in plan.kept["greet"]
    assert "+Say good day." in plan.kept["greet"]


@pytest.mark.parametrize("edit", ["changed", "removed"])
def test_force_replaces_what_the_person_edited(tmp_path: Path, edit: str) -> None:
    install(tmp_path, greet("Say hello.\n", more_md="More.\n"))
    file = target(tmp_path).folder / "greet" / "more.md"
    if edit == "changed":
        file.write_text("Less.\n")
    else:
        file.unlink()
    assert list(install(tmp_path, greet("Say hello.\n", more_md="More.\n")).kept) == ["greet"]
    install(tmp_path, greet("Say hello.\n", more_md="More.\n"), force=True)
    assert file.read_text() == "More.\n"


def test_a_file_of_the_persons_inside_our_skill_survives_upgrade_and_uninstall(tmp_path: Path) -> None:
    install(tmp_path, greet("Say hello.\n"))
    (target(tmp_path).folder / "greet" / "mine.md").write_text("Mine.\n")
    install(tmp_path, greet("Say good day.\n"))
    assert text(tmp_path) == "Say good day.\n"
    uninstall(tmp_path)
    assert tree(tmp_path) == {".agents/skills/greet/mine.md"}


def test_a_skill_that_the_person_threw_away_comes_back_with_install(tmp_path: Path) -> None:
    install(tmp_path, greet())
    shutil.rmtree(target(tmp_path).folder / "greet")
    assert [skill.name for skill in install(tmp_path, greet()).install] == ["greet"]


def test_an_installation_that_was_cut_off_is_completed(tmp_path: Path) -> None:
    skill = greet("Say hello.\n", more_md="More.\n")
    (target(tmp_path).folder / "greet").mkdir(parents=True)
    (target(tmp_path).folder / "greet" / "SKILL.md").write_text("Say hello.\n")
    install(tmp_path, skill)
    assert text(tmp_path, "greet/more.md") == "More.\n"


def test_an_upgrade_that_was_cut_off_is_completed(tmp_path: Path) -> None:
    install(tmp_path, greet("Say hello.\n", more_md="More.\n"))
    (target(tmp_path).folder / "greet" / "SKILL.md").write_text("Say good day.\n")  # new already, the record is old
    plan = install(tmp_path, greet("Say good day.\n", more_md="Most.\n"))
    assert not plan.kept
    assert text(tmp_path, "greet/more.md") == "Most.\n"


def test_a_skill_that_is_shipped_no_more_goes_unless_it_was_edited(tmp_path: Path) -> None:
    other = Skill("wave", "Wave.", "Wave.\n", Path("wave"), {"SKILL.md": b"Wave.\n"})
    install(tmp_path, greet(), other)
    install(tmp_path, greet(), whole=False)
    assert text(tmp_path, "wave/SKILL.md") == "Wave.\n"
    assert list(install(tmp_path, greet()).retire) == ["wave"]
    assert not (target(tmp_path).folder / "wave").exists()


def test_uninstall_leaves_nothing_but_what_is_the_persons(tmp_path: Path) -> None:
    install(tmp_path, greet())
    uninstall(tmp_path)
    assert list(tmp_path.iterdir()) == []
    install(tmp_path, greet())
    (target(tmp_path).folder / "greet" / "SKILL.md").write_text("Say moin.\n")
    own = target(tmp_path).folder / "own"
    own.mkdir()
    (own / "SKILL.md").write_text("Mine.\n")
    assert list(uninstall(tmp_path).kept) == ["greet"]
    assert text(tmp_path) == "Say moin.\n"
    uninstall(tmp_path, force=True)
    assert tree(tmp_path) == {".agents/skills/own/SKILL.md"}


# --- nothing is written where anything is wrong -----------------------------------------------------------------------


def refused(root: Path, sentence: str) -> None:
    before = tree(root)
    with pytest.raises(UsageError, match=sentence) as found:
        install(root, greet())
    assert "\n" not in str(found.value)
    assert tree(root) == before


@pytest.mark.parametrize("link", [".agents", ".agents/skills", ".agents/skills/greet"])
def test_nothing_is_written_through_a_link(tmp_path: Path, link: str) -> None:
    root, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    (root / link).parent.mkdir(parents=True)
    elsewhere.mkdir()
    (root / link).symlink_to(elsewhere)
    refused(root, "is a link to .*elsewhere: skills are only written into real folders")
    assert list(elsewhere.iterdir()) == []


def test_a_linked_file_inside_the_skill_is_not_written_through(tmp_path: Path) -> None:
    root = tmp_path / "project"
    install(root, greet())
    (root / "secret").write_text("secret\n")
    file = target(root).folder / "greet" / "SKILL.md"
    file.unlink()
    file.symlink_to(root / "secret")
    refused(root, "SKILL.md is a link; move it away")


def test_the_home_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "real")
    install(tmp_path / "home", greet())
    assert (tmp_path / "real" / ".agents" / "skills" / "greet" / "SKILL.md").is_file()


@pytest.mark.parametrize("file", [".agents", ".agents/skills", ".agents/skills/greet"])
def test_a_file_where_a_folder_must_be_is_named(tmp_path: Path, file: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text("mine\n")
    refused(tmp_path, "is no folder")


def test_the_persons_own_skill_of_the_same_name_is_never_touched(tmp_path: Path) -> None:
    path = target(tmp_path).folder / "greet"
    path.mkdir(parents=True)
    (path / "SKILL.md").write_text("My own.\n")
    refused(tmp_path, "greet is a skill of your own, so nothing was installed")
    with pytest.raises(UsageError, match="a skill of your own"):
        install(tmp_path, greet(), force=True)


@contextmanager
def nobody() -> Iterator[None]:
    """Not root for a moment: root may write anywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_read_only_folder_is_named_before_anything_is_written() -> None:
    root = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        (root / ".agents").mkdir()
        (root / ".agents").chmod(0o555)
        root.chmod(0o755)
        with nobody():
            refused(root, r"\.agents is read-only for you")
    finally:
        (root / ".agents").chmod(0o755)
        shutil.rmtree(root)


DAMAGED = {
    "no JSON": "{",
    "another shape": '{"skills": []}',
    "a path that leads out": '{"skills": {"greet": {"files": {"../../../notes.txt": "x"}}}}',
    "a name that leads out": '{"skills": {"../x": {"files": {}}}}',
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_record_is_named_and_deletes_nothing(tmp_path: Path, content: str) -> None:
    install(tmp_path, greet())
    (target(tmp_path).folder / RECORD).write_text(content)
    refused(tmp_path, RECORD)
    with pytest.raises(UsageError, match=RECORD):
        uninstall(tmp_path)


# --- where they go ----------------------------------------------------------------------------------------------------


def test_claude_has_a_folder_of_its_own_and_the_others_share_one(tmp_path: Path) -> None:
    def folders(*readers: str, **environ: str) -> list[str]:
        found = skill_install.targets(readers, "user", tmp_path, environ)
        return [at.folder.relative_to(tmp_path).as_posix() for at in found]

    assert folders() == [".claude/skills", ".agents/skills"]
    assert folders("claude") == [".claude/skills"]
    assert folders("codex", "gemini", "opencode", "cursor", "agents") == [".agents/skills"]
    assert folders("claude", CLAUDE_CONFIG_DIR=str(tmp_path / "my-claude")) == ["my-claude/skills"]
    with pytest.raises(UsageError, match="--for emacs: it is not known"):
        folders("claude", "emacs")


def test_a_skill_stands_as_absent_current_outdated_edited_or_own(tmp_path: Path) -> None:
    def standing(skill: Skill) -> Standing:
        folder = target(tmp_path).folder
        return skill_install.standing_of(skill, folder, skill_install.read_record(folder))

    assert standing(greet()) is Standing.ABSENT
    install(tmp_path, greet())
    assert standing(greet()) is Standing.CURRENT
    assert standing(greet("Say good day.\n")) is Standing.OUTDATED
    (target(tmp_path).folder / "greet" / "SKILL.md").write_text("Say moin.\n")
    assert standing(greet()) is Standing.EDITED
    assert skill_install.standing_of(greet(), target(tmp_path).folder, InstallRecord()) is Standing.OWN


# --- the command ------------------------------------------------------------------------------------------------------


def rows(folder: Path) -> dict[str, Any]:
    done = samoloop(folder, "skills", "list", "--json")
    assert done.returncode == 0, done.stderr
    return {row["name"]: row for row in json.loads(done.stdout)}


def test_install_without_options_is_for_the_person_and_for_every_cli(tmp_path: Path, own_home: Path) -> None:
    done = samoloop(tmp_path, "skills", "install")
    assert done.returncode == 0, done.stderr
    assert "/dive in Claude Code, $dive in Codex" in done.stdout
    for place in (".claude", ".agents"):
        assert {path.name for path in (own_home / place / "skills").iterdir()} == SHIPPED | {RECORD}
    assert list(tmp_path.iterdir()) == []


def test_the_life_of_an_installed_skill_by_commands(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo")
    (repo / "src").mkdir()
    assert samoloop(repo / "src", "skills", "install", "--project", "--for", "claude").returncode == 0
    dive = repo / ".claude" / "skills" / "dive" / "SKILL.md"
    assert not (repo / ".agents").exists()
    dive.write_text(dive.read_text() + "Be brief.\n")
    assert [at["standing"] for at in rows(repo)["dive"]["installed"]] == ["edited"]
    assert rows(repo)["task"]["installed"] == [
        {"folder": str(dive.parents[1]), "scope": "project", "version": __version__, "standing": "current"}
    ]
    again = samoloop(repo, "skills", "install", "--project", "--for", "claude")
    assert again.returncode == 0
    assert "-Be brief." in again.stderr
    assert "dive stays as you edited it" in again.stderr
    removed = samoloop(repo, "skills", "uninstall", "--project")
    assert "kept, because you edited it: dive" in removed.stdout
    assert tree(repo / ".claude") == {"skills/dive/SKILL.md", f"skills/{RECORD}"}


def test_a_skill_that_the_person_keeps_elsewhere_and_links_is_listed_as_their_own(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo")
    (tmp_path / "dotfiles").mkdir()
    (repo / ".claude" / "skills").mkdir(parents=True)
    (repo / ".claude" / "skills" / "dive").symlink_to(tmp_path / "dotfiles")
    assert [at["standing"] for at in rows(repo)["dive"]["installed"]] == ["own"]


def test_all_folders_are_checked_before_one_is_written(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo")
    own = repo / ".agents" / "skills" / "dive"
    own.mkdir(parents=True)
    (own / "SKILL.md").write_text("My own.\n")
    done = samoloop(repo, "skills", "install", "--project")
    assert done.returncode == 2
    assert "a skill of your own" in done.stderr
    assert not (repo / ".claude").exists()
    assert samoloop(repo, "skills", "install", "do", "--project").returncode == 0
    assert (repo / ".agents" / "skills" / "do" / "SKILL.md").is_file()


def test_uninstalling_what_was_never_installed_is_refused(tmp_path: Path) -> None:
    done = samoloop(tmp_path, "skills", "uninstall", "dive")
    assert done.returncode == 2
    assert "dive was not installed by samoloop" in done.stderr
