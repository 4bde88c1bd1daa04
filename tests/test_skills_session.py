"""The skills that the children of a session see: the shipped ones, and the project's own before them."""

import re
from pathlib import Path

import pytest
from kit import Bench, make_repo, script

from samoloop.base.errors import ConfigError
from samoloop.config import skills, workflow_files
from samoloop.config.resources import folder
from samoloop.worker import launching

OWN = "---\nname: {name}\ndescription: {words}. Use it here.\n---\n# Own\n\n{words}.\n"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    child = script(tmp_path, """signal '{"status": "done", "summary": "all good"}'""")
    return Bench(make_repo(tmp_path / "repo"), child, {"workflow": "exec"})


def add(root: Path, name: str, words: str) -> Path:
    file = root / ".samoloop" / "skills" / name / "SKILL.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(OWN.format(name=name, words=words))
    return file


def test_without_own_skills_the_shipped_folder_is_offered_and_nothing_copied(tmp_path: Path) -> None:
    assert skills.offer(tmp_path, tmp_path / "_logs") == folder("skills")
    assert list(tmp_path.iterdir()) == []


def test_own_skills_are_offered_beside_the_shipped_ones_and_instead_of_those_of_the_same_name(tmp_path: Path) -> None:
    add(tmp_path, "greet", "Say hello")
    add(tmp_path, "dive", "Dive our way")
    offered = skills.offer(tmp_path, tmp_path / "_logs")
    assert offered == skills.offered(tmp_path, tmp_path / "_logs")
    assert "Say hello" in (offered / "greet" / "SKILL.md").read_text()
    assert "Dive our way" in (offered / "dive" / "SKILL.md").read_text()
    assert (offered / "multi-review" / "references" / "perspectives.md").is_file()
    assert not any(path.is_symlink() for path in offered.rglob("*"))


def test_each_child_sees_the_skills_as_they_are_now_whatever_the_last_one_did_to_them(tmp_path: Path) -> None:
    greet = add(tmp_path, "greet", "Say hello")
    offered = skills.offer(tmp_path, tmp_path / "_logs")
    (offered / "greet" / "SKILL.md").write_text("Say nothing.\n")
    (offered / "mine").mkdir()
    skills.offer(tmp_path, tmp_path / "_logs")
    assert "Say hello" in (offered / "greet" / "SKILL.md").read_text()
    assert not (offered / "mine").exists()
    add(tmp_path, "wave", "Wave")
    greet.unlink()
    greet.parent.rmdir()
    skills.offer(tmp_path, tmp_path / "_logs")
    assert (offered / "wave").is_dir()
    assert not (offered / "greet").exists()


def test_the_prompt_names_skills_that_the_child_can_read(bench: Bench) -> None:
    add(bench.root, "greet", "Say hello")
    text = (folder("phase_prompts") / "exec.md").read_text()
    (bench.root / ".samoloop" / "exec.md").write_text(text.replace("skills: [do]", "skills: [greet, do]"))
    session = bench.session()
    assert bench.run(session).kind == "done"
    told = next(session.logs.glob("001-*.prompt.md")).read_text()
    found = re.search(r"Skills with depth, under `(.+?)`: `(.+?)`, `(.+?)`", told)
    assert found is not None
    assert [(Path(found[1]) / name).is_file() for name in found.groups()[1:]] == [True, True]
    assert found[2] == "greet/SKILL.md"


def test_a_broken_skill_of_the_project_is_refused_before_a_session_is_made(bench: Bench) -> None:
    add(bench.root, "greet", "Say hello").write_text("# Greet\n")
    with pytest.raises(ConfigError, match="must start with front matter"):
        launching.rehearse(bench.config, workflow_files.load("exec", bench.root), {})
