"""What git keeps of an iteration, counted in the processes that it takes: they are most of an iteration's time."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from kit import Bench, Recorder, make_repo, script

from samoloop.core.records import Ended
from samoloop.core.rules import Decision
from samoloop.git import calls

CHILD = """
[ $SAMOLOOP_ITERATION -gt 2 ] && echo $SAMOLOOP_ITERATION > "$SAMOLOOP_WORKTREE/new"
if [ $SAMOLOOP_ITERATION -lt 5 ]; then next work; else signal '{"status": "blocked", "reason": "x"}'; fi
"""


@dataclass
class Counting(Recorder):
    """Remembers which git commands each iteration ran."""

    called: list[str] = field(default_factory=list)
    iterations: list[list[str]] = field(default_factory=list)

    def ended(self, record: Ended, decision: Decision) -> None:
        self.iterations.append(self.called.copy())
        self.called.clear()


def own_workflow(root: Path, changes: str) -> dict[str, object]:
    own = root / ".samoloop"
    (own / "workflows").mkdir(parents=True)
    (own / "workflows" / "own.yaml").write_text("name: own\nphases: [init, work, done]\n")
    (own / "work.md").write_text(f"---\nname: work\nchanges: {changes}\n---\nWork.\n")
    return {"workflow": "own"}


@pytest.mark.parametrize(("changes", "still"), [("code", 2), ("nothing", 3)])
def test_an_iteration_takes_two_git_processes_and_five_where_it_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: str, still: int
) -> None:
    """One more in a phase that may change nothing: what lay there before its child."""
    view = Counting()
    execute = calls.execute

    def counted(args: tuple[str, ...], **named: Any) -> Any:
        view.called.append(next(word for word in args if word != "-c" and "=" not in word))
        return execute(args, **named)

    monkeypatch.setattr(calls, "execute", counted)
    root = make_repo(tmp_path / "repo")
    bench = Bench(root, script(tmp_path, CHILD), own_workflow(root, changes), view=view)
    bench.run(bench.session())
    _, second, third, fourth, _ = view.iterations  # the first has all of `init`
    changed = ["status", "update-index", "write-tree", "update-ref", "update-ref"]
    assert second == [*["status"] * (still - 1), "update-ref"]
    if changes == "nothing":
        return
    assert [word for word in third if word != "var"] == changed  # who the person is, is asked once
    assert fourth == changed
