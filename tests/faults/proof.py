"""That the invariants can fail: a session that went well is spoiled in each way, and each must be seen."""

import os
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator

from invariants import How, Reference, violations
from scene import Scene, git

from samoloop.core.gates import Verdict
from samoloop.core.records import GateClosed
from samoloop.core.signals import GateKind


def _twice(scene: Scene) -> None:
    with scene.ledger.open("a") as ledger:
        ledger.write("done 5 again\n")


def _unasked(scene: Scene) -> None:
    closed = GateClosed(gate="g2", kind=GateKind.PLAN_APPROVAL, verdict=Verdict.APPROVE, by="nobody")
    scene.session.journal.append(closed)


def _unannounced(scene: Scene) -> None:
    gate = next(
        path for path in sorted((scene.session.control / "_outbox").glob("*.json")) if '"gate"' in path.read_text()
    )
    gate.unlink()


def _commit(scene: Scene) -> None:
    git(scene.session.worktree, "commit", "--quiet", "--allow-empty", "-m", "One more")


def _leftover(scene: Scene) -> None:
    (scene.session.dir / "._qa.md.abcdefgh.tmp").touch()


def _lock(scene: Scene) -> None:
    (scene.repo / ".git" / "worktrees" / scene.session.name / "index.lock").touch()


def _process(scene: Scene) -> None:
    subprocess.Popen(["sleep", "60"], env={**scene.environment, "PATH": os.environ["PATH"]})


def _checkout(scene: Scene) -> None:
    (scene.repo / "hello.txt").write_text("overwritten\n")


def _report(scene: Scene) -> None:
    (scene.session.dir / "_report.md").unlink()


def _checkpoint(scene: Scene) -> None:
    ref = f"refs/samoloop/sessions/{scene.session.name}"
    git(scene.repo, "update-ref", ref, f"{ref}~3")


def _guidance(scene: Scene) -> None:
    scene.ledger.write_text(scene.ledger.read_text().replace("told ", "untold "))


SPOILERS: dict[str, Callable[[Scene], None]] = {
    "an action done twice": _twice,
    "a gate closed by nobody": _unasked,
    "a gate not announced": _unannounced,
    "another commit": _commit,
    "a half-written file": _leftover,
    "a lock": _lock,
    "a process": _process,
    "the person's file overwritten": _checkout,
    "no report": _report,
    "a checkpoint missing": _checkpoint,
    "a person's words untold": _guidance,
}


def unseen(scene: Scene, wanted: Reference) -> Iterator[str]:
    """Spoil the session in one way after the other; those that no invariant tells."""
    how = How(Counter(), strict=True, announced=True, torn="")
    before = set(violations(scene, wanted, how))
    if before:
        yield f"the undisturbed session itself: {before}"
    for name, spoil in SPOILERS.items():
        spoil(scene)
        after = set(violations(scene, wanted, how))
        if len(after) <= len(before):
            yield name
        before = after
