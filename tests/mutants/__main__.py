"""Faults by hand: `python tests/mutants [--only NAME] [--jobs N]`; exit code 1 where one is seen by no test.

Each is put into a copy of the tree, where its own suites must fail.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

sys.path.insert(0, str(Path(__file__).parent))

from table import MUTANTS, Mutant
from tree import copy_tree

LONGEST_SECONDS = 900  # a suite that takes longer hangs, which is seen too
MARKS = ("not slow and not faults", "slow and not faults")  # the quick tests of a suite first
NONE = 5  # pytest found no test of that mark
FAULTS = "faults "


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tests/mutants", description=__doc__)
    parser.add_argument("--only", metavar="NAME", help="mutants whose names begin so")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at once")
    options = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if not options.only or mutant.name.startswith(options.only)]
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="samoloop-mutants-") as folder:
        copies: Queue[Path] = Queue()
        for number in range(options.jobs):
            copies.put(copy_tree(Path(folder, f"{number}")))

        def play(mutant: Mutant) -> bool:
            copy = copies.get()
            try:
                return is_killed(mutant, copy)
            finally:
                copies.put(copy)

        with ThreadPoolExecutor(options.jobs) as pool:
            killed = list(pool.map(play, chosen))
    survivors = [mutant.name for mutant, seen in zip(chosen, killed, strict=True) if not seen]
    print(f"{sum(killed)} of {len(chosen)} mutants killed, {time.monotonic() - started:.0f} s")
    if survivors:
        print(f"survived: {', '.join(survivors)}")
    return 1 if survivors or not chosen else 0


def is_killed(mutant: Mutant, copy: Path) -> bool:
    """Whether one of its suites fails in the copy, which is as it was afterwards."""
    path = copy / "samoloop" / mutant.file
    text = path.read_text(encoding="utf-8")
    started = time.monotonic()
    path.write_text(mutant.spoil(text), encoding="utf-8")
    try:
        killer = next((suite for suite in mutant.suites if fails(suite, copy)), None)
    finally:
        path.write_text(text, encoding="utf-8")
    verdict = f"killed by {killer}" if killer else "SURVIVED"
    print(f"  {mutant.name:<34} {time.monotonic() - started:5.1f} s  {verdict}", flush=True)
    return killer is not None


def fails(suite: str, copy: Path) -> bool:
    if suite.startswith(FAULTS):
        case = suite.removeprefix(FAULTS)
        return _code_of(suite, copy, ["tests/faults", "--jobs", "1", "--only", case, "--folder", str(copy.parent)]) == 1
    none = 0
    for mark in MARKS:
        code = _code_of(suite, copy, ["-m", "pytest", "-x", "-p", "no:cacheprovider", "-m", mark, suite])
        if code == 1:
            return True
        none += code == NONE
    if none == len(MARKS):
        raise SystemExit(f"{suite} has no test")
    return False


def _code_of(suite: str, copy: Path, words: list[str]) -> int:
    """0, 1 for a failure, or NONE."""
    environ = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [sys.executable, *words], cwd=copy, env=environ, capture_output=True, timeout=LONGEST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return 1
    if done.returncode not in (0, 1, NONE) or b"the harness failed" in done.stdout:
        raise SystemExit(f"{suite} could not be run:\n{done.stdout.decode()}\n{done.stderr.decode()}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
