"""A fleet that meets faults: `python tests/fleet_faults [--faults N] [--sessions N] [--seed N] [--lease SECONDS]`.

Three hosts as network namespaces with a home, a clone and a `samoloop fleet work` each, a remote and a database on two
more; real commands, and children that are scripted. People answer on any host while machines are killed and cut off and
what they stand on breaks. Exit code 1 where anything was lost, doubled, half taken or left.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "fleet"))
sys.path.insert(0, str(Path(__file__).parent))

from checker import Seen, violations
from hosts import Network
from hosts import why_not as no_hosts
from run import Run
from scene import Scene, why_not


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tests/fleet_faults", description=__doc__)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--sessions", type=int, default=30, help="that are handed in at least")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--lease", type=int, default=5, help="seconds after which a machine is taken for dead")
    options = parser.parse_args()
    if why := why_not() or no_hosts():
        print(f"NOT RUN: {why}")
        return 2
    started = time.monotonic()
    print(f"seed {options.seed}", flush=True)
    with Network() as network:
        run = Run(Scene(network, options.lease), options)
        seen = run.play()
        problems = violations(seen)
        for problem in problems:
            print(f"VIOLATION {problem}")
        kept = keep(network.folder) if problems else None
    print(table(run, seen))
    print(f"seed {options.seed}, {time.monotonic() - started:.0f} s" + (f", kept in {kept}" if kept else ""))
    print(f"violations: {len(problems)} of {run.brought.total()} faults")
    return 1 if problems else 0


def table(run: Run, seen: Seen) -> str:
    """What was brought about, by kind, and what went on meanwhile."""
    rows = [f"| {kind:<36} | {count:>5} |" for kind, count in sorted(run.brought.items())]
    children = Counter(child.what for child in seen.children)
    told = sum(said.told for said in seen.said)
    return "\n".join(
        [
            f"| {'fault':<36} | times |",
            f"|{'-' * 38}|{'-' * 7}|",
            *rows,
            f"{len(seen.sessions)} sessions, {sum(max(one.attempts, default=0) for one in seen.sessions)} iterations, "
            f"{children['begun']} children begun, {children['signalled']} came to their end; {len(seen.said)} acts of "
            f"people, of {told} of which they were told that they came late; machines started "
            f"{sum(machine.began for machine in run.scene.machines)} times",
        ]
    )


def keep(folder: Path) -> Path:
    """Where everything can be looked at afterwards."""
    place = Path(tempfile.mkdtemp(prefix="samoloop-kept-"))
    shutil.copytree(folder, place, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("tmp", "*.sock"))
    return place


if __name__ == "__main__":
    sys.exit(main())
