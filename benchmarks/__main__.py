"""Print the table of speed and memory: `make bench`. Ratios are against a floor measured in the same run.

python benchmarks [loop] [box] [gate] [memory] [git]; `fleet` and `large`, with a Postgres, only where they are named
"""

import importlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

from measure import Row

SECTIONS = ("whole", "loop", "box", "git", "gate", "memory", "telegram", "page", "prompts")


def main(names: list[str]) -> None:
    """Run the sections and say which bounds were met. A noisy machine misses some, so this is no test."""
    found: list[Row] = []
    for name in names or SECTIONS:
        folder = Path(tempfile.mkdtemp(prefix="samoloop-bench-"))
        os.environ["HOME"] = str(folder)  # where the state of its sessions is
        os.environ["SAMOLOOP_SANDBOX"] = "off"  # what it costs is a section of its own
        try:
            found += importlib.import_module(f"{name}_bench").rows(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    print("| what | measured | bound | |\n|---|---|---|---|")
    for row in found:
        verdict = {None: "", True: "met", False: "**not met**"}[row.met]
        print(f"| {row.name} | {row.figure} | {row.bound} | {verdict} |")
    missed = sum(row.met is False for row in found)
    print(f"\n{missed} bounds not met" if missed else "\nall bounds met")


if __name__ == "__main__":
    main(sys.argv[1:])
