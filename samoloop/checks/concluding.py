"""What is said of a session that is done: by what it was checked, what a person let pass, what nobody looked at."""

from collections.abc import Mapping, Sequence

from samoloop.checks import background, receipts
from samoloop.checks.judging import GREEN, RED_BEFORE, REWRITTEN, SUCCEEDED, WAIVED
from samoloop.checks.paths import is_test
from samoloop.checks.receipts import Judged, Kind, Receipt, Standing
from samoloop.checks.waivers import waived
from samoloop.core.decision import Kind as What
from samoloop.core.evidence import Evidence
from samoloop.core.headline import CONCLUDED
from samoloop.core.records import RoomRecord
from samoloop.git.compare import added_paths, changed_paths
from samoloop.worker.keeping import base_of
from samoloop.worker.stations import Finished
from samoloop.worker.worker import Worker

NO_COMMITS = "Done, unchecked: commits are off, so there is no tree to check"
UNCHANGED = "Done. Nothing in the project was changed"
UNASKED = "unchecked: no phase of this workflow asks for checks"
_MOST_TESTS = 100


def sentence(standing: Standing, tree: str, commit: str, waivers: Mapping[str, str], *, asks: bool = True) -> str:
    """The headline of a session whose branch is at this tree; `asks` tells whether its workflow has checks run."""
    let_pass = "; ".join(f"{name} ({why})" for name, why in waivers.items())
    judged = [found for found in standing.at(tree) if found.verdict != WAIVED and found.check not in waivers]
    good = [_good(found, standing, tree) for found in judged if found.verdict in (GREEN, SUCCEEDED)]
    bad = [f"{found.check} {_BAD.get(found.verdict, found.verdict)}" for found in judged if not _is_good(found)]
    known = {found.check for found in standing.at(tree)}
    bad += [f"{check.name} did not run here" for check in standing.checks if check.name not in known]
    parts = [f"waived: {let_pass}"] if let_pass else []
    if good:
        parts.append(f"{_at(good, commit)}, run by samoloop")
    parts += bad
    if not parts or (let_pass and not (good or bad)):
        parts.append((standing.why_unchecked if asks else UNASKED) or "unchecked: no check ran on this tree")
    return f"Done{'. ' if good and not let_pass else ', '}{'; '.join(parts)}"


def proven(standing: Standing, tree: str, waivers: Mapping[str, str]) -> bool:
    """Whether every check there is passed on this tree, with none let pass."""
    found = standing.at(tree)
    is_whole = {check.name for check in standing.checks} <= {judged.check for judged in found}
    return bool(found) and is_whole and not waivers and all(_is_good(judged) for judged in found)


_BAD = {
    RED_BEFORE: "was red before and is red",
    REWRITTEN: "rests on rewritten tests: as they were before, they fail",
    "unverified": "could not be run",
    "uncounted": "ran no test that was counted",
}


def _is_good(found: Judged) -> bool:
    return found.verdict in (GREEN, SUCCEEDED)


def _good(found: Judged, standing: Standing, tree: str) -> tuple[str, str]:
    """`pytest green` and how many passed."""
    run = _run(found, standing.receipts, tree)
    word = "green" if found.verdict == GREEN else "succeeded"
    return f"{found.check} {word}", f"{run.passed} passed" if run and run.passed else ""


def _at(good: Sequence[tuple[str, str]], commit: str) -> str:
    first, *others = good
    counted = f" ({first[1]})" if first[1] else ""
    more = "".join(f", {name}" + (f" ({count})" if count else "") for name, count in others)
    return f"{first[0]} at {commit[:7]}{counted}{more}"


def _run(found: Judged, runs: Sequence[Receipt], tree: str) -> Receipt | None:
    same = (run for run in reversed(runs) if (run.check, run.kind, run.tree) == (found.check, Kind.NOW, tree))
    return next(same, None)


def conclude(worker: Worker, finished: Finished) -> list[Evidence]:
    """Write down how the session ends, if it does. A station of a worker, after all that look."""
    if finished.wanted is None or finished.wanted.kind is not What.DONE:
        return []
    background.end(worker)  # nobody needs to know any more what the base said
    session, committed = worker.session, finished.committed
    values: dict[str, object] = {"said": NO_COMMITS}
    if committed is not None:
        now = worker.worktree.snapshot()  # what a phase may not change was put back meanwhile
        base = base_of(worker, now.commit)
        changed = changed_paths(worker.store, base, now.commit)
        tests = [path for path in changed if is_test(path)]
        fresh = set(added_paths(worker.store, base, now.commit)) if tests else set()
        asks = bool(worker.config.checks) or any(phase.checks for phase in worker.state.live_workflow.phases)
        standing = receipts.standing(session.journal)
        said = sentence(standing, now.tree, now.head, waived(session.journal), asks=asks)
        values = {
            "said": said if changed else UNCHANGED,
            "commit": now.head,
            "proven": proven(standing, now.tree, waived(session.journal)),
            "tree": now.tree,
            "changed": len(changed),
            "tests": [path for path in tests if path not in fresh][:_MOST_TESTS],
        }
    session.record(RoomRecord(name=CONCLUDED, values=values))
    return []
