"""Other models review only where a person asked for it, each by itself, and what they find has to be judged."""

import json
from pathlib import Path

from kit import GOOD_CHILD, make_repo, samoloop, script

from samoloop.core.records import Ended
from samoloop.core.session import all_sessions

LOOKS = """
second-look-*)
  ls *-opinion-* >> "$SAMOLOOP_WORKTREE/../seen" 2>/dev/null
  who=${SAMOLOOP_PHASE#second-look-}
  printf '# Opinion\\n### F1: x\\nSeverity: blocking\\n' > 11-21-0900-opinion-$who.md
  next $([ $who = one ] && echo second-look-two || echo quality);;
quality)
  ls *-opinion-* > both
  printf '# Review\\n## Verdict\\nmay be handed over\\n' > 11-21-0900-review-x.md
  [ $SAMOLOOP_ITERATION -gt 9 ] && echo '11-21-0900-opinion-one F1: refuted, 11-21-0900-opinion-two F1: refuted' \\
    >> 11-21-0900-review-x.md
  next done;;
"""
CHILD = GOOD_CHILD.replace("quality) next done;;", LOOKS).replace(
    "testing) next quality", "testing) next second-look-one"
)


def project(tmp_path: Path, **settings: object) -> Path:
    root = make_repo(tmp_path / "repo")
    command = {"command": [str(script(tmp_path, CHILD))]}
    providers = {"scripted": command, "one": command, "two": command}
    (root / ".samoloop.yaml").write_text(json.dumps({"provider": "scripted", "providers": providers, **settings}))
    return root


def test_each_looks_by_itself_and_a_blocking_finding_is_judged_before_the_end(tmp_path: Path) -> None:
    root = project(tmp_path, review={"by": ["one", "two"]})
    done = samoloop(root, "run", "Task", "--session", "a", "--yes", "--no-wait", env={"SAMOLOOP_SANDBOX": "off"})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    (session,) = all_sessions(root / "_sessions")
    ended = [record for record in session.journal if isinstance(record, Ended)]
    assert [record.provider for record in ended if record.phase.startswith("second-look")] == ["one", "two"]
    assert {record.provider for record in ended if not record.phase.startswith("second-look")} == {"scripted"}
    seen = root / ".samoloop" / "worktrees" / "seen"
    assert not seen.exists() or seen.read_text() == "", "neither saw what the other found"
    assert (session.dir / "both").read_text().splitlines() == ["11-21-0900-opinion-one.md", "11-21-0900-opinion-two.md"]
    vetoed = [record.decision.reason for record in ended if record.decision.vetoed]
    assert vetoed and "11-21-0900-opinion-one F1, 11-21-0900-opinion-two F1" in vetoed[0]


def test_nobody_else_is_asked_unless_a_person_says_so(tmp_path: Path) -> None:
    root = project(tmp_path)
    shown = samoloop(root, "run", "Task", "--dry-run").stdout
    assert "second-look" not in shown
    shown = samoloop(
        project(tmp_path / "b", review={"by": ["one"]}, fallback=["two"]), "run", "Task", "--dry-run"
    ).stdout
    (line,) = [line for line in shown.splitlines() if line.split()[:1] == ["second-look-one"]]
    assert " one, permissions" in line, "and nobody stands in"


def test_a_reviewer_that_is_not_there_is_named_before_anything_is_made(tmp_path: Path) -> None:
    root = project(tmp_path, review={"by": ["nobody"]})
    done = samoloop(root, "run", "Task", "--no-wait")
    assert done.returncode != 0 and "nobody" in done.stderr
    assert not list((root / "_sessions").glob("2*"))
