"""Faults by a program, in the pure core: `python tests/mutants/core.py [--only NAME] [--jobs N] [--folder FOLDER]`.

Mutmut makes every small change that it knows to the modules that decide, in a copy of the tree, and runs the fast tests
that reach the changed function. What survives is told, unless `survivors.md` says why it may.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from tree import copy_tree

MODULES = (
    *("rules", "state", "signals", "journal"),
    *("gates/__init__", "gates/qa_answers", "gates/questions", "gates/plan_approval", "gates/human_action"),
    *("gates/file_update", "gates/fields", "gates/folder", "gates/behaviour", "gates/gate"),
)
TESTS = ("rules", "state", "effects_of_records", "evidence", "signals", "journal", "gates", "gate_edges", "questions")
SETTINGS = """
[tool.mutmut]
source_paths = ["samoloop/"]
only_mutate = {modules}
pytest_add_cli_args_test_selection = {tests}
pytest_add_cli_args = ["-p", "no:cacheprovider", "-m", "not slow and not faults"]
also_copy = ["tests", "phase_prompts", "skills", "examples", "docs"]
track_dependencies = false
use_git_change_detection = false
"""
WORTH = 0.95  # of them are killed
ARGUED = Path(__file__).with_name("survivors.md")
KILLED, SURVIVED, UNREACHED = "killed", "survived", "reached by no test"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tests/mutants/core.py", description=__doc__)
    parser.add_argument("--only", metavar="NAME", default="", help="modules whose names begin so, such as rules")
    parser.add_argument("--tests", default=",".join(TESTS), help="which tests, such as rules,state")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at once")
    parser.add_argument("--folder", help="where the copy is put, and stays")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="samoloop-mutants-") as name:
        copy = copy_tree(Path(options.folder or name, "tree"))
        prepare(copy, options.only, options.tests.split(","))
        command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(options.jobs)]
        code = subprocess.run(command, cwd=copy, check=False).returncode
        return code or tell(copy)


def prepare(copy: Path, only: str, names: list[str]) -> None:
    modules = [f"samoloop/core/{module}.py" for module in MODULES if module.startswith(only)]
    tests = [f"tests/test_{name}.py" for name in names]
    with (copy / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(SETTINGS.format(modules=json.dumps(modules), tests=json.dumps(tests)))


def tell(copy: Path) -> int:
    """What became of them, and which survivors nobody has argued."""
    argued = set(re.findall(r"`([\w.ǁ]+__mutmut_\d+)`", ARGUED.read_text(encoding="utf-8")))
    ends: Counter[str] = Counter()
    left = []
    for path in sorted((copy / "mutants").rglob("*.meta")):
        for name, code in json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"].items():
            end = {0: SURVIVED, 33: UNREACHED}.get(code, KILLED)
            ends[end] += 1
            if end is not KILLED and name not in argued:
                left.append(name)
    for name in left:
        shown = subprocess.run(
            [sys.executable, "-m", "mutmut", "show", name], cwd=copy, capture_output=True, text=True, check=False
        )
        print(shown.stdout)
    total = sum(ends.values())
    share = ends[KILLED] / total if total else 0.0
    print(f"{ends[KILLED]} of {total} mutants killed ({share:.1%}); {dict(ends)}; {len(left)} survivors not argued")
    return 0 if share >= WORTH and not left else 1


if __name__ == "__main__":
    sys.exit(main())
