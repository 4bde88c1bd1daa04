"""A skill's child in the box of its project."""

import json
from pathlib import Path

from kit import make_repo, samoloop, script


def test_a_skill_s_child_finds_its_prompt_and_works_in_the_folder_alone(tmp_path: Path):
    root = make_repo(tmp_path / "repo")
    child = script(tmp_path, 'cd - > /dev/null; cp "$1" told.md; echo x > .git/x; echo done\n')
    command = {"command": [str(child), "{prompt_file}"], "prompt": "file", "output": "text"}
    (root / ".samoloop.yaml").write_text(json.dumps({"provider": "mine", "providers": {"mine": command}}))
    done = samoloop(root, "skills", "run", "dive", "the limits")
    assert done.returncode == 0, done.stderr
    assert "the limits" in (root / "told.md").read_text()
    assert not (root / ".git" / "x").exists()
