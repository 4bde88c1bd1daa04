"""The fault matrix: `python tests/faults [--sample SECONDS | --full] [--seed N] [--jobs N] [--only CASE]
[--sandbox required]`.

Kills, starves and tears sessions at every point of their life and checks from outside that nothing was lost, nothing
was done twice and nothing is left behind. Prints the matrix; exit code 1 where anything was violated.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import cases
import matrix
import proof
import torn
from invariants import Reference, reference
from scene import Scene, Violation, make_template


def main() -> int:
    options = parse()
    os.environ["SAMOLOOP_SANDBOX"] = options.sandbox
    folder = Path(tempfile.mkdtemp(prefix="samoloop-faults-", dir=options.folder))
    deadline = time.monotonic() + options.sample if options.sample else None
    wanted, scene = undisturbed(folder)
    if options.prove:
        return prove(scene, wanted)
    names = chosen(scene, folder, wanted, options)
    results = [] if options.only else [at_every_byte(scene)]
    results += run_all(names, folder, wanted, options, deadline)
    problems = [result for result in results if result["problems"]]
    for result in problems:
        print(f"\nVIOLATION in {result['case']} (seed {options.seed}), kept in {result['folder']}:")
        for problem in result["problems"]:
            print(f"  {problem}")
    print(matrix.render(results), end="\n\n")
    print(matrix.render(matrix.summarized(results)))
    faults = sum(sum(result["cells"].values()) for result in results)
    print(f"{len(results)} of {len(names)} sessions, seed {options.seed}, {time.monotonic() - STARTED:.0f} s")
    print(f"violations: {sum(len(result['problems']) for result in problems)} of {faults} faults")
    if not problems:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if problems or not faults else 0


STARTED = time.monotonic()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python tests/faults", description=__doc__)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--sample", type=float, metavar="SECONDS", help="as many, evenly spread, as fit")
    how.add_argument("--full", action="store_true", help="all of them (default)")
    how.add_argument("--prove", action="store_true", help="that the invariants can fail: spoil a session in each way")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="sessions at once")
    parser.add_argument("--only", metavar="CASE", help="cases whose names begin so")
    parser.add_argument("--most", type=int, metavar="N", help="at most so many cases")
    parser.add_argument(
        "--sandbox", choices=("off", "required"), default="off", help="whether the children work in a box"
    )
    parser.add_argument("--folder", help="where the sessions are put")
    return parser.parse_args()


def undisturbed(folder: Path) -> tuple[Reference, Scene]:
    """A session without a fault, to compare with."""
    make_template(folder / "template")
    preload()
    scene = Scene.make(folder / "template", folder / "undisturbed")
    started = time.monotonic()
    code = scene.wait(scene.start("point"))
    if code != 0:
        raise Violation(f"without any fault the session ends with {code}; see {scene.folder}")
    wanted = reference(scene, time.monotonic() - started)
    return wanted, scene


def chosen(scene: Scene, folder: Path, wanted: Reference, options: argparse.Namespace) -> list[str]:
    """The names of the cases to be played."""
    points = cases.points(scene)
    if (options.only or "").replace("power/", "point/") not in points:
        points = list(cases.all_points(scene, folder / "template", wanted))
    names = list(cases.all_cases(options.seed, points))
    return [name for name in names if not options.only or name.startswith(options.only)][: options.most]


def prove(scene: Scene, wanted: Reference) -> int:
    """Whether each way to spoil a session is seen."""
    missed = list(proof.unseen(scene, wanted))
    print(f"unseen: {len(missed)} of {len(proof.SPOILERS)} spoiled sessions", *missed, sep="\n  ")
    scene.clean_up()
    return 1 if missed else 0


def at_every_byte(scene: Scene) -> dict:
    """Each file cut off at each byte, decided upon in this process."""
    started = time.monotonic()
    cells: Counter[tuple[str, str]] = Counter()
    problems = []
    for row, problem in torn.every_byte(scene):
        cells[row, ""] += 1
        problems += [problem] if problem else []
    seconds = time.monotonic() - started
    result = {"case": "every byte", "cells": cells, "problems": problems[:20], "folder": str(scene.folder)}
    say(result | {"seconds": seconds})
    return result


def preload() -> None:
    """What each run would import, once: the runs are forks of this process."""
    import watchdog.observers  # noqa: F401
    import yaml  # noqa: F401


def run_all(
    names: list[str], folder: Path, wanted: Reference, options: argparse.Namespace, deadline: float | None
) -> list[dict]:
    """Each case in a process of its own, so many at once."""
    waiting = list(enumerate(names))
    running: dict[int, tuple[str, Path, float]] = {}
    results: list[dict] = []
    longest = 0.0
    while waiting or running:
        late = deadline is not None and time.monotonic() + longest > deadline
        while waiting and len(running) < options.jobs and not late:
            number, name = waiting.pop(0)
            running[start(number, name, folder, wanted, options)] = (name, folder / f"{number}.json", time.monotonic())
        if late:
            waiting = []
        if running:
            pid, status = os.wait()
            if pid in running:
                name, path, started = running.pop(pid)
                longest = max(longest, time.monotonic() - started)
                results.append(read_result(name, path, status))
                say(results[-1])
    return results


def start(number: int, name: str, folder: Path, wanted: Reference, options: argparse.Namespace) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        result = cases.play(name, folder / "template", folder / f"case-{number}", wanted, options.seed)
        cells = [[row, column, count] for (row, column), count in result.cells.items()]
        (folder / f"{number}.json").write_text(json.dumps({**asdict(result), "cells": cells}))
    finally:
        os._exit(0)


def read_result(name: str, path: Path, status: int) -> dict:
    if not path.exists():
        return {
            "case": name,
            "cells": Counter(),
            "problems": [f"the case ended with {status}"],
            "folder": "",
            "seconds": 0,
        }
    result = json.loads(path.read_text())
    result["cells"] = Counter({(row, column): count for row, column, count in result["cells"]})
    return result


def say(result: dict) -> None:
    faults = sum(result["cells"].values())
    verdict = "ok" if not result["problems"] else f"{len(result['problems'])} VIOLATIONS"
    print(f"  {result['case']:<44} {faults:>4} faults {result['seconds']:6.1f} s  {verdict}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
