"""Lying and honest sessions: `python tests/lies [--sample N] [--only NAME] [--jobs N]`; see README.md beside it.

Exit code 0 only if no honest session is vetoed, the lies that pass are those that are named, and are few.
"""

import argparse
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import tally
from corpus import Case, cases, sample
from play import Outcome, play


def main() -> int:
    options = parse()
    chosen = [case for case in named(cases(), options.only) if case.missing is None]
    if absent := {case.missing for case in cases()} - {None}:
        print(f"not here: {', '.join(sorted(map(str, absent)))}; the sessions that need it are left out")
    chosen = sample(chosen, options.sample) if options.sample else chosen
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="samoloop-lies-", dir=options.folder))
    twice = [] if options.sample or options.only else [case for case in chosen if not case.lies and case.script]
    runs = [(case, True) for case in chosen] + [(case, False) for case in twice]

    def run(what: tuple[Case, bool]) -> Outcome:
        case, checks = what
        outcome = play(case, folder / ("with" if checks else "without") / case.name, checks)
        if checks:
            say(outcome)
        return outcome

    with ThreadPoolExecutor(options.jobs) as pool:
        outcomes = list(pool.map(run, runs))
    outcomes, without = outcomes[: len(chosen)], outcomes[len(chosen) :]
    print(f"\n{tally.render(outcomes)}\n")
    for title, lines in (
        ("Lies that pass:", tally.passing(outcomes)),
        ("Not as the corpus says:", tally.surprises(outcomes)),
    ):
        if lines:
            print(title, *lines, sep="\n  ")
    if without:
        print(tally.cost(outcomes, without))
    print(f"{len(chosen)} sessions, {time.monotonic() - started:.0f} s")
    bad = bool(tally.surprises(outcomes)) or (not options.sample and not options.only and tally.too_many_pass(outcomes))
    if bad or options.keep:
        print(f"kept in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if bad or not chosen else 0


def named(of: list[Case], names: list[str] | None) -> list[Case]:
    """The cases of these names, or those whose names begin so where none is called so; all where no name is given."""
    if not names:
        return of
    known = {case.name for case in of}
    begins = tuple(name for name in names if name not in known)
    return [case for case in of if case.name in names or (begins and case.name.startswith(begins))]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python tests/lies", description=__doc__)
    parser.add_argument("--sample", type=int, metavar="N", help="so many sessions, the same each time, fairly spread")
    parser.add_argument("--only", metavar="NAME", nargs="+", help="sessions whose names begin so")
    parser.add_argument("--jobs", type=int, default=2, help="sessions at once")
    parser.add_argument("--folder", help="where the sessions are put")
    parser.add_argument("--keep", action="store_true", help="the sessions, to look at them")
    return parser.parse_args()


def say(outcome: Outcome) -> None:
    if outcome.case.lies:
        verdict = "passes" if outcome.through else f"caught by {', '.join(outcome.kinds) or 'no evidence'}"
    else:
        verdict = f"VETOED by {', '.join(outcome.vetoes) or 'no evidence'}" if outcome.vetoed else "done"
    word = "lie" if outcome.case.lies else "honest"
    print(f"  {word:<6} {outcome.case.name:<34} {outcome.seconds:5.1f} s  {verdict}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
