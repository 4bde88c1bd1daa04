"""The phone as a program that meets faults: `python tests/phone_faults [--answers N] [--kills N] [--rounds N]`.

Real commands, a real relay, real workers in four sessions; only the children are scripted and the server is ours. A
person answers in a hurry, says other things a moment later, and gives guidance, while relay and workers are killed
and all else breaks at random. Exit code 1 where anything was lost, doubled, wrong, out of order, or deaf for too long.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "telegram"))
sys.path.insert(0, str(Path(__file__).parent))

from checker import Seen, violations
from run import PATIENCE_SECONDS, Run, Watched


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tests/phone_faults", description=__doc__)
    parser.add_argument("--answers", type=int, default=200, help="questions that are answered")
    parser.add_argument("--kills", type=int, default=50, help="times that relay, worker or both are killed")
    parser.add_argument("--rounds", type=int, default=3, help="times that everything else breaks")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="samoloop-phone-"))
    with Watched() as standin:
        run = Run(folder, standin, options)
        seen = play(run)
    problems = violations(seen)
    for problem in problems:
        print(f"VIOLATION {problem}")
    print(f"{summary(seen)}, {run.harms.killed} kills, seed {options.seed}, {time.monotonic() - started:.0f} s")
    print(f"violations: {len(problems)}")
    if problems:
        (folder / "chat.json").write_text(json.dumps(standin.log, indent=1, ensure_ascii=False))
        print(f"kept in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if problems else 0


def play(run: Run) -> Seen:
    """The person and the faults at once, then time for all to arrive."""
    try:
        person = threading.Thread(target=run.answer_all, daemon=True)
        person.start()
        run.harm_all()
        person.join()
        return run.settle()
    finally:
        run.over.set()
        run.end()


def summary(seen: Seen) -> str:
    taps = [one for one in seen.said if one.gate]
    questions = {(one.session, one.gate, one.question) for one in taps}
    slowest = max((harm.listening_after or PATIENCE_SECONDS for harm in seen.harms), default=0.0)
    return (
        f"{len(taps)} taps on {len(questions)} questions, {len(seen.said) - len(taps)} times guidance, "
        f"{len(seen.harms)} faults, listening again within {slowest:.1f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
