"""A project with tests of its own, a scripted child, and what the journal says of the checks afterwards."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kit

from samoloop.checks.receipts import Judged, Receipt, Standing, standing
from samoloop.core.session import Session, all_sessions
from samoloop.core.state import State

PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
ADD = "def add(a, b):\n    return a + b\n"
TEST_ADD = """import unittest

from calc import add


class Test(unittest.TestCase):
    def test_add(self):
        self.assertEqual(add(1, 2), 3)
"""
PYTHON = {"calc.py": ADD, "tests/test_calc.py": TEST_ADD, ".gitignore": "__pycache__/\n"}
DONE = """signal '{"status": "done", "summary": "42 passed"}'"""
# A workflow with the gate of a plan, in two children.
PLANNED = {
    ".samoloop/workflows/planned.yaml": "name: planned\nphases: [init, planning, implementation]\n"
    "overrides:\n  implementation: {signals: [continue, waiting, blocked, done]}\n"
}


def child(work: str, plan: str = "") -> str:
    """A child that does `work` in the worktree and claims to be done; in planning it writes the plan first."""
    return f"""
case $SAMOLOOP_PHASE in
planning)
  cat > 11-21-0900-plan-x.md <<'END'
# Plan
- [ ] 1.1 do it
{plan}
END
  plan 11-21-0900-plan-x.md; exit;;
implementation) sed -i 's/\\[ \\]/[x]/' 11-21-0900-plan-x.md;;
esac
cd "$SAMOLOOP_WORKTREE"
{work}
cd "$SAMOLOOP_SESSION_DIR"
date +%s%N > 11-21-0900-result-x.md
{DONE}
"""


@dataclass
class Lab:
    """One project."""

    folder: Path
    root: Path

    @classmethod
    def of(
        cls, folder: Path, files: Mapping[str, str | bytes], child: str, settings: Mapping[str, Any] | None = None
    ) -> "Lab":
        root = kit.scripted_project(folder, child)
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        written = json.loads((root / ".samoloop.yaml").read_text()) | dict(settings or {})
        (root / ".samoloop.yaml").write_text(json.dumps(written))
        kit.git(root, "add", "-A")
        kit.git(root, "commit", "--quiet", "-m", "The project")
        return cls(folder, root)

    def samoloop(self, *words: str, **env: str) -> "subprocess.CompletedProcess[str]":
        return kit.samoloop(self.root, *words, env={"PATH": PATH, **env})

    def run(self, workflow: str = "exec", **env: str) -> "subprocess.CompletedProcess[str]":
        return self.samoloop("run", "Do it", "--workflow", workflow, "--yes", "--no-wait", **env)

    @property
    def session(self) -> Session:
        (found,) = all_sessions(self.root / "_sessions")
        return Session(found.dir)

    @property
    def state(self) -> State:
        return self.session.state()

    @property
    def standing(self) -> Standing:
        return standing(self.session.journal)

    @property
    def runs(self) -> list[Receipt]:
        return list(self.standing.receipts)

    @property
    def verdicts(self) -> list[Judged]:
        return list(self.standing.judged)

    @property
    def branch(self) -> str:
        return self.state.created.branch
