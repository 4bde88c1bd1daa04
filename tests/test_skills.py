"""What a skill must be, and what is said of one that is not."""

import contextlib
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import samoloop

from samoloop.base.errors import ConfigError, UsageError
from samoloop.config import skills
from samoloop.config.resources import folder as resource

GOOD = "---\nname: greet\ndescription: Greet people. Use when somebody comes in.\n---\n# Greet\n\nSay hello.\n"


def project(folder: Path, name: str = "greet", text: str = GOOD) -> Path:
    """A project with a skill of its own."""
    path = folder / "project" / ".samoloop" / "skills" / name
    path.mkdir(parents=True)
    (path / "SKILL.md").write_text(text)
    return folder / "project"


def test_the_shipped_skills_are_all_usable() -> None:
    found, problems = skills.look(None)
    assert problems == []
    assert {"dive", "do2", "samoloop-run"} <= {skill.name for skill in found}


def test_a_skill_holds_every_file_of_its_folder() -> None:
    (review,) = skills.choose(skills.available(None), ["multi-review"])
    assert {"SKILL.md", "references/perspectives.md"} <= review.files.keys()
    assert not review.body.startswith("---")


def test_a_project_adds_skills_and_replaces_shipped_ones(tmp_path: Path) -> None:
    root = project(tmp_path)
    own = project(tmp_path / "other", "dive", GOOD.replace("greet", "dive"))
    assert [skill.description for skill in skills.available(root) if skill.name == "greet"] == [
        "Greet people. Use when somebody comes in."
    ]
    (dive,) = skills.choose(skills.available(own), ["dive"])
    assert dive.folder == own / ".samoloop" / "skills" / "dive"


BROKEN = {
    "no front matter": ("greet", "# Greet\n", "must start with front matter"),
    "no YAML": ("greet", "---\nname: [greet\n---\nSay hello.\n", "its front matter cannot be used"),
    "no date": ("greet", GOOD.replace("Greet people", "2026-99-99 #"), "its front matter cannot be used"),
    "too deep": ("greet", GOOD.replace("Greet people", "[" * 4000 + "]" * 4000), "its front matter cannot be used"),
    "an unknown key": ("greet", GOOD.replace("name:", "modle: opus\nname:"), "modle: unknown key"),
    "capitals": ("Greet", GOOD.replace("greet", "Greet"), "lower-case letters"),
    "two hyphens": ("gr--eet", GOOD.replace("greet", "gr--eet"), "single hyphens"),
    "65 letters": ("g" * 65, GOOD.replace("greet", "g" * 65), "at most 64"),
    "another name": ("hello", GOOD, "must be the folder's, 'hello'"),
    "no description": (
        "greet",
        "---\nname: greet\n---\nSay hello.\n",
        "it needs description: a sentence or two that say when to use it",
    ),
    "a long description": ("greet", GOOD.replace("Greet people", "x" * 1025), "at most 1024"),
    "no body": ("greet", GOOD.partition("# Greet")[0], "no instructions"),
}


@pytest.mark.parametrize(("name", "text", "sentence"), BROKEN.values(), ids=BROKEN)
def test_a_broken_skill_is_one_sentence_with_its_file(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as found:
        skills.available(project(tmp_path, name, text))
    assert sentence in str(found.value)
    assert f"{name}/SKILL.md: " in str(found.value)
    assert "\n" not in str(found.value)


def test_a_start_looks_at_the_projects_own_and_not_at_those_that_always_can_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, read, looked_at = project(tmp_path), skills.read, []

    def noted(path: Path) -> skills.Skill:
        looked_at.append(path.name)
        return read(path)

    monkeypatch.setattr(skills, "read", noted)
    skills.refuse_broken(root)
    assert looked_at == ["greet"]
    (root / ".samoloop" / "skills" / "greet" / "SKILL.md").write_text("")
    with pytest.raises(ConfigError, match="must start with front matter"):
        skills.refuse_broken(root)


def test_a_link_or_text_that_is_none_inside_a_skill_is_refused(tmp_path: Path) -> None:
    root = project(tmp_path)
    folder = root / ".samoloop" / "skills" / "greet"
    (folder / "passwords.md").symlink_to("/etc/hostname")
    with pytest.raises(ConfigError, match=r"passwords\.md is a link"):
        skills.available(root)
    (folder / "passwords.md").unlink()
    (folder / "SKILL.md").write_bytes(b"---\n\xff\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        skills.available(root)


def test_an_unknown_skill_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        UsageError,
        match=r"there is no skill 'dvie' \(did you mean dive\?\); there are: address-review, ask-another, cleanup",
    ):
        skills.choose(skills.available(None), ["dvie"])


@pytest.mark.parametrize("command", ["install", "list"])
def test_no_command_works_over_a_broken_skill(tmp_path: Path, command: str) -> None:
    root = project(tmp_path, text="# Greet\n")
    place = ["--project"] if command == "install" else []
    done = samoloop(root, "skills", *command.split(), *place)
    assert done.returncode == 2, done.stdout
    assert "must start with front matter" in done.stderr
    assert {path.name for path in root.iterdir()} <= {".samoloop"}


def check(root: Path) -> tuple[int, str]:
    done = samoloop(root, "workflows", "check")
    return done.returncode, done.stdout + done.stderr


def test_workflows_check_reads_the_projects_skills_too(tmp_path: Path) -> None:
    root = project(tmp_path)
    (root / ".samoloop.yaml").write_text("provider: demo\n")
    code, said = check(root)
    assert code == 0, said
    assert "skills: 22 usable" in said
    (root / ".samoloop" / "skills" / "greet" / "SKILL.md").write_text("# Greet\n")
    code, said = check(root)
    assert code == 2
    assert "must start with front matter" in said


def test_workflows_check_names_what_stands_in_for_a_shipped_file(tmp_path: Path) -> None:
    root = project(tmp_path)
    (root / ".samoloop.yaml").write_text("provider: demo\n")
    shutil.copy(resource("phase_prompts") / "review.md", root / ".samoloop")
    assert f"{root / '.samoloop' / 'review.md'} is used instead of the shipped one" in check(root)[1]


@given(st.text(max_size=200))
def test_whatever_the_front_matter_holds_a_skill_is_read_or_refused(front: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "greet"
        folder.mkdir()
        (folder / "SKILL.md").write_text(f"---\n{front}\n---\n# Greet\n", encoding="utf-8", errors="replace")
        with contextlib.suppress(ValueError):
            assert skills.read(folder).name == "greet"
