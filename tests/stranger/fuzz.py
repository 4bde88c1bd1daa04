"""A child that does random things to everything in its reach: `python tests/stranger/fuzz.py [--runs N] [--seed N]`.

It puts links, pipes, folders, devices, hard links, garbage or nothing in the place of what lies in worktree, session
folder, control folder and the worktree's own git files, while people use every command. Each run checks from outside:
no byte of the person's changed, nothing hung for half a minute, no traceback, no gate passed that nobody closed, and
the session goes on or says how. Exit code 1 where anything was violated.
"""

import argparse
import concurrent.futures
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from kit import make_repo  # noqa: E402

HANG_SECONDS = 30
GATED = {"planning", "implementation", "testing", "quality", "done"}  # behind a gate that nobody closes
COMMANDS = (
    ["resume", "a", "--no-wait"],
    ["resume", "a", "-m", "go on", "--no-wait"],
    ["rewind", "a", "1"],
    ["rewind", "a", "0"],
    ["fork", "a", "1", "--session", "b"],
    ["archive", "a", "--force"],
    ["up", "--once"],
    ["status", "a"],
    ["list"],
    ["log", "a"],
    ["diff", "a"],
    ["questions", "a"],
    ["stop", "a"],
    ["tell", "a", "go on"],
    ["repair", "a"],
    ["prompt", "a"],
)
TEXT = ("Traceback", "fault of samoloop")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    began, bad = time.monotonic(), 0
    ends: Counter[str] = Counter()
    seeds = range(options.seed, options.seed + options.runs)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for seed, (violations, end, folder) in zip(seeds, pool.map(one_run, seeds), strict=True):
            ends[end] += 1
            for violation in violations:
                print(f"VIOLATION with --seed {seed} --runs 1, kept in {folder}:\n  {violation}", flush=True)
            bad += bool(violations)
    print(
        f"{options.runs} runs, seeds from {options.seed}, {time.monotonic() - began:.0f} s; sessions ended {dict(ends)}"
    )
    print(f"violations: {bad}")
    return 1 if bad else 0


def one_run(seed: int) -> tuple[list[str], str, Path]:
    """What was violated, how the session ended, and where it lies."""
    chance = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="samoloop-fuzz-"))
    root, outside = lay_out(folder, seed)
    before = content(root, outside)
    closes_gates = chance.random() < 0.5
    environ = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environ |= {"HOME": str(folder / "home"), "PYTHONPATH": str(HERE.parents[1]), "SAMOLOOP_SANDBOX": "off"}
    violations: list[str] = []

    def samoloop(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "samoloop", *words]
        try:
            done = subprocess.run(
                command, cwd=root, env=environ, capture_output=True, text=True, errors="replace", timeout=HANG_SECONDS
            )
        except subprocess.TimeoutExpired:
            violations.append(f"{words} hung for {HANG_SECONDS} s")
            return subprocess.CompletedProcess(command, -1, "", "")
        said = done.stdout + done.stderr
        violations.extend(f"{words} said {text}: {said[-1500:]}" for text in TEXT if text in said)
        if done.returncode not in (0, 1, 2, 3, 4, 5):
            violations.append(f"{words} ended with {done.returncode}: {said[-500:]}")
        if done.returncode and not said.strip():
            violations.append(f"{words} ended with {done.returncode} and said nothing")
        return done

    samoloop("run", "Task", "--session", "a", "--yes" if closes_gates else "--no-wait")
    for words in chance.sample(COMMANDS, 6):
        samoloop(*words)
    samoloop("repair", "a")
    (folder / "good").touch()  # from now on the child is a good one
    samoloop("resume", "a", "--no-wait")
    end = samoloop("resume", "a", *(["--yes"] if closes_gates else []), "--no-wait")
    after = content(root, outside)
    changed = sorted({name for name, _ in before.items() ^ after.items()})
    violations += [f"changed outside: {name}" for name in changed]
    phases = set((folder / "ledger").read_text().split()) if (folder / "ledger").exists() else set()
    if not phases:
        violations.append("no child ran, so nothing was tried")
    if not closes_gates and phases & GATED:
        violations.append(f"a gate was passed: children ran in {sorted(phases & GATED)}")
    if not violations:
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            subprocess.run(["rm", "-rf", str(folder)], check=False)  # deeper than Python can go
    return violations, str(end.returncode), folder


def lay_out(folder: Path, seed: int) -> tuple[Path, Path]:
    """A project with the child, and what is the person's and no child's."""
    (folder / "home").mkdir()
    outside = folder / "outside"
    make_repo(outside / "repo")
    (outside / "docs").mkdir()
    (outside / "docs" / "thesis.tex").write_text("years of work\n")
    (outside / "notes.txt").write_text("mine\n")
    root = make_repo(folder / "repo")
    child = f"[{sys.executable}, {HERE / 'random_child.py'}, {folder}, '{seed}']"
    (root / ".samoloop.yaml").write_text(f"provider: it\nproviders:\n  it: {{command: {child}}}\n")
    return root, outside


def content(root: Path, outside: Path) -> dict[str, str]:
    """What must stay: all that is outside, and in the main checkout what no session owns."""
    found = dict(walk(outside))
    for name in ("hello.txt", ".samoloop.yaml", ".git/HEAD", ".git/config", ".git/refs/heads/trunk", ".git/index"):
        path = root / name
        found[str(path)] = path.read_bytes().hex() if path.is_file() and not path.is_symlink() else "gone"
    return found


def walk(folder: Path) -> Iterator[tuple[str, str]]:
    for where, folders, files in os.walk(folder):
        for name in folders + files:
            path = Path(where, name)
            if path.is_symlink():
                yield str(path), f"-> {path.readlink()}"
            else:
                yield str(path), path.read_bytes().hex() if path.is_file() else f"mode {path.lstat().st_mode:o}"


if __name__ == "__main__":
    sys.exit(main())
