"""What git costs an iteration: commit and checkpoint against a plain `git status` in the same repository and run.

    python benchmarks/git_bench.py                 a small repository
    python benchmarks/git_bench.py --files 50000

Every round changes one file of the project, adds one, and changes one file of the session, as a child would.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from measure import Row

from samoloop.base.files import make_ignored_folder
from samoloop.git import calls as git
from samoloop.git import checkpoint
from samoloop.git.commit import commit
from samoloop.git.repo import Repo
from samoloop.git.worktree import Worktree

LIMIT = 3.0  # commit and checkpoint together, times `git status`, in a large repository
Result = TypeVar("Result")


class Table:
    """Milliseconds and git processes of each step, round by round."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, list[float]] = {}
        self.processes: dict[str, int] = {}
        self._started = 0
        execute = git.execute

        def counting(*args: Any, **named: Any) -> Any:
            self._started += 1
            return execute(*args, **named)

        git.execute = counting

    def time(self, name: str, step: Callable[[], Result]) -> Result:
        """Run one step and note what it took."""
        self._started = 0
        start = time.perf_counter()
        result = step()
        self.milliseconds.setdefault(name, []).append((time.perf_counter() - start) * 1000)
        self.processes[name] = self._started
        return result

    def show(self, title: str, floor: str) -> None:
        """Print medians, with their ratio to the step called `floor`. The first round warmed the caches."""
        medians = {name: statistics.median(values[1:]) for name, values in self.milliseconds.items()}
        print(f"{title}\n{'':<28}{'ms':>8}{'× ' + floor:>16}{'git processes':>16}")
        for name, median in medians.items():
            processes = self.processes[name] or "-"
            print(f"{name:<28}{median:>8.1f}{median / medians[floor]:>16.2f}{processes:>16}")


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=20, help="files in the repository (default: 20)")
    parser.add_argument("--rounds", type=int, default=20, help="iterations to measure (default: 20)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="samoloop-bench-") as folder:
        isolate(Path(folder))
        table = measure(make_repository(Path(folder) / "project", options.files), options.rounds)
    table.show(f"{options.files} files, {options.rounds} rounds, medians", "git status")


def rows(folder: Path) -> list[Row]:
    """The line for the README's table."""
    before = dict(os.environ)
    folder.mkdir(parents=True, exist_ok=True)
    isolate(folder)
    try:
        table = measure(make_repository(folder / "project", 50_000), 10)
    finally:
        os.environ.clear()
        os.environ.update(before)
    medians = {name: statistics.median(values[1:]) for name, values in table.milliseconds.items()}
    ratio = medians["both"] / medians["git status"]
    figure = f"{medians['both']:.0f} ms = {ratio:.2f} × git status"
    return [Row("commit and checkpoint of a small change, 50,000 files", figure, "< 3 × git status", ratio < 3)]


def isolate(home: Path) -> None:
    """No configuration of the person's takes part."""
    os.environ.update(HOME=str(home), GIT_CONFIG_NOSYSTEM="1")
    (home / ".gitconfig").write_text("[user]\n\tname = Bench\n\temail = bench@example.org\n")


def make_repository(root: Path, files: int) -> Path:
    """A repository with `files` small files, a hundred to a folder."""
    for number in range(files):
        path = root / f"part{number // 10_000}" / f"module{number // 100}" / f"file{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"value = {number}\n" * 5)
    plain(root, "init", "--quiet")
    plain(root, "add", ".")
    plain(root, "commit", "--quiet", "-m", "Start")
    return root


def measure(root: Path, rounds: int) -> Table:
    """Play `rounds` iterations and one more to warm up."""
    repo = Repo.find(root)
    for folder in ("_sessions", ".samoloop/worktrees"):
        make_ignored_folder(root / folder)
    base = repo.resolve("HEAD")
    worktree = repo.add_worktree(root / ".samoloop/worktrees/bench", "samoloop/bench", base)
    session = root / "_sessions/bench"
    session.mkdir(parents=True)
    for number in range(8):
        (session / f"11-21-0930-dive-{number}.md").write_text("A line of findings.\n" * 50)
    table = Table()
    for number in range(rounds + 1):
        iterate(table, worktree, session, number, base)
        base = worktree.head() or base
    return table


def iterate(table: Table, worktree: Worktree, session: Path, number: int, base: str) -> None:
    """One child's work, then the worker's."""
    folder = worktree.root / "part0/module0"
    (folder / "file0.py").write_text(f"changed = {number}\n")
    (folder / f"new{number}.py").write_text(f"new = {number}\n")
    (session / "_overview.md").write_text(f"# Bench\nIteration: {number}\n")
    table.time("git status", lambda: plain(worktree.root, "status", "--porcelain=v2", "-uall"))

    def both() -> None:
        done = table.time("commit of a small change", lambda: commit(worktree, f"Work {number}", since=base))
        assert done.oid, "nothing was committed, so nothing was measured"
        table.time(
            "checkpoint",
            lambda: checkpoint.make(
                worktree, session, checkpoint.ref_name("bench"), done.snapshot, summary=f"{number:03d} bench"
            ),
        )

    before = sum(table.processes.get(name, 0) for name in ("commit of a small change", "checkpoint"))
    table.time("both", both)
    table.processes["both"] = before
    table.time("commit, nothing to commit", lambda: commit(worktree, "Nothing", since=worktree.head() or base))


def plain(where: Path, *args: str) -> None:
    """Git as a person calls it."""
    subprocess.run(["git", *args], cwd=where, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
